"""The certificate and key of Postfix and Dovecot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack import secrets
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import State
from mailstack.files import Directory, Entry, File, Kept
from mailstack.operations.certificates import SelfSigned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.operations.created import Created

DIRECTORY = "/etc/ssl/mailstack"
CERTIFICATE = f"{DIRECTORY}/cert.pem"
KEY = f"{DIRECTORY}/key.pem"
WEAK_CIPHERS = ("aNULL", "kRSA", "PSK", "3DES", "SEED", "CAMELLIA", "ARIA", "AESCCM8")
"""Suites in OpenSSL's ``HIGH`` without authentication or forward secrecy, or obsolete (ciphers(1))."""
OLD_CIPHERS = ("kDHE", "SHA1", "SHA256", "SHA384")
"""Suites with forward secrecy, but Diffie-Hellman over a finite field, or CBC: RFC 9325 (4.1, 4.2) advises
against both. ``SHA1`` and others are the MACs of CBC. Without these, only AEAD with ECDHE remains."""
EXCLUDED_CIPHERS = (*WEAK_CIPHERS, *OLD_CIPHERS)


class Tls(Component):
    """Install the given certificate and key, or create a self-signed pair once and keep it.

    Each component that needs them requires this one.
    """

    name = "tls"
    title = "TLS"
    reloads = ("dovecot", "postfix")

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("openssl", "ca-certificates")

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``."""
        if site.settings.tls_certificate_pem is not None:
            return ()
        return [SelfSigned(site.settings.mail_hostname, CERTIFICATE, KEY, self.reloads)]

    def secrets(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        key = site.settings.tls_key_pem
        return {} if key is None else {"tls-key": key}

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``: both daemons read them as root."""
        certificate = site.settings.tls_certificate_pem
        if certificate is None:
            return [Directory(DIRECTORY), Kept(KEY, mode=0o600), Kept(CERTIFICATE)]
        key = File(KEY, secrets.placeholder("tls-key"), mode=0o600)
        return [Directory(DIRECTORY), key, File(CERTIFICATE, certificate)]

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``."""
        return [State(DIRECTORY, "secrets")]


TLS = Tls()
deploy = deployed(TLS)
