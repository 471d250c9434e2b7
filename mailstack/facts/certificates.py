"""Whether the certificate on a host still serves."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ssl import cert_time_to_seconds
from typing import NamedTuple

from mailstack.facts.fact import Fact, Value

_RENEW_BEFORE = timedelta(days=30)


class _Pair(NamedTuple):
    """For which host name a certificate should be, and where it and its key lie."""

    hostname: str
    certificate: str
    key: str


@dataclass(frozen=True)
class CertificateState(Value):
    """What is known of a certificate; where there is none, nothing matches.

    + matches_hostname: it is for this host name
    + matches_key: it belongs to the key
    + expires: its last moment
    """

    matches_hostname: bool = False
    matches_key: bool = False
    expires: datetime | None = None

    def serves(self) -> bool:
        """Return whether it is for this host name, belongs to the key, and is good for 30 days more."""
        lasts = self.expires is not None and self.expires > datetime.now(UTC) + _RENEW_BEFORE
        return self.matches_hostname and self.matches_key and lasts


class Certificate(Fact[CertificateState]):
    """Return whom a certificate is for, and how long: ``CertificateState``.

    + hostname: the DNS name that it should be for
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
            look = f"openssl x509 -in {certificate} -noout -enddate -checkhost {hostname} -pubkey"
            commands.append(
                f"printf '\\f%s %s\\n' {hostname} {certificate}; {look}; openssl pkey -in {key} -pubout"
            )
        return "; ".join(commands)

    def parse(self, output: str) -> CertificateState:
        """See ``Question.parse``."""
        (pair,) = self.about
        said = output.partition(f"\f{pair.hostname} {pair.certificate}\n")[2].partition("\f")[0]
        keys = re.findall(r"^-----BEGIN PUBLIC KEY-----$.*?^-----END PUBLIC KEY-----$", said, re.M | re.S)
        end = re.search(r"^notAfter=(.*)$", said, re.M)
        return CertificateState(
            matches_hostname=" does match certificate" in said,
            matches_key=len(keys) == 2 and keys[0] == keys[1],
            expires=datetime.fromtimestamp(cert_time_to_seconds(end[1]), UTC) if end else None,
        )
