"""The services of ``master.cf``: Debian's, and those with a login on 587 and 465."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from mailstack.settings.postfix_master import MasterService
from mailstack.settings.postfix_parameters import transports
from mailstack.settings.postfix_relays import SENDER_RELAY
from mailstack.text import lines_of

if TYPE_CHECKING:
    from mailstack.settings import Settings


# name, type, private, unpriv, chroot, wakeup, maxproc, command; as in Debian 12 and 13, except for
# - lmtp: as many deliveries at once as Postfix makes to one destination by default. With
#   lmtp_destination_recipient_limit = 1, a destination of its queue manager is one mailbox and not all of
#   Dovecot.
# - proxymap: each process has a connection for each table, and 100 processes would exceed PostgreSQL's limit.
#   Two answer some thousand lookups a second, more than two cores need to deliver mail.
# - rewrite: without a warning about a domain in two classes, for which it would look up each domain with
#   mailboxes in relay_domains, too. The database refuses such a domain, and so do the settings.
_DEBIAN = """
pickup    unix        n  -  y  60     1  pickup
cleanup   unix        n  -  y  -      0  cleanup
qmgr      unix        n  -  n  300    1  qmgr
tlsmgr    unix        -  -  y  1000?  1  tlsmgr
rewrite   unix        -  -  y  -      -  trivial-rewrite
bounce    unix        -  -  y  -      0  bounce
defer     unix        -  -  y  -      0  bounce
trace     unix        -  -  y  -      0  bounce
verify    unix        -  -  y  -      1  verify
flush     unix        n  -  y  1000?  0  flush
proxymap  unix        -  -  n  -      2  proxymap
proxywrite unix       -  -  n  -      1  proxymap
smtp      unix        -  -  y  -      -  smtp
relay     unix        -  -  y  -      -  smtp
showq     unix        n  -  y  -      -  showq
error     unix        -  -  y  -      -  error
retry     unix        -  -  y  -      -  error
discard   unix        -  -  y  -      -  discard
local     unix        -  n  n  -      -  local
virtual   unix        -  n  n  -      -  virtual
lmtp      unix        -  -  y  -      20 lmtp
anvil     unix        -  -  y  -      1  anvil
scache    unix        -  -  y  -      1  scache
postlog   unix-dgram  n  -  n  -      1  postlogd
"""

_OPTIONS = {"relay": {"syslog_name": "postfix/relay"}, "rewrite": {"helpful_warnings": "no"}}
"""The options of these services."""

_SUBMISSION = {
    "smtpd_sasl_auth_enable": "yes",
    # Postfix answers 535 (wrong password) if Dovecot can't check a login, and clients then ask for another
    # password. So while the database does not answer, the greeting is a 451. The query does not depend on the
    # client.
    "smtpd_delay_reject": "no",
    "smtpd_client_restrictions": (
        "check_client_access"
        " pipemap:{static:x@$myhostname,%s:$config_directory/sql/own_senders.cf,static:DUNNO}"
    ),
    "smtpd_helo_restrictions": "",
    "smtpd_sender_restrictions": "",
    # the envelope sender must belong to the user; refused at RCPT, as clients expect
    "smtpd_relay_restrictions": "reject_sender_login_mismatch, permit_sasl_authenticated, reject",
    "smtpd_forbid_bare_newline_exclusions": "",
}
"""RFC 6409: for users only, each with their own senders."""


_SENDER_RELAY_OPTIONS = {
    "syslog_name": f"postfix/{SENDER_RELAY}",
    "smtp_sasl_auth_enable": "yes",
    "smtp_sender_dependent_authentication": "yes",
    "smtp_sasl_password_maps": "hash:/etc/postfix/sender_passwd",
    # the password goes out over TLS or not at all
    "smtp_tls_security_level": "encrypt",
    # no policy of the DNS: the administrator has named the host
    "smtp_tls_policy_maps": "hash:/etc/postfix/tls_policy",
    "smtp_sasl_security_options": "noanonymous,noplaintext",
    "smtp_sasl_tls_security_options": "noanonymous",
}

_USERS_HEADERS = "regexp:$config_directory/users_headers"


def _flag(column: str) -> bool | None:
    return None if column == "-" else column == "y"


@cache  # for many hosts, as the check of each service takes time
def _debian(sieve: bool) -> list[MasterService]:
    # X-Original-To, by which Sieve knows the original recipient (smtp(8))
    commands = {"lmtp": "lmtp flags=O"} if sieve else {}
    services = []
    for line in lines_of(_DEBIAN.strip()):
        name, kind, private, unpriv, chroot, wakeup, maxproc, command = line.split()
        services.append(
            MasterService(
                name=name,
                type=kind,  # type: ignore[arg-type]
                private=_flag(private),
                unpriv=_flag(unpriv),
                chroot=_flag(chroot),
                wakeup=None if wakeup == "-" else wakeup,
                maxproc=None if maxproc == "-" else int(maxproc),
                command=commands.get(name, command),
                options=_OPTIONS.get(name, {}),
            )
        )
    return services


def _service(
    name: str,
    kind: str,
    command: str,
    options: Mapping[str, str] | None = None,
    *,
    maxproc: int | None = None,
    public: bool = False,
) -> MasterService:
    """Return a service in the chroot."""
    return _checked(name, kind, command, tuple((options or {}).items()), maxproc, public)


@cache
def _checked(
    name: str,
    kind: str,
    command: str,
    options: tuple[tuple[str, str], ...],
    maxproc: int | None,
    public: bool,
) -> MasterService:
    return MasterService(
        name=name,
        type=kind,  # type: ignore[arg-type]
        private=False if public else None,
        chroot=True,
        maxproc=maxproc,
        command=command,
        options=dict(options),
    )


def _smtpd(name: str, options: Mapping[str, str] | None = None) -> MasterService:
    return _service(name, "inet", "smtpd", options, public=True)


def _for_strangers(settings: Settings) -> list[MasterService]:
    if not settings.mail_postscreen:
        return [_smtpd("smtp")]
    return [  # as in POSTSCREEN_README
        _service("smtp", "inet", "postscreen", maxproc=1, public=True),
        _service("smtpd", "pass", "smtpd"),
        _service("dnsblog", "unix", "dnsblog", maxproc=0),
        _service("tlsproxy", "unix", "tlsproxy", maxproc=0),
    ]


def _for_users(settings: Settings) -> list[MasterService]:
    options, cleanup = dict(_SUBMISSION), []
    options["smtpd_client_restrictions"] %= settings.map_type
    if settings.mail_hide_client_address:
        checks = f"{_USERS_HEADERS} {settings.mail_postfix_main.get('header_checks', '')}".rstrip()
        options["cleanup_service_name"] = "users-cleanup"
        # public, as cleanup itself, because smtpd expects it there
        cleanup = [
            _service("users-cleanup", "unix", "cleanup", {"header_checks": checks}, maxproc=0, public=True)
        ]
    submission = {"syslog_name": "postfix/submission", "smtpd_tls_security_level": "encrypt"}
    submissions = {"syslog_name": "postfix/submissions", "smtpd_tls_wrappermode": "yes"}
    return [
        _smtpd("submission", submission | options),
        _smtpd("submissions", submissions | options),
        *cleanup,
    ]


def _to_others(settings: Settings) -> list[MasterService]:
    """Return separate transports for relay hosts of senders.

    With the password in the default transport, Postfix would send it to any server that offers a login.
    """
    if SENDER_RELAY not in transports(settings):
        return []
    return [_service(SENDER_RELAY, "unix", "smtp", _SENDER_RELAY_OPTIONS)]


def default_services(settings: Settings, has_classes: bool = False) -> list[MasterService]:
    """Return the services of a mail server for strangers (25) and users (587, 465).

    + has_classes: whether the database says the restriction class of a recipient
    """
    ours = [*_for_strangers(settings), *_for_users(settings)]
    if has_classes:
        ours = [_without_second_look(service) for service in ours]
    return [*ours, *_to_others(settings), *_debian(settings.mail_sieve)]


def _without_second_look(service: MasterService) -> MasterService:
    """Return a service that does not look up recipients once more after ``smtpd_recipient_restrictions``.

    These have ``reject_unlisted_recipient`` for all recipients that the database does not know. It is not in
    main.cf, as services of others may have restrictions without it.
    """
    if service.command != "smtpd":
        return service
    return service.model_copy(
        update={"options": {**service.options, "smtpd_reject_unlisted_recipient": "no"}}
    )


def merge(services: Iterable[MasterService], more: Iterable[MasterService]) -> list[MasterService]:
    """Return ``services`` with ``more``, which replaces those of the same name and type."""
    merged = {(service.name, service.type): service for service in services}
    merged.update({(service.name, service.type): service for service in more})
    return list(merged.values())


_PORTS = {"smtp": "25", "smtps": "465", "submissions": "465", "submission": "587"}
"""The names in services(5) of Postfix's services."""


def ports(services: Iterable[MasterService], *, loopback: bool = True) -> tuple[str, ...]:
    """Return the TCP ports of ``services``, except those that only services(5) on the host has.

    + loopback: whether ports count that are for this host alone
    """
    listeners = [service.name for service in services if service.type == "inet"]
    names = (
        name.rpartition(":")[2]
        for name in listeners
        if loopback or not name.startswith(("127.", "[::1]:", "localhost:"))
    )
    return tuple(_PORTS.get(name, name) for name in names if name in _PORTS or name.isdigit())
