"""Encrypted backups of the state that components declare, by restic(1)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfra.api.exceptions import OperationValueError

from mailstack import secrets
from mailstack.components import additions, systemd
from mailstack.components.acme_files import PROGRAM
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import ServiceProbe, State
from mailstack.files import Directory, File, Kept
from mailstack.on_host import backup
from mailstack.operations.kept_secrets import Password
from mailstack.operations.ssh_key import SshKey
from mailstack.operations.units import Unit
from mailstack.settings.backup import SFTP
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Created

NAME = "mailstack-backup"
RESTORE = "mailstack-restore"
CHECK = "mailstack-backup-check"
RUN = "/run/mailstack-backup"
"""The directory with their progress."""
PASSWORD = "backup-password"
KEPT_PASSWORD = f"{secrets.DIRECTORY}/{PASSWORD}"
"""The generated password, on each host another one."""
SSH_KEY = f"{secrets.DIRECTORY}/backup-ssh"
CONFIGURATION = "/etc/mailstack/backup.json"
_GIVEN_PASSWORD = "/etc/mailstack/backup.password"
_ENVIRONMENT = "/etc/mailstack/backup.environment"
_HOSTS = "/etc/mailstack/backup.known_hosts"
_S3_SECRET = "backup-s3-secret"
_STOPPED = ("postfix", "dovecot", "rspamd", "redis-server@mailstack")
"""The services that end while a restore writes their state. Others only read it."""
_JOBS = {
    NAME: ("run", f"{NAME}.timer", "Keep the state of the mail server in the backup"),
    CHECK: ("check", "mailstack.backup.check", "Check the backups of the mail server"),
    RESTORE: ("restore", "mailstack.restore", "Bring back the state of the mail server from the backup"),
}
_ENDED = tuple(map(systemd.unit_file, (f"{NAME}.timer", *(f"{name}.service" for name in _JOBS))))


class Backup(Component):
    """Keep what components declare as their state in an encrypted repository, by a timer.

    Without ``mail_backup_repository``, end that. The backups stay.
    """

    name = "backup"
    title = "Backup"
    switch = ("mail_backup_repository", "/var/backups/mail")

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.here.has_mail or site.runs_database

    def check(self, site: Site) -> None:
        """See ``Component``: it would keep itself."""
        place, mail = site.settings.mail_backup_repository or "", site.settings.mail_home_root
        declared = (state.path for state in _states(site) if state.holds != "database")
        for kept in ("/etc", *((mail,) if site.here.has_mail else ()), *sorted(declared)):
            if f"{place}/".startswith(f"{kept}/"):
                raise OperationValueError(
                    f"mail_backup_repository = {place!r}: is in {kept}, which is kept in it; allowed: another"
                    " directory, better on another disk"
                )

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        if not _is_on(site):
            return ()
        return ("restic", "python3", *(("openssh-client",) if _ssh(site) else ()))

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``."""
        settings = site.settings
        if not _is_on(site):
            return ()
        password = () if settings.mail_backup_password else (Password(PASSWORD),)
        return (*password, *((SshKey(SSH_KEY),) if _ssh(site) else ()))

    def secrets(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        given = {
            PASSWORD: site.settings.mail_backup_password,
            _S3_SECRET: site.settings.mail_backup_s3_secret,
        }
        return {name: value.get_secret_value() for name, value in given.items() if value is not None}

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        settings = site.settings
        if not _is_on(site):
            gone = (*_ENDED, CONFIGURATION, _GIVEN_PASSWORD, _ENVIRONMENT, _HOSTS)
            return [File(path, None, activation=None) for path in gone]
        given = f"{secrets.placeholder(PASSWORD)}\n" if settings.mail_backup_password else None
        key_id = settings.mail_backup_s3_key_id
        environment = render("backup/environment", key_id=key_id, secret_name=_S3_SECRET) if key_id else None
        ssh = SFTP.fullmatch(settings.mail_backup_repository or "")
        hosts = f"{ssh['host'].strip('[]')} {settings.mail_backup_ssh_host_key}\n" if ssh else None
        return [
            Directory(secrets.DIRECTORY, mode=0o700),
            Kept(KEPT_PASSWORD, mode=0o600),
            *(File(f"{PROGRAM}/backup/{name}", text, activation=None) for name, text in _program().items()),
            File(CONFIGURATION, _configuration(site), mode=0o600, activation=None),
            File(_GIVEN_PASSWORD, given, mode=0o600, activation=None),
            File(_ENVIRONMENT, environment, mode=0o600, activation=None),
            File(_HOSTS, hosts, activation=None),
            *(entry for name in _JOBS for entry in systemd.unit_files(f"{name}.service", _job(name))),
            *systemd.unit_files(f"{NAME}.timer", render("backup/backup.timer", times=_times(site))),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``."""
        return "" if _is_on(site) else script("end_units", *_ENDED)

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        return [Unit(f"{NAME}.timer")] if _is_on(site) else ()

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``: without the password, its own backups can't be read."""
        return [State(secrets.DIRECTORY, "secrets")] if _is_on(site) else ()

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        if not _is_on(site):
            return ()
        ask = f"cd / && PYTHONPATH={PROGRAM} timeout 90 /usr/bin/python3 -B -m backup reach"
        advice = "is its disk mounted, or its server reached? docs/backup.md says what each error means"
        return [ServiceProbe("the backups can be read", ask, advice)]


def _is_on(site: Site) -> bool:
    """Return whether the host makes backups; one with a standby alone has nothing that the primary lacks."""
    kept = site.here.has_mail or site.runs_primary
    return kept and site.settings.mail_backup_repository is not None


@cache
def _program() -> dict[str, str]:
    """Return the modules of the program, by the names of their files."""
    folder = Path(backup.__file__).parent
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.py"))}


def _job(name: str) -> str:
    """Return the unit that runs a command of the program."""
    command, starter, description = _JOBS[name]
    return render(
        "backup/job.service",
        unit=name,
        command=command,
        starter=starter,
        description=description,
        program=PROGRAM,
        gentle=name != RESTORE,
    )


def _ssh(site: Site) -> list[str]:
    """Return the command that connects to the host with the repository, if it is reached by SSH."""
    found = SFTP.fullmatch(site.settings.mail_backup_repository or "")
    if not found:
        return []
    options = {
        "IdentityFile": SSH_KEY,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": _HOSTS,
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "30",
        "ServerAliveInterval": "60",
    }
    arguments = [text for name, value in options.items() for text in ("-o", f"{name}={value}")]
    return ["ssh", *arguments, found["login"].replace("[", "").replace("]", ""), "-s", "sftp"]


def _times(site: Site) -> str:
    """Return the times of backups, as systemd.time(7) has them."""
    hours = site.settings.mail_backup_hours
    return "*-*-* 02:00" if hours == 24 else f"*-*-* 00/{hours}:00"


def _states(site: Site) -> list[State]:
    """Return what the components of a host declare as their state."""
    return [state for each in site.components if each.is_installed(site) for state in each.state(site)]


def _configuration(site: Site) -> str:
    """Return what the program keeps: all that the components of the host declare as their state."""
    settings = site.settings
    kept = _states(site)
    mail = settings.mail_home_root if site.here.has_mail else None
    by_other_means = ("queue", "database")
    paths = sorted({each.path for each in kept if each.holds not in by_other_means and each.path != mail})
    names = {each.name for each in site.components}
    database: dict[str, Any] | None = None
    if site.runs_primary:
        database = {
            "engine": settings.mail_db_engine,
            "name": settings.mail_db_name,
            "port": settings.db_port,
        }
    values = {
        "repository": settings.mail_backup_repository,
        # on a host with the database alone, that is another backup
        "host": settings.mail_hostname if mail else f"database.{settings.mail_hostname}",
        "password": _GIVEN_PASSWORD if settings.mail_backup_password else KEPT_PASSWORD,
        "environment": _ENVIRONMENT,
        "ssh": _ssh(site),
        "mail": mail,
        "owner": "vmail",
        "queue": additions.QUEUE if mail else None,
        "database": database,
        "redis": site.link("redis").host if site.offers("redis") else None,
        "paths": [*paths, "/etc"],
        "only_kept": ["/etc"],
        "services": [name for name in _STOPPED if name.partition("-")[0] in names],
        "keep": {
            "daily": settings.mail_backup_keep_days,
            "weekly": settings.mail_backup_keep_weeks,
            "monthly": settings.mail_backup_keep_months,
        },
    }
    return json.dumps(values, indent=1) + "\n"


BACKUP = Backup()
deploy = deployed(BACKUP)
