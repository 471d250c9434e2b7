"""The certificate and key that Postfix and Dovecot show to clients."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mailstack import secrets
from mailstack.components.component import component
from mailstack.files import Directory, Entry, File, Kept
from mailstack.operations.certificates import self_signed
from mailstack.operations.config_files import config_files
from mailstack.operations.packages import installed
from mailstack.run import current_host

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.settings import Settings

PACKAGES = ("openssl", "ca-certificates")
DIRECTORY = "/etc/ssl/mailstack"
CERTIFICATE = f"{DIRECTORY}/cert.pem"
KEY = f"{DIRECTORY}/key.pem"
WEAK_CIPHERS = ("aNULL", "kRSA", "PSK", "3DES", "SEED", "CAMELLIA", "ARIA", "AESCCM8")
"""No authentication, no forward secrecy, or long out of use, though ``HIGH`` to OpenSSL (ciphers(1))."""
OLD_CIPHERS = ("kDHE", "SHA1", "SHA256", "SHA384")
"""Forward secrecy, but Diffie-Hellman over a finite field, or CBC: RFC 9325 (4.1, 4.2) advises against both.
``SHA1`` and so on are the MACs that go with CBC. Without these, AEAD with ECDHE is all that is left."""
EXCLUDED_CIPHERS = (*WEAK_CIPHERS, *OLD_CIPHERS)
_UNITS = ("dovecot", "postfix")
_deployed: WeakKeyDictionary[Host, Settings] = WeakKeyDictionary()
"""With what the operations of this run were called, by host."""


def files(settings: Settings) -> list[Entry]:
    """The certificate chain and key, if they were given; both daemons read them as root."""
    if settings.tls_certificate_pem is None:
        return [Directory(DIRECTORY), Kept(KEY, mode=0o600), Kept(CERTIFICATE)]
    key = File(KEY, secrets.placeholder("tls-key"), mode=0o600)
    return [Directory(DIRECTORY), key, File(CERTIFICATE, settings.tls_certificate_pem)]


@component("TLS")
def deploy(settings: Settings) -> None:
    """Put the given certificate and key on the host, or make a self-signed pair once and keep it.

    Each component that needs them calls this; once in a run is enough.
    """
    if _deployed.get(current_host()) == settings:
        return
    _deployed[current_host()] = settings
    installed(lambda _: PACKAGES)
    key = settings.tls_key_pem
    store = secrets.Store({} if key is None else {"tls-key": key})
    config_files(lambda _: files(settings), component="tls", units=_UNITS, store=store)
    if settings.tls_certificate_pem is None:
        self_signed(settings.mail_hostname, certificate=CERTIFICATE, key=KEY, units=_UNITS)
