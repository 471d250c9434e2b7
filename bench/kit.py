"""The finished server for the peers: the same bytes as mailstack writes, in a folder.

files/…          every file with its final content, below its path
templates/….j2   the same, with a few values as Jinja variables
values.json      those values; packages, directories and files with their owners and modes
packages, directories.list, files.list
                 the same for a shell script
roles.sql, database.sql, schema.sql, accounts.sql
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailstack import Settings, file_plan, secrets, tls
from mailstack.accounts import plan, sql
from mailstack.accounts.wanted import Accounts
from mailstack.components.component import Site
from mailstack.components.dovecot import VMAIL
from mailstack.engines import LOOKUP_PASSWORD, PASSWORDS
from mailstack.engines.postgresql import converge, dialect, roles
from mailstack.engines.postgresql.quoting import UNLOGGED
from mailstack.engines.postgresql.schema import Schema
from mailstack.facts.platform import Platform, parse
from mailstack.files import Directory, File, Kept, Place
from mailstack.passwords import hash_password
from tests.support.sites import site, whole
from tests.targets.containers import Target
from tests.targets.shell import TargetError

_SECRETS = {name: f"a-password-for-{name}" for name in PASSWORDS}
#: The values that are variables in templates.
_VARIABLES = ("mail_hostname", "mail_message_size_limit", "mail_db_lookup_role")
_OURS = "/var/lib/mailstack"
#: The names of the files that others write too.
_SHARED = ("pg_hba.conf", "pg_ident.conf", "aliases")


@dataclass(frozen=True)
class Kit:
    """The files of a host with this platform and these settings, and their place for the peers.

    + folder: an empty directory, which `write` fills
    """

    settings: Settings
    platform: Platform
    folder: Path

    @classmethod
    def of(cls, debian: int, data: Mapping[str, Any], folder: Path) -> Kit:
        """Return the kit for hosts that run this release of Debian, written."""
        kit = cls(Settings.from_data(data), parse(f"id=debian\nrelease={debian}\n"), folder)
        kit.write()
        return kit

    @property
    def packages(self) -> list[str]:
        """All Debian packages of the server."""
        return [
            name for component in whole(self.site) for name in component.packages(self.site, self.platform)
        ]

    @property
    def site(self) -> Site:
        """The host as its components see it."""
        return site(self.settings)

    def entries(
        self, texts: Mapping[str, str] | None = None
    ) -> Iterator[tuple[str, Directory | Kept | File]]:
        """Yield each path of the finished server, with the service that reads it, without the records.

        + texts: the existing text of shared files; empty on a bare host
        """
        for component in whole(self.site):
            entries = component.files(self.site, self.platform)
            for entry in file_plan.with_others(entries, texts or {}):
                if isinstance(entry, Place) or entry.path.startswith(_OURS):
                    continue
                if not (isinstance(entry, File) and entry.content is None):
                    yield component.name, entry

    def write(self) -> None:
        """Fill the folder."""
        files = [(service, entry) for service, entry in self.entries() if isinstance(entry, File)]
        for _, file in files:
            self._write(f"files{file.path}", self._content(file))
            self._write(f"templates{file.path}.j2", self._template(self._content(file)))
        for name, text in self._scripts().items():
            self._write(name, text)
        values = self._values(files)
        self._write("values.json", json.dumps(values, indent=1))
        self._write("packages", " ".join(self.packages) + "\n")
        for kind in ("directories", "files"):
            lines = (" ".join(str(value) for value in entry.values()) for entry in values[kind])
            self._write(f"{kind}.list", "".join(f"{line}\n" for line in lines))

    def check(self, target: Target) -> None:
        """Raise `TargetError` unless the target has everything in the kit, and its services run."""
        known = {name: self._kept(target, name) for name in PASSWORDS}
        paths = [entry.path for _, entry in self.entries()]
        shared = {
            path: target.exec(["cat", path], check=False).stdout for path in paths if path.endswith(_SHARED)
        }
        entries = [entry for _, entry in self.entries(shared)]
        expected = [f"{entry.path} {entry.owner} {entry.group} {entry.mode:04o}" for entry in entries]
        paths = [entry.path for entry in entries]
        found = target.exec(["stat", "-L", "-c", "%n %U %G %04a", *paths], check=False).stdout.splitlines()
        wrong = sorted(set(expected) - set(found))
        sums = "".join(
            f"{_sha256(entry, known)}  {entry.path}\n" for entry in entries if isinstance(entry, File)
        )
        done = target.exec(["sha256sum", "--check", "--quiet"], input=sums, check=False)
        wrong += (done.stdout + done.stderr).splitlines()
        units = [f"postgresql@{self.platform.postgresql}-main", "dovecot", "postfix"]
        units += ["postfix@-"] if self.platform.debian == 12 else []
        states = target.exec(["systemctl", "is-active", *units], check=False).stdout.split()
        wrong += [f"{unit}: {state}" for unit, state in zip(units, states, strict=True) if state != "active"]
        counted = "SELECT count(*) FROM mail_users"
        users = target.exec(["runuser", "-u", "postgres", "--", "psql", "-AtX", "mail", "-c", counted]).stdout
        if int(users) < len(self.settings.mail_users):
            wrong.append(f"{users.strip()} users")
        if wrong:
            raise TargetError(f"{target.name} is not as it should be: {'; '.join(wrong)}")

    def _kept(self, target: Target, name: str) -> str:
        found = target.exec(f"cat {_OURS}/secrets/{name}", check=False).stdout.strip()
        return found or _SECRETS[name]

    def _values(self, files: list[tuple[str, File]]) -> dict[str, Any]:
        settings = self.settings
        return {
            "packages": self.packages,
            "directories": [
                _attributes(entry) for _, entry in self.entries() if isinstance(entry, Directory)
            ],
            "files": [
                {"service": service, "indexed": file.indexed or "no", **_attributes(file)}
                for service, file in files
            ],
            "postgresql_unit": f"postgresql@{self.platform.postgresql}-main",
            "vmail_uid": VMAIL,
            "vmail_gid": VMAIL,
            "home_root": settings.mail_home_root,
            "emails": [user.email for user in settings.mail_users],
            "certificate": tls.CERTIFICATE,
            "key": tls.KEY,
            "db_name": settings.mail_db_name,
            "db_owner": settings.mail_db_owner,
            "db_upgrade_role": settings.mail_db_upgrade_role,
            "passwords": _SECRETS,
            "password_of": dict(zip(self._roles(), PASSWORDS, strict=True)),
            "variables": [*_VARIABLES, "passwords"],
            **{name: str(getattr(settings, name)) for name in _VARIABLES},
        }

    def _content(self, file: File) -> str:
        content = secrets.fill_in(file.content or "", _SECRETS)
        assert content is not None, file.path
        return content

    def _template(self, text: str) -> str:
        """Return the text again, as a template that renders to it."""
        for sign in ("{{", "{%", "{#"):
            text = text.replace(sign, f"\0{sign}\1")
        text = text.replace("\0", "{{ '").replace("\1", "' }}")
        for name in _VARIABLES:
            text = text.replace(str(getattr(self.settings, name)), f"{{{{ {name} }}}}")
        return text.replace(_SECRETS[LOOKUP_PASSWORD], f"{{{{ passwords['{LOOKUP_PASSWORD}'] }}}}")

    def _scripts(self) -> dict[str, str]:
        settings = self.settings
        lookup = settings.mail_db_lookup_role
        changes = [
            change
            for name, secret in zip(self._roles(), PASSWORDS, strict=True)
            for change in roles.changes(
                roles.Role(name, read_only=name == lookup), None, roles.Password(_SECRETS[secret])
            )
        ]
        accounts = Accounts(settings.mail_domains, settings.mail_users, settings.mail_aliases)
        rows = plan.plan(sql.parse(None), accounts)
        return {
            "roles.sql": UNLOGGED + "".join(f"{change.sql}\n" for change in changes),
            "database.sql": converge.create_database(settings) + ";\n",
            "schema.sql": Schema(*self._roles()).script(),
            "accounts.sql": sql.script(dialect, rows, settings.mail_db_owner, hash_password),
        }

    def _roles(self) -> tuple[str, str, str]:
        """Return owner, lookup and upgrade role, in the order of `PASSWORDS`."""
        settings = self.settings
        return settings.mail_db_owner, settings.mail_db_lookup_role, settings.mail_db_upgrade_role

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _attributes(entry: File | Directory) -> dict[str, str]:
    return {"owner": entry.owner, "group": entry.group, "mode": f"{entry.mode:04o}", "path": entry.path}


def _sha256(file: File, known: Mapping[str, str]) -> str:
    return hashlib.sha256((secrets.fill_in(file.content or "", known) or "").encode()).hexdigest()
