"""The settings of TLS: the administrator's certificate and key, or none."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import Model, Secret

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


ON_HOST = "host:"
"""What a path begins with that is one on the mail host, and not on the machine that runs pyinfra."""


OWN = "/etc/ssl/mailstack"
"""Where the services read the certificate and its key."""


def _pem(text: str) -> str:
    """Return PEM text, which may be given as the path of a file on the machine that runs pyinfra.

    A path on the mail host is returned as it is.
    """
    if text.startswith(ON_HOST):
        if not re.fullmatch(r"(/[A-Za-z0-9._@+=,-]+)+", text.removeprefix(ON_HOST)) or "/.." in text:
            raise ValueError("after `host:`, not an absolute path without `..`, spaces or `%`")
        if text.removeprefix(ON_HOST).startswith(f"{OWN}/"):
            raise ValueError(f"{OWN} has mailstack's own copies, which nothing else renews")
        return text
    if "-----BEGIN " not in text:
        if "\n" in text:
            raise ValueError("neither PEM text nor the path of a file")
        try:
            text = Path(text).expanduser().read_text("ascii")
        except (OSError, ValueError):  # UnicodeDecodeError is a ValueError
            raise ValueError("no readable PEM file at that path on this machine") from None
    if "-----BEGIN " not in text:
        raise ValueError("that file is not PEM")
    return text.strip() + "\n"


def _certificate(value: str) -> str:
    text = _pem(value)
    if text.startswith(ON_HOST):
        return text
    if "PRIVATE KEY-----" in text:
        raise ValueError("contains a private key, which belongs into mail_tls_key: this file is public")
    _load_certificate(text)
    return text


def _key(value: SecretStr) -> SecretStr:
    return SecretStr(_pem(value.get_secret_value()))


class TlsSettings(Model):
    """TLS."""

    mail_tls_certificate: (
        Annotated[
            str,
            AfterValidator(_certificate),
            Allowed(
                "PEM text, the path of a PEM file on the machine that runs pyinfra, or `host:` and the path "
                "of one on the mail host"
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="The server's certificate, followed by the intermediate ones. "
        "Without it, and without `mail_acme`, a self-signed certificate is created once and kept. With a "
        "path on the mail host, such as `host:/etc/letsencrypt/live/mail.example.org/fullchain.pem`, each "
        "new version of the file is used at once.",
    )
    mail_tls_key: (
        Annotated[
            Secret,
            AfterValidator(_key),
            Allowed("PEM text without a passphrase, or the path of such a file, also with `host:`"),
        ]
        | None
    ) = Field(default=None, description="The private key of `mail_tls_certificate`.")
    mail_tls_min_protocol: Literal["TLSv1.2", "TLSv1.3"] = Field(
        default="TLSv1.2", description="The oldest protocol that Postfix and Dovecot speak."
    )

    mail_tls_old_ciphers: bool = Field(
        default=False,
        description="Whether port 25 also accepts cipher suites of TLS 1.2 that RFC 9325 advises against: "
        "CBC, and Diffie-Hellman over a finite field. On that port a client without a common suite may "
        "send without TLS. Other ports never accept them. Postfix then also takes signatures with SHA-1.",
    )

    @property
    def tls_certificate_pem(self) -> str | None:
        """The certificate chain as PEM text, if given."""
        return None if self.tls_on_host else self.mail_tls_certificate

    @property
    def tls_key_pem(self) -> str | None:
        """The private key as PEM text, if given. A secret."""
        given = "" if self.mail_tls_key is None else self.mail_tls_key.get_secret_value()
        return None if not given or given.startswith(ON_HOST) else given

    @property
    def tls_on_host(self) -> tuple[str, str] | None:
        """The paths of the certificate and its key on the mail host, if they are there."""
        certificate, key = self.mail_tls_certificate, self.mail_tls_key
        if certificate is None or key is None or not certificate.startswith(ON_HOST):
            return None
        return certificate.removeprefix(ON_HOST), key.get_secret_value().removeprefix(ON_HOST)

    @model_validator(mode="after")
    def _key_of_certificate(self) -> Self:
        if (self.mail_tls_certificate is None) != (self.mail_tls_key is None):
            raise ValueError("mail_tls_certificate and mail_tls_key: give both or neither")
        if (self.tls_certificate_pem is None) != (self.tls_key_pem is None):
            raise ValueError("mail_tls_certificate and mail_tls_key: both on the mail host, or neither")
        if self.tls_certificate_pem is not None and self.tls_key_pem is not None:
            _check_pair(self.tls_certificate_pem, self.tls_key_pem)
        return self


def check_certificate(pem: str, hostname: str, now: datetime.datetime) -> None:
    """Raise ``ValueError`` unless clients that connect to ``hostname`` accept the certificate at ``now``.

    The name must be among the subject alternative names (RFC 6125 6.4; no client looks at the CN any more).
    """
    from cryptography import x509

    certificate = _load_certificate(pem)
    if now > certificate.not_valid_after_utc:
        raise ValueError(f"mail_tls_certificate: expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if now < certificate.not_valid_before_utc:
        raise ValueError(
            f"mail_tls_certificate: not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
        )
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        names = []
    wildcard = "*." + hostname.partition(".")[2]
    if hostname not in names and wildcard not in names:
        has = ", ".join(names) or "no name at all"
        raise ValueError(f"mail_tls_certificate: does not cover mail_hostname {hostname!r}; it has {has}")


def _load_certificate(pem: str) -> Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError:
        raise ValueError("not a certificate in PEM form") from None


def _check_pair(certificate_pem: str, key_pem: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(key_pem.encode(), password=None)
    except TypeError:
        raise ValueError("mail_tls_key: has a passphrase, which a daemon can't type") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("mail_tls_key: not a private key in PEM form") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    of_certificate = _load_certificate(certificate_pem).public_key()
    if key.public_key().public_bytes(*form) != of_certificate.public_bytes(*form):
        raise ValueError("mail_tls_key: not the key of mail_tls_certificate")
