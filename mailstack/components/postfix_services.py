"""The services of ``master.cf``: Debian's own, with a login on 587 and 465."""

from __future__ import annotations

from collections.abc import Iterable

from mailstack.settings.postfix_master import MasterService

# name, type, private, unpriv, chroot, wakeup, maxproc, command; as Debian 12 and 13 both have them
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
proxymap  unix        -  -  n  -      -  proxymap
proxywrite unix       -  -  n  -      1  proxymap
smtp      unix        -  -  y  -      -  smtp
relay     unix        -  -  y  -      -  smtp
showq     unix        n  -  y  -      -  showq
error     unix        -  -  y  -      -  error
retry     unix        -  -  y  -      -  error
discard   unix        -  -  y  -      -  discard
local     unix        -  n  n  -      -  local
virtual   unix        -  n  n  -      -  virtual
lmtp      unix        -  -  y  -      -  lmtp
anvil     unix        -  -  y  -      1  anvil
scache    unix        -  -  y  -      1  scache
postlog   unix-dgram  n  -  n  -      1  postlogd
"""

_SUBMISSION = {
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_client_restrictions": "permit_sasl_authenticated, reject",
    "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    # the envelope sender belongs to whoever logged in
    "smtpd_sender_restrictions": "reject_sender_login_mismatch",
    "smtpd_forbid_bare_newline_exclusions": "",
}
"""RFC 6409: for users only, and each in the user's own name."""


def _flag(column: str) -> bool | None:
    return None if column == "-" else column == "y"


def _debian() -> list[MasterService]:
    services = []
    for line in _DEBIAN.strip().splitlines():
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
                command=command,
                options={"syslog_name": "postfix/relay"} if name == "relay" else {},
            )
        )
    return services


def _smtpd(name: str, **options: str) -> MasterService:
    return MasterService(name=name, type="inet", private=False, chroot=True, command="smtpd", options=options)


def default_services() -> list[MasterService]:
    """The services of a mail server for strangers (25) and users (587, 465)."""
    return [
        _smtpd("smtp"),
        _smtpd(
            "submission",
            syslog_name="postfix/submission",
            smtpd_tls_security_level="encrypt",
            **_SUBMISSION,
        ),
        _smtpd("submissions", syslog_name="postfix/submissions", smtpd_tls_wrappermode="yes", **_SUBMISSION),
        *_debian(),
    ]


def merge(services: Iterable[MasterService], more: Iterable[MasterService]) -> list[MasterService]:
    """``services`` with ``more``: one of the same name and type takes the other's place."""
    merged = {(service.name, service.type): service for service in services}
    merged.update({(service.name, service.type): service for service in more})
    return list(merged.values())
