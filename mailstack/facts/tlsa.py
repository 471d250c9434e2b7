"""The keys of a host's certificate, as DANE publishes them: that in use, and that to come."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailstack.facts.fact import Fact, Value
from mailstack.text import lines_of

DIRECTORY = "/etc/ssl/mailstack"
"""The directory of the certificates that Postfix, Dovecot and the web server use, and of their keys."""

_CERTIFICATES = {"current": "cert.pem", "current-rsa": "rsa-cert.pem"}
_KEYS = {"next": "next.pem", "next-rsa": "rsa-next.pem"}
_NOTHING = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class TlsaKey(Value):
    """A public key.

    + data: the data of its TLSA record (RFC 6698): this key alone, by its SHA-256
    + since: the time at which its file was written
    """

    data: str
    since: datetime


class TlsaRecords(Fact[dict[str, TlsaKey]]):
    """Return the public keys of the host's certificates: ``dict[str, TlsaKey]``.

    They are ``current`` and ``next``; with a certificate for RSA beside it ``current-rsa`` and ``next-rsa``
    too. A record of each belongs into the DNS, also of the next, before ``mailstack.certificates.roll``.
    """

    default = dict

    def command(self) -> str:
        """Read the certificates and keys."""
        return self.asking([DIRECTORY])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        public = {
            **{name: (file, "x509 -noout -pubkey") for name, file in _CERTIFICATES.items()},
            **{name: (file, "pkey -pubout") for name, file in _KEYS.items()},
        }
        return f"cd {about[0]} || exit\n" + "\n".join(
            f"[ ! -s {file} ] || printf '{name} %s %s %s\\n' $(stat -c %Y {file}) "
            f"$(openssl {read} -in {file} | openssl pkey -pubin -outform DER | sha256sum)"
            for name, (file, read) in public.items()
        )

    def parse(self, output: str) -> dict[str, TlsaKey]:
        """See ``Question.parse``."""
        found = {}
        for name, since, digest, *_ in (line.split() for line in lines_of(output)):
            if digest != _NOTHING and name in {**_CERTIFICATES, **_KEYS}:
                found[name] = TlsaKey(f"3 1 1 {digest}", datetime.fromtimestamp(int(since), UTC))
        return found
