"""Whether the certificate on a host still serves."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from ssl import cert_time_to_seconds
from typing import NamedTuple

from mailstack.facts.reading import Probe

_RENEW_BEFORE = 30 * 24 * 3600  # seconds


class _Pair(NamedTuple):
    """For which host name a certificate should be, and where it and its key lie."""

    hostname: str
    certificate: str
    key: str


def serves(hostname: str, certificate: str, key: str) -> Probe[bool]:
    """Whether the certificate is for this host name, good for 30 days more, and belongs to the key."""
    return Probe(_look_at, (_Pair(hostname, certificate, key),), lambda output: _serves(output, certificate))


def _look_at(pairs: Sequence[_Pair]) -> str:
    commands = []
    for hostname, certificate, key in (map(shlex.quote, pair) for pair in pairs):
        look = f"openssl x509 -in {certificate} -noout -enddate -checkhost {hostname} -pubkey"
        commands.append(f"printf '\\f%s\\n' {certificate}; {look}; openssl pkey -in {key} -pubout")
    return "; ".join(commands)


def _serves(output: str, certificate: str) -> bool:
    said = output.partition(f"\f{certificate}\n")[2].partition("\f")[0]
    public_keys = re.findall(r"^-----BEGIN PUBLIC KEY-----$.*?^-----END PUBLIC KEY-----$", said, re.M | re.S)
    end = re.search(r"^notAfter=(.*)$", said, re.M)
    return (
        " does match certificate" in said
        and len(public_keys) == 2
        and public_keys[0] == public_keys[1]
        and end is not None
        and cert_time_to_seconds(end[1]) > time.time() + _RENEW_BEFORE
    )
