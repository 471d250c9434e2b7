"""The certificate on each port: its chain, its names, and the days that it is still valid."""

from __future__ import annotations

import shutil
import ssl
import time
from collections.abc import Callable
from typing import Any

from .lines import Session, any_certificate
from .results import Doubt, Problem
from .run import one_line, run

_EXPIRED, _SELF_SIGNED, _NAME = 10, (18,), (62, 63, 64)
DAYS = 7
"""A certificate that ends sooner is not renewed."""

Handshake = Callable[[ssl.SSLContext], ssl.SSLSocket]


def handshake(how: str, address: str, port: int, name: str) -> tuple[Session, Handshake]:
    """Return a connection, and the function that does its handshake."""
    session = Session(how or "smtp", address, port)
    if how:
        return session, lambda context: session.starttls(context, name)
    return session, lambda context: session.secure(context, name)


def certificate(how: str, address: str, port: int, name: str, *, own: bool = False) -> str:
    """Check the certificate on a port, and return what it is.

    + how: the protocol in which a client asks for TLS; empty if it begins with it
    + name: the name by which clients know the server
    + own: whether a certificate of the server's own is what was asked for
    """
    context = ssl.create_default_context()
    try:
        session, shake = handshake(how, address, port, name)
        with session:
            found = shake(context)
            return _valid(found.getpeercert() or {}, found.version() or "")
    except ssl.SSLCertVerificationError as error:
        end = _end(how, address, port, name)
        raise _problem(error, name, end, own=own) from None
    except ssl.SSLError as error:
        raise Problem(f"no TLS: {error.reason or error}", _LOOK) from None


_LOOK = "journalctl -u postfix -u dovecot -u nginx says what the server has against its certificate"
_RENEW = (
    "if /etc/ssl/mailstack/cert.pem is newer, systemctl reload postfix dovecot; with mail_acme, journalctl -u"
    " mailstack-certificates says why it was not renewed; else give a new mail_tls_certificate, and deploy"
)


def _valid(found: dict[str, Any], version: str) -> str:
    seconds = ssl.cert_time_to_seconds(found["notAfter"]) - time.time()
    issuer = {key: value for part in found.get("issuer", ()) for key, value in part}
    days = int(seconds // 86400)
    of = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed CA"
    text = f"{version}, of {of}, {days} days left"
    if days < DAYS:
        raise Problem(text, _RENEW)
    return text


def _problem(error: ssl.SSLCertVerificationError, name: str, end: float | None, *, own: bool) -> Problem:
    number, why = error.verify_code, error.verify_message
    days = "" if end is None else f", {int((end - time.time()) // 86400)} days left"
    if number == _EXPIRED or (end is not None and end < time.time()):
        return Problem(f"the certificate has expired{days}", _RENEW)
    if number in _NAME:
        return Problem(
            f"the certificate is not for {name}{days}",
            f"it must have {name}, which is mail_hostname: ask for another one, or change mail_hostname",
        )
    if number in _SELF_SIGNED and own:
        return Doubt(
            f"self-signed, as no setting gives another{days}",
            "mail programs will warn of it: set mail_acme = True, or mail_tls_certificate and mail_tls_key",
        )
    if number in _SELF_SIGNED:
        return Problem(
            f"self-signed{days}",
            "the certificate that the settings ask for is not there yet:"
            " journalctl -u mailstack-certificates, and mailstack.dns.check, say why",
        )
    return Problem(
        f"{one_line(why)}{days}",
        "mail_tls_certificate must have the certificates of the CA between it and the root, too",
    )


def _end(how: str, address: str, port: int, name: str) -> float | None:
    """Return when a certificate ends that could not be verified; ``None`` without openssl(1)."""
    if not shutil.which("openssl"):
        return None
    session, shake = handshake(how, address, port, name)
    with session:
        encoded = shake(any_certificate()).getpeercert(binary_form=True)
    if not encoded:
        return None
    pem = ssl.DER_cert_to_PEM_cert(encoded)
    _, said, _ = run(["openssl", "x509", "-noout", "-enddate"], data=pem)
    return float(ssl.cert_time_to_seconds(said.strip().partition("=")[2])) if "=" in said else None
