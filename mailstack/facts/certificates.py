"""The state of the certificate on a host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ssl import cert_time_to_seconds
from typing import NamedTuple

from mailstack.facts.fact import Fact, Value

_SHOWN = "-enddate -subject -issuer -pubkey"
_RENEW_BEFORE = timedelta(days=30)


class _Pair(NamedTuple):
    """The expected host name of a certificate, and the paths of the certificate and its key."""

    hostname: str
    certificate: str
    key: str


@dataclass(frozen=True)
class CertificateState(Value):
    """The state of a certificate; without a certificate, nothing matches.

    + matches_hostname: whether it is for this host name
    + matches_key: whether it belongs to the key
    + expires: the end of its validity
    + self_signed: whether it has no other issuer
    """

    matches_hostname: bool = False
    matches_key: bool = False
    expires: datetime | None = None
    self_signed: bool = False

    def serves(self) -> bool:
        """Return whether it is for this host name, belongs to the key, and is valid for 30 more days."""
        return self._matches_until(datetime.now(UTC) + _RENEW_BEFORE)

    def is_of_ca(self) -> bool:
        """Return whether it is for this host name, belongs to the key, and is a valid one of a CA."""
        return not self.self_signed and self._matches_until(datetime.now(UTC))

    def _matches_until(self, moment: datetime) -> bool:
        lasts = self.expires is not None and self.expires > moment
        return self.matches_hostname and self.matches_key and lasts


class Certificate(Fact[CertificateState]):
    """Return the names and the validity of a certificate: ``CertificateState``.

    + hostname: the expected DNS name
    + certificate, key: paths on the host
    """

    default = CertificateState

    def command(self, hostname: str, certificate: str, key: str) -> str:
        """Ask openssl for this pair."""
        return self.asking([_Pair(hostname, certificate, key)])

    @staticmethod
    def ask(about: Sequence[_Pair]) -> str:
        """See ``Question.ask``."""
        commands = []
        for hostname, certificate, key in (map(shlex.quote, pair) for pair in about):
            commands += [
                f"printf '\\f%s %s\\n' {hostname} {certificate}",
                f"openssl x509 -in {certificate} -noout {_SHOWN} -checkhost {hostname}",
                f"openssl pkey -in {key} -pubout",
            ]
        return "; ".join(commands)

    def parse(self, output: str) -> CertificateState:
        """See ``Question.parse``."""
        (pair,) = self.about
        text = output.partition(f"\f{pair.hostname} {pair.certificate}\n")[2].partition("\f")[0]
        keys = re.findall(r"^-----BEGIN PUBLIC KEY-----$.*?^-----END PUBLIC KEY-----$", text, re.M | re.S)
        end = re.search(r"^notAfter=(.*)$", text, re.M)
        names = dict(re.findall(r"^(subject|issuer)=(.*)$", text, re.M))
        return CertificateState(
            matches_hostname=" does match certificate" in text,
            matches_key=len(keys) == 2 and keys[0] == keys[1],
            self_signed="issuer" in names and names["issuer"] == names.get("subject"),
            expires=datetime.fromtimestamp(cert_time_to_seconds(end[1]), UTC) if end else None,
        )
