"""The certificate on each port: its chain, its names, and the days that it is still valid."""

from __future__ import annotations

import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .lines import Session, any_certificate
from .results import Doubt, Problem
from .run import one_line, run

_EXPIRED, _SELF_SIGNED, _OWN_ROOT, _NAME = 10, 18, 19, (62, 63, 64)
DAYS = 7
"""A certificate that ends sooner is not renewed."""

_GIVEN = "mail_tls_certificate"


class Wanted(NamedTuple):
    """The certificate that the settings ask for.

    + source: ``own`` if no setting gives one, ``ca`` with ``mail_acme``, ``given`` with
      ``mail_tls_certificate``; empty if it is not known, as from outside
    + pem: that of ``mail_tls_certificate``
    + path: the file on this host that it names
    """

    source: str = ""
    pem: str = ""
    path: str = ""

    def is_it(self, encoded: bytes) -> bool:
        """Return whether a certificate is that of ``mail_tls_certificate``."""
        try:
            text = self.pem or Path(self.path).read_text("ascii", "replace")
            return _der(text) == encoded
        except (OSError, ValueError):
            return False


UNKNOWN = Wanted()


def _der(chain: str) -> bytes:
    """Return the first certificate of a chain."""
    end = "-----END CERTIFICATE-----"
    begin = "-----BEGIN CERTIFICATE-----"
    body = chain.partition(begin)[2].partition(end)[0]
    return ssl.PEM_cert_to_DER_cert(f"{begin}{body}{end}\n")


Handshake = Callable[[ssl.SSLContext], ssl.SSLSocket]


def handshake(how: str, address: str, port: int, name: str) -> tuple[Session, Handshake]:
    """Return a connection, and the function that does its handshake."""
    session = Session(how or "smtp", address, port)
    if how:
        return session, lambda context: session.starttls(context, name)
    return session, lambda context: session.secure(context, name)


def certificate(how: str, address: str, port: int, name: str, wanted: Wanted = UNKNOWN) -> str:
    """Check the certificate on a port, and return what it is.

    + how: the protocol in which a client asks for TLS; empty if it begins with it
    + name: the name by which clients know the server
    + wanted: the certificate that the settings ask for
    """
    context = ssl.create_default_context()
    try:
        session, shake = handshake(how, address, port, name)
        with session:
            found = shake(context)
            return _valid(found.getpeercert() or {}, found.version() or "")
    except ssl.SSLCertVerificationError as error:
        raise _problem(error, name, _shown(how, address, port, name), wanted) from None
    except ssl.SSLError as error:
        raise Problem(f"no TLS: {error.reason or error}", _LOOK) from None


_LOOK = "journalctl -u postfix -u dovecot -u nginx says what the server has against its certificate"
_RENEW = (
    "if /etc/ssl/mailstack/cert.pem is newer, systemctl reload postfix dovecot; with mail_acme, journalctl -u"
    " mailstack-certificates says why it was not renewed; else give a new mail_tls_certificate, and deploy"
)
_KNOWN = "put its root into /usr/local/share/ca-certificates/NAME.crt on the host, and update-ca-certificates"


def _valid(found: dict[str, Any], version: str) -> str:
    seconds = ssl.cert_time_to_seconds(found["notAfter"]) - time.time()
    issuer = {key: value for part in found.get("issuer", ()) for key, value in part}
    days = int(seconds // 86400)
    of = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed CA"
    text = f"{version}, of {of}, {days} days left"
    if days < DAYS:
        raise Problem(text, _RENEW)
    return text


class _Shown(NamedTuple):
    """What openssl(1) says of a certificate that could not be verified.

    + end: when it ends; ``None`` without openssl(1)
    + issuer: the CA that has signed it
    + fits: whether it is for the name of the server
    + encoded: the certificate itself
    """

    end: float | None = None
    issuer: str = "an unknown CA"
    fits: bool = True
    encoded: bytes = b""


def _problem(error: ssl.SSLCertVerificationError, name: str, shown: _Shown, wanted: Wanted) -> Problem:
    number, why = error.verify_code, error.verify_message
    left = None if shown.end is None else shown.end - time.time()
    days = "" if left is None else f", {int(left // 86400)} days left"
    if number == _EXPIRED or (left is not None and left < 0):
        return Problem(f"the certificate has expired{days}", _RENEW)
    if number in _NAME or not shown.fits:
        return Problem(
            f"the certificate is not for {name}{days}",
            f"it must have {name}, which is mail_hostname: ask for another one, or change mail_hostname",
        )
    if number == _SELF_SIGNED and (missing := _missing(shown, wanted, days)):
        return missing
    if left is not None and left < DAYS * 86400:
        return Problem(f"of {shown.issuer}{days}", _RENEW)
    if number == _SELF_SIGNED:
        reasons = {"own": ", as no setting gives another", "given": f", as that in {_GIVEN} is"}
        return Doubt(
            f"self-signed{reasons.get(wanted.source, '')}{days}",
            "mail programs will warn of it: mail_acme = True gets one of a CA, or give one of a CA",
        )
    if number == _OWN_ROOT:
        return Doubt(
            f"of {shown.issuer}, whose root is none of the CAs that are known here{days}",
            f"mail programs and other servers must know that root, or they warn of it; {_KNOWN}",
        )
    return Problem(
        f"of {shown.issuer}, {one_line(why)}{days}",
        "mail_tls_certificate must have the certificates of the CA between it and the root, too; if the CA is"
        f" your own: {_KNOWN}",
    )


def _missing(shown: _Shown, wanted: Wanted, days: str) -> Problem | None:
    """Return the problem of a self-signed certificate in the place of another one."""
    if wanted.source == "ca":
        return Problem(
            f"self-signed{days}",
            "the certificate of the CA is not there yet: journalctl -u mailstack-certificates, and"
            " mailstack.dns.check, say why",
        )
    if wanted.source == "given" and not wanted.is_it(shown.encoded):
        use = "pyinfra INVENTORY deploy.py"
        if wanted.path:
            use = f"journalctl -u mailstack-certificate says why {wanted.path} was not taken; {use}"
        return Problem(f"self-signed, and another than that in {_GIVEN}{days}", f"{use} puts that there")
    return None


def _shown(how: str, address: str, port: int, name: str) -> _Shown:
    session, shake = handshake(how, address, port, name)
    with session:
        encoded = shake(any_certificate()).getpeercert(binary_form=True)
    if not encoded or not shutil.which("openssl"):
        return _Shown(encoded=encoded or b"")
    pem = ssl.DER_cert_to_PEM_cert(encoded)
    show = ["openssl", "x509", "-noout", "-enddate", "-issuer", "-nameopt", "RFC2253", "-checkhost", name]
    _, said, _ = run(show, data=pem)
    lines = said.split("\n")
    found = {key: value for key, _, value in (line.partition("=") for line in lines)}
    end = float(ssl.cert_time_to_seconds(found["notAfter"])) if "notAfter" in found else None
    return _Shown(end, found.get("issuer", "an unknown CA"), "does NOT match" not in said, encoded)
