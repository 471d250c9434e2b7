"""Mailboxes on several hosts: certificates by which these know each other, and what Dovecot passes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mailstack import hosts, secrets
from mailstack.backends import DOVEADM_PORT, LMTP_PORT, SRS_FILE, SRS_SECRET, dns_name, label
from mailstack.components.component import Component, Requirement, Site, register
from mailstack.components.declarations import DovecotAddition, Port, ServiceProbe
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.engines import engine_of
from mailstack.engines.postgresql.backends import NAMELESS
from mailstack.facts.files import FileStates, FileTexts
from mailstack.facts.reading import read
from mailstack.files import Directory, Entry, File, Kept
from mailstack.operations.kept_secrets import Password
from mailstack.operations.own_ca import Authority, OwnCertificate
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.backends import Backends
    from mailstack.facts.platform import Platform
    from mailstack.operations.created import Created
    from mailstack.topology import Node

_CA = "backends-ca"
_DOVEADM = "backends-doveadm"
"""The password of doveadm between these hosts."""
_DIRECTORY = "/etc/mailstack/backends"
AUTHORITY = f"{_DIRECTORY}/ca.pem"
CERTIFICATE = f"{_DIRECTORY}/cert.pem"
KEY = f"{_DIRECTORY}/key.pem"
_FIRST = "/var/lib/mailstack/first-backend"
"""The name of the host whose users need none in the database, at the last deploy."""


class MailboxHosts(Component):
    """Pass mail and logins on to the host that has the user's mailbox, if a server has several.

    That is a host in the group ``imap``. The others reach it over TLS, with certificates of a CA that the
    host with the database keeps. Only they reach its LMTP, and only they may say whom a login is from. It is
    deployed with PostgreSQL and with Dovecot.
    """

    name = "backends"
    title = "Hosts with mailboxes"
    requires = (PASSWORDS_OF_DATABASE,)
    reloads = ("dovecot",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return (site.here.has_mail or site.runs_database) and site.backends is not None

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``: users without a name in the database must not be on another host by accident."""
        if site.backends is None or not site.runs_primary:
            return ()
        return [Requirement(FileTexts.of([_FIRST]), partial(_other_first, site, site.backends))]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("openssl",)

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``."""
        several = site.backends
        if several is None or not site.runs_primary:
            return ()
        certificates = [_certificate(node) for node in several.nodes]
        return [Authority(_CA), *certificates, Password(_DOVEADM), Password(SRS_SECRET, found=SRS_FILE)]

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        several = site.backends
        if several is None:
            return ()
        certificates = [f"{label(node)}-{what}" for node in several.nodes for what in ("key", "cert")]
        names = [_CA, *certificates, _DOVEADM, SRS_SECRET]
        first = File(_FIRST, f"{several.nodes[0].name}\n", activation=None)
        entries = [*(_kept(site, name) for name in names), first] if site.runs_database else []
        if not site.here.has_mail:
            return entries
        own = label(site.here) if site.here.has_role("imap") else None
        return [
            *entries,
            Directory(_DIRECTORY),
            File(AUTHORITY, f"{secrets.placeholder(_CA, 'certificate')}\n"),
            File(CERTIFICATE, own and _pem(f"{own}-cert")),
            File(KEY, own and _pem(f"{own}-key"), mode=0o600),
        ]

    def dovecot(self, site: Site, platform: Platform) -> DovecotAddition:
        """See ``Component``."""
        if site.backends is None:
            return DovecotAddition()
        return DovecotAddition(blocks={"backends": "!include backends.conf"})

    def ports(self, site: Site) -> Sequence[Port]:
        """See ``Component``: for the other mail hosts alone."""
        several = site.backends
        if several is None or not site.here.has_role("imap"):
            return ()
        others = tuple(node.reachable_at for node in several.others)
        move = [Port(DOVEADM_PORT, "doveadm", others)] if others else []
        return [Port(LMTP_PORT, "lmtp", several.clients), *move]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        if not site.here.has_mail:
            kept = script("probe_files", f"{secrets.DIRECTORY}/{_CA}")
            return [
                ServiceProbe(
                    "the CA of the hosts with mailboxes is kept", kept, "pyinfra INVENTORY deploy.py"
                )
            ]
        several = site.backends
        others = several.others if several else ()
        targets = [text for node in others for text in (dns_name(node), node.reachable_at)]
        return [
            ServiceProbe(
                "the other hosts with mailboxes answer, and are who they say",
                script("probe_backends", AUTHORITY, *targets),
                "is that host up, and does its firewall let this one in? Otherwise: pyinfra INVENTORY "
                "deploy.py on all hosts",
            )
        ]


def configuration(site: Site, generation: str) -> str | None:
    """Return the text of Dovecot's ``backends.conf``, or ``None`` if the server has one mail host.

    It has a password, so it is not in ``dovecot.conf``.

    + generation: ``2.3`` or ``2.4``
    """
    if site.backends is None:
        return None
    return render(
        f"backends/{generation}.conf",
        authority=AUTHORITY,
        clients=site.backends.clients,
        own_name=dns_name(site.here),
        certificate=CERTIFICATE if site.here.has_role("imap") else None,
        key=KEY,
        port=LMTP_PORT,
        doveadm=_DOVEADM,
        doveadm_port=DOVEADM_PORT,
    )


def _other_first(site: Site, several: Backends, texts: Mapping[str, str]) -> str | None:
    """Return the error if the first host with mailboxes is another one, and users would go with it."""
    before, now = texts.get(_FIRST, "").strip(), several.nodes[0].name
    recorded = bool(before)
    before = before or _alone_before(site, several)
    if before in ("", now):
        return None
    database, name = engine_of(site.settings).database(site.settings), site.settings.mail_db_name
    nameless = database.query(name, NAMELESS)
    if nameless == 0 or (nameless is None and not recorded):  # there may be no database yet
        return None
    if before in (node.name for node in several.nodes):
        named = (
            f"or a name for each of them: UPDATE mail_users SET backend = '{before}' WHERE backend IS NULL"
        )
    else:
        named = (
            f"or, if {now} is that host under another name: UPDATE mail_users SET backend = '{now}' WHERE "
            f"backend IS NULL OR backend = '{before}'"
        )
    return (
        f"imap: its first host is {now} now, and was {before}, which has the mail of users without a name in "
        f"mail_users.backend; allowed: {before} first, {named}"
    )


def _alone_before(site: Site, several: Backends) -> str:
    """Return the host that had all mailboxes before: it has a directory for them, and the first has none."""
    if several.nodes[0].name not in site.topology.reached:
        return ""
    question = FileStates.of([site.settings.mail_home_root])
    having = [
        node.name
        for node in several.nodes
        if node.name in site.topology.reached
        and read(question, None if node == site.here else hosts.host_of(node))
    ]
    return "" if several.nodes[0].name in having or not having else having[0]


def _certificate(node: Node) -> OwnCertificate:
    """Return the certificate of a host with mailboxes, which the host with the database makes and keeps."""
    path, name = f"{secrets.DIRECTORY}/{label(node)}", dns_name(node)
    return OwnCertificate(_CA, f"for {name}", f"{path}-cert", f"{path}-key", name, node.reachable_at)


def _kept(site: Site, name: str) -> Entry:
    """Return the file of a secret on a host with the database; see ``Passwords``: a standby has a copy."""
    path = f"{secrets.DIRECTORY}/{name}"
    return File(path, _pem(name), mode=0o600, activation=None) if site.has_standby else Kept(path, mode=0o600)


def _pem(name: str) -> str:
    return f"{secrets.placeholder(name)}\n"


BACKENDS = MailboxHosts()
register(BACKENDS)
