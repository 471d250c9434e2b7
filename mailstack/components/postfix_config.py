"""The configuration of Postfix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack.components import (
    additions,
    hardening,
    listening,
    postfix_recovery,
    postfix_services,
    postfix_sql,
    postfix_tables,
    systemd,
    tls,
)
from mailstack.components.postfix_tables import DIRECTORY
from mailstack.endpoint import waits
from mailstack.engines import engine_of
from mailstack.facts.units import drop_in_path
from mailstack.files import Directory, Entry, File
from mailstack.settings.engines import UNITS
from mailstack.templates import render
from mailstack.text import lines_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mailstack.components.component import Site
    from mailstack.components.declarations import PostfixAddition
    from mailstack.endpoint import Endpoint
    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings
    from mailstack.settings.postfix_master import MasterService

INSTANCE = "postfix@-"
LOCK = "/var/lib/postfix/master.lock"
"""Which has the number of Postfix's master, and is locked by it."""
_SERVICE_FILE = f"{DIRECTORY}/pg_service.conf"


def unit_name(platform: Platform) -> str:
    """Return the unit with Postfix's processes; before Debian 13 ``postfix`` is a wrapper around it."""
    return "postfix" if platform.debian == 13 else INSTANCE


def files(site: Site, platform: Platform) -> list[Entry]:
    """Return every file that Postfix reads."""
    settings, endpoints, service = site.settings, site.endpoints, unit_name(platform)
    added = additions.postfix(site, platform)
    return [
        *_service_files(settings, service),
        *postfix_recovery.files(settings, endpoints, service),
        # Dovecot may have created it, before the system user postfix existed
        Directory("/var/spool/postfix/private", "postfix", "root", 0o700),
        File(f"{DIRECTORY}/main.cf", _main_cf(site, platform, added)),
        File(f"{DIRECTORY}/master.cf", _master_cf(settings, added)),
        File(_SERVICE_FILE, _service_file(settings, endpoints)),
        File(f"{DIRECTORY}/openssl.cnf", render("postfix/openssl.cnf", signatures=tls.SIGNATURES)),
        File(f"{DIRECTORY}/users_headers", render("postfix/users_headers", hostname=settings.mail_hostname)),
        File(f"{DIRECTORY}/impossible_senders", render("postfix/impossible_senders")),
        File(
            f"{DIRECTORY}/impossible_recipients",
            render("postfix/impossible_recipients", srs=settings.mail_srs),
        ),
        File(f"{DIRECTORY}/whole_domains", render("postfix/whole_domains")),
        *postfix_tables.files(settings),
        *postfix_sql.files(settings, endpoints),
    ]


def _service_files(settings: Settings, service: str) -> list[Entry]:
    """Return systemd's files for Postfix, and the absence of those for the other release's unit."""
    other = "postfix" if service == INSTANCE else INSTANCE
    return [
        *systemd.drop_in(
            service,
            after=(*UNITS, "dovecot.service"),
            pid_file="/var/spool/postfix/pid/master.pid",
            lock=LOCK,
            stop="/usr/sbin/postmulti -i %i -p stop" if service == INSTANCE else "postfix stop",
            after_start=systemd.FLUSH,
        ),
        *systemd.flush(),
        File(drop_in_path(other), None, activation=None),
        *hardening.drop_in(settings, "postfix", INSTANCE, wanted=service == INSTANCE),
    ]


def _main_cf(site: Site, platform: Platform, added: PostfixAddition) -> str:
    settings = site.settings

    def sql(name: str) -> str:
        # not an absolute path, so that the checks use the staged file
        return f"{settings.map_type}:$config_directory/sql/{name}.cf"

    aliases = [
        f"{postfix_tables.INDEX}:{DIRECTORY}/virtual",
        sql("virtual_aliases"),
    ]
    text = render(
        "postfix/main.cf",
        settings=settings,
        index=postfix_tables.INDEX,
        database_environment=_database_environment(settings, site.endpoints),
        certificate=tls.CERTIFICATE,
        weak_ciphers=tls.WEAK_CIPHERS,
        old_ciphers=tls.OLD_CIPHERS,
        # all mail goes to the relay host, which stays as its administrator means it
        dane=site.offers("dns") and not settings.mail_relayhost,
        protocols=listening.protocols(settings, platform),
        interfaces=listening.interfaces(settings, platform),
        has_ffdhe_groups=platform.postfix != "3.7",
        key=tls.KEY,
        # see postconf(5): each key before its certificate
        chain_files=[tls.KEY, tls.CERTIFICATE, tls.RSA[1], tls.RSA[0]] if settings.mail_acme_rsa else [],
        virtual_mailbox_domains=_maps(settings.mail_virtual_mailbox_domains, [sql("virtual_domains")]),
        virtual_mailbox_maps=_maps(settings.mail_virtual_mailbox_maps, [sql("virtual_mailboxes")]),
        virtual_alias_maps=_maps(settings.mail_virtual_alias_maps, aliases),
        own_senders=sql("own_senders"),
        sender_logins=sql("sender_logins"),
        relay_domains=sql("relay_domains"),
        relay_recipients=sql("relay_recipients"),
        lmtp=additions.at(site.link("lmtp")),
        # for a socket, Postfix requires the bare path here
        sasl=additions.at(site.link("sasl")).removeprefix("unix:"),
        recipient_classes=sql("recipient_classes") if has_classes(settings, added) else None,
        recipient_checks=list(added.recipient_checks),
        quota_checks=list(added.quota_checks),
        sender_transports=added.sender_transports,
        tls_policies=added.tls_policies,
        parent_policies=bool(postfix_tables.parent_policies(settings)),
        milters=[additions.at(site.link(name)) for name in added.milters],
    )
    if twice := sorted(set(added.parameters) & set(_names(text))):
        raise OperationValueError(
            f"Postfix parameter {', '.join(twice)}: set by the component postfix, and added by another one; "
            "allowed: mail_postfix_main"
        )
    return _override(text + _additions(added), settings.mail_postfix_main)


def has_classes(settings: Settings, added: PostfixAddition) -> bool:
    """Return whether the database says the restriction class of a recipient: see ``main.cf``.

    It can't if there are recipients or restrictions that the database does not know.
    """
    own = ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_alias_maps")
    classes = ("smtpd_recipient_restrictions", "smtpd_restriction_classes", "smtpd_reject_unlisted_recipient")
    return (
        "recipient_classes" in postfix_sql.queries(settings)
        and all(getattr(settings, f"mail_{name}") is None for name in own)
        and not {*own, *classes} & {*settings.mail_postfix_main, *added.parameters}
    )


def _names(text: str) -> Iterator[str]:
    return (line.partition(" =")[0] for line in lines_of(text) if not line.startswith((" ", "#")))


def _additions(added: PostfixAddition) -> str:
    if not added.parameters:
        return ""
    lines = [f"{name} = {value}".rstrip(" ") for name, value in added.parameters.items()]
    return "\n".join(["", "# Of other components", *lines, ""])


def _database_environment(settings: Settings, endpoints: Sequence[Endpoint]) -> str:
    environment = engine_of(settings).postfix_environment(endpoints)
    if _needs_timeout(settings, endpoints):
        environment += f" PGSERVICE=mailstack PGSERVICEFILE={_SERVICE_FILE}"
    return environment


def _service_file(settings: Settings, endpoints: Sequence[Endpoint]) -> str | None:
    needed = _needs_timeout(settings, endpoints)
    return render("postfix/pg_service.conf", waits=waits(endpoints)) if needed else None


def _needs_timeout(settings: Settings, endpoints: Sequence[Endpoint]) -> bool:
    """Return whether lookups go to another host, by proxymap(8): smtpd(8) in its chroot has no such file."""
    proxied = settings.map_type != settings.db_driver
    remote = any(not each.is_local for each in endpoints)
    return settings.mail_db_engine == "postgresql" and remote and proxied


def _maps(given: Sequence[str] | None, ours: Sequence[str]) -> str:
    return " ".join(ours if given is None else given)


def _override(text: str, parameters: Mapping[str, str]) -> str:
    """Replace parameters, without duplicates, as Postfix warns of a parameter that is set twice."""
    if not parameters:
        return text
    kept = ["\n".join(_without(paragraph, parameters)) for paragraph in text.rstrip().split("\n\n")]
    extra = [f"{name} = {value}".rstrip(" ") for name, value in parameters.items()]
    return "\n\n".join([*kept, "\n".join(["# mail_postfix_main", *extra, ""])])


def _without(paragraph: str, names: Collection[str]) -> Iterator[str]:
    """Omit parameters, each with the comment above it; a comment at the top belongs to the paragraph."""
    lines = lines_of(paragraph)
    comment: list[str] = []
    dropping, heading = False, True
    for line in lines:
        if line.startswith("#") and not heading:
            comment.append(line)
            continue
        heading = line.startswith("#")
        if not line.startswith(" "):  # a line with leading space continues the value above it
            dropping = line.partition(" =")[0] in names
        if not dropping:
            yield from (*comment, line)
        comment = []


def _master_cf(settings: Settings, added: PostfixAddition) -> str:
    services = "".join(service.render() for service in services_of(settings, added))
    return render("postfix/master.cf", services=services)


def services_of(settings: Settings, added: PostfixAddition) -> list[MasterService]:
    """Return the services of ``master.cf``.

    Raises ``OperationValueError`` if a component adds one that Postfix has already.
    """
    defaults = postfix_services.default_services(settings, has_classes(settings, added))
    own = {(service.name, service.type) for service in defaults}
    if twice := [f"{each.name}/{each.type}" for each in added.services if (each.name, each.type) in own]:
        raise OperationValueError(
            f"service of master.cf {', '.join(twice)}: of the component postfix, and added by another; "
            "allowed: mail_postfix_master"
        )
    defaults = postfix_services.merge(defaults, added.services)
    return postfix_services.merge(defaults, settings.mail_postfix_master)
