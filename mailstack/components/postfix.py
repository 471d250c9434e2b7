"""Postfix: mail from strangers on port 25, from users on 465 and 587, and out into the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack import database_passwords, hosts
from mailstack.components import (
    listening,
    postfix_recovery,
    postfix_services,
    postfix_tables,
    systemd,
    tls,
)
from mailstack.components.component import component
from mailstack.engines import engine_of
from mailstack.facts.exim_queue import EXIM_QUEUE, name_exim_queue
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import require
from mailstack.facts.units import drop_in_path
from mailstack.files import Directory, Entry, File
from mailstack.operations import units
from mailstack.operations.config_files import config_files
from mailstack.operations.packages import installed
from mailstack.operations.units import Unit
from mailstack.settings.engines import UNITS
from mailstack.settings.postfix_parameters import unknown_parameters
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mailstack.endpoint import Endpoint
    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings
    from mailstack.settings.postfix_master import MasterService

DIRECTORY = "/etc/postfix"
SQL_DIRECTORY = f"{DIRECTORY}/sql"
INSTANCE = "postfix@-"
_LOCK = "/var/lib/postfix/master.lock"
_SERVICE_FILE = f"{DIRECTORY}/pg_service.conf"


def packages(settings: Settings, version: str) -> tuple[str, ...]:
    """The Debian packages that the settings need.

    + version: of Postfix: ``3.7``

    Raises ``OperationValueError`` if the settings name a parameter that this version does not know.
    """
    if unknown := unknown_parameters(settings, version):
        raise OperationValueError(f"mail_postfix_main: Postfix {version} has no {', '.join(unknown)}")
    # the mechanisms of the SASL client are a package of their own
    sasl = ("libsasl2-modules",) if postfix_tables.passwords(settings) else ()
    return ("postfix", f"postfix-{settings.db_driver}", *sasl)


def before_installation(settings: Settings) -> str:
    """Return the script for before Postfix is installed: its package asks no host for its name then."""
    return "\n".join([script("keep"), script("before_postfix", settings.mail_hostname)])


def unit(settings: Settings, platform: Platform) -> Unit:
    """Return the service; on Debian 12 ``postfix`` is a wrapper around an instance."""
    old = platform.debian == 12
    return Unit(
        "postfix",
        INSTANCE if old else None,
        reload="postfix reload >/dev/null 2>&1",
        program="/usr/lib/postfix/sbin/master",
        pid_file=_LOCK,
        drop_in=True,
        listens=postfix_services.ports(_services(settings)),
        replaces=None if old else INSTANCE,
    )


def _units(settings: Settings, platform: Platform) -> list[Unit]:
    postfix = unit(settings, platform)
    return [postfix, postfix_recovery.unit(postfix.process)]


def files(settings: Settings, platform: Platform, endpoint: Endpoint) -> list[Entry]:
    """Return every file that Postfix reads.

    + endpoint: where the database is
    """
    service = unit(settings, platform).process
    return [
        *_service_files(service),
        *postfix_recovery.files(settings, endpoint, service),
        Directory(SQL_DIRECTORY, "root", "postfix", 0o750),
        # Dovecot may have made it, before there was a user postfix
        Directory("/var/spool/postfix/private", "postfix", "root", 0o700),
        File(f"{DIRECTORY}/main.cf", _main_cf(settings, platform, endpoint)),
        File(f"{DIRECTORY}/master.cf", _master_cf(settings)),
        File(
            _SERVICE_FILE, render("postfix/pg_service.conf") if _needs_timeout(settings, endpoint) else None
        ),
        File(f"{DIRECTORY}/users_headers", render("postfix/users_headers", hostname=settings.mail_hostname)),
        File(f"{DIRECTORY}/impossible_senders", render("postfix/impossible_senders")),
        File(f"{DIRECTORY}/impossible_recipients", render("postfix/impossible_recipients")),
        *postfix_tables.files(settings),
        *(
            File(
                f"{SQL_DIRECTORY}/{name}.cf",
                _sql_cf(settings, endpoint, name, query),
                group="postfix",
                mode=0o640,
            )
            for name, query in queries(settings).items()
        ),
    ]


def _service_files(service: str) -> list[Entry]:
    """What systemd must know of Postfix, and nothing of the unit that the other release has."""
    other = "postfix" if service == INSTANCE else INSTANCE
    return [
        *systemd.drop_in(
            service,
            after=(*UNITS, "dovecot.service"),
            pid_file="/var/spool/postfix/pid/master.pid",
            lock=_LOCK,
            stop="/usr/sbin/postmulti -i %i -p stop" if service == INSTANCE else "postfix stop",
            after_start=systemd.FLUSH,
        ),
        *systemd.flush(),
        File(drop_in_path(other), None, activation=None),
    ]


def queries(settings: Settings) -> dict[str, str]:
    """What is asked of the database, by the name of the file in ``/etc/postfix/sql``."""
    lookups = engine_of(settings).lookups
    postmaster = settings.mail_postmaster
    if "@" not in postmaster:
        postmaster = f"{postmaster}@{settings.mail_hostname}"
    return {
        "virtual_domains": lookups.VIRTUAL_DOMAINS,
        "virtual_mailboxes": lookups.VIRTUAL_MAILBOXES,
        "virtual_aliases": lookups.virtual_aliases(postmaster),
        "sender_logins": lookups.SENDER_LOGINS,
        "own_senders": lookups.own_senders(settings.local_domains),
        "relay_domains": lookups.RELAY_DOMAINS,
        "relay_recipients": lookups.RELAY_RECIPIENTS,
    }


def _main_cf(settings: Settings, platform: Platform, endpoint: Endpoint) -> str:
    def sql(name: str) -> str:
        # not by its absolute path, so that the checks see the staged file
        return f"{settings.map_type}:$config_directory/sql/{name}.cf"

    aliases = [
        f"{postfix_tables.INDEX}:{DIRECTORY}/virtual",
        sql("virtual_aliases"),
    ]
    text = render(
        "postfix/main.cf",
        settings=settings,
        index=postfix_tables.INDEX,
        database_environment=_database_environment(settings, endpoint),
        certificate=tls.CERTIFICATE,
        weak_ciphers=tls.WEAK_CIPHERS,
        old_ciphers=tls.OLD_CIPHERS,
        protocols=listening.protocols(settings, platform),
        interfaces=listening.interfaces(settings, platform),
        has_ffdhe_groups=platform.postfix != "3.7",
        key=tls.KEY,
        virtual_mailbox_domains=_maps(settings.mail_virtual_mailbox_domains, [sql("virtual_domains")]),
        virtual_mailbox_maps=_maps(settings.mail_virtual_mailbox_maps, [sql("virtual_mailboxes")]),
        virtual_alias_maps=_maps(settings.mail_virtual_alias_maps, aliases),
        own_senders=sql("own_senders"),
        sender_logins=sql("sender_logins"),
        relay_domains=sql("relay_domains"),
        relay_recipients=sql("relay_recipients"),
    )
    return _override(text, settings.mail_postfix_main)


def _database_environment(settings: Settings, endpoint: Endpoint) -> str:
    environment = engine_of(settings).postfix_environment(endpoint)
    if _needs_timeout(settings, endpoint):
        environment += f" PGSERVICE=mailstack PGSERVICEFILE={_SERVICE_FILE}"
    return environment


def _needs_timeout(settings: Settings, endpoint: Endpoint) -> bool:
    """Whether lookups go to another host. Without proxymap(8), smtpd(8) in its chroot has no such file."""
    proxied = settings.map_type != settings.db_driver
    return settings.mail_db_engine == "postgresql" and not endpoint.is_local and proxied


def _maps(given: Sequence[str] | None, ours: Sequence[str]) -> str:
    return " ".join(ours if given is None else given)


def _override(text: str, parameters: Mapping[str, str]) -> str:
    """Take out what is given again, as Postfix warns of a parameter that is set twice, and add it."""
    if not parameters:
        return text
    kept = ["\n".join(_without(paragraph, parameters)) for paragraph in text.rstrip().split("\n\n")]
    extra = [f"{name} = {value}".rstrip() for name, value in parameters.items()]
    return "\n\n".join([*kept, "\n".join(["# mail_postfix_main", *extra, ""])])


def _without(paragraph: str, names: Collection[str]) -> Iterator[str]:
    """Leave out parameters, each with the comment above it; a comment at the top is about the paragraph."""
    lines = paragraph.splitlines()
    comment: list[str] = []
    dropping, heading = False, True
    for line in lines:
        if line.startswith("#") and not heading:
            comment.append(line)
            continue
        heading = line.startswith("#")
        if not line.startswith(" "):  # else it goes on with the value above it
            dropping = line.partition(" =")[0] in names
        if not dropping:
            yield from (*comment, line)
        comment = []


def _master_cf(settings: Settings) -> str:
    services = "".join(service.render() for service in _services(settings))
    return render("postfix/master.cf", services=services)


def _services(settings: Settings) -> list[MasterService]:
    ours = postfix_services.default_services(settings)
    return postfix_services.merge(ours, settings.mail_postfix_master)


def _sql_cf(settings: Settings, endpoint: Endpoint, name: str, query: str) -> str:
    engine = engine_of(settings)
    return render(
        "postfix/sql.cf",
        settings=settings,
        endpoint=endpoint,
        driver=settings.db_driver,
        hosts=engine.postfix_hosts(endpoint),
        user=engine.lookup_user(settings, "postfix"),
        password=settings.mail_db_auth == "password",
        comment=COMMENTS[name],
        query=query,
    )


COMMENTS = {
    "virtual_domains": "virtual_mailbox_domains: which domains are ours",
    "virtual_mailboxes": "virtual_mailbox_maps: which mailboxes there are; the result is not used",
    "virtual_aliases": "virtual_alias_maps: where an alias leads in the end, or the mailbox itself",
    "sender_logins": "smtpd_sender_login_maps: who may send as this address",
    "own_senders": "check_sender_access: what strangers get who send in our name",
    "relay_domains": "relay_domains: whose mail goes on to another server",
    "relay_recipients": "relay_recipient_maps: whom that server knows; the result is not used",
}


@component("Postfix")
def deploy(settings: Settings) -> None:
    """Install and run Postfix.

    Mail for the domains in the database goes to ``private/dovecot-lmtp``, and logins are checked at
    ``private/auth``: a Dovecot on this host, deployed before or after, has them there.
    """
    endpoint = hosts.checked(settings).database_endpoint(settings)
    require(PLATFORM, lambda platform: listening.problem(settings, platform))
    store = database_passwords.store(settings)
    for name, password in postfix_tables.passwords(settings).items():
        store = store.with_given(name, password.get_secret_value())
    require(EXIM_QUEUE, name_exim_queue)
    installed(lambda platform: packages(settings, platform.postfix), before_installation(settings))
    tls.deploy(settings=settings)
    database_passwords.generate(settings)
    config_files(
        lambda platform: files(settings, platform, endpoint),
        component="postfix",
        units=["postfix"],
        store=store,
        check=script("check_postfix"),
    )
    units.running("postfix", lambda platform: _units(settings, platform))
