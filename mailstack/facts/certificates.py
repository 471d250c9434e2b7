"""Whether the certificate on a host still serves."""

from __future__ import annotations

import shlex

from mailstack.facts.reading import Probe

_RENEW_BEFORE = 30 * 24 * 3600  # seconds


def serves(hostname: str, certificate: str, key: str) -> Probe[bool]:
    """Whether the certificate is for this host name, good for 30 days more, and belongs to the key."""
    name, crt, pem = map(shlex.quote, (hostname, certificate, key))
    return Probe(
        name="certificate",
        command=(
            f"openssl x509 -in {crt} -noout -checkend {_RENEW_BEFORE} >/dev/null && "
            f"openssl x509 -in {crt} -noout -checkhost {name} | grep -q 'does match' && "
            f'[ "$(openssl x509 -in {crt} -noout -pubkey)" = "$(openssl pkey -in {pem} -pubout)" ] && '
            "echo yes; true"
        ),
        parse=lambda output: output.strip() == "yes",
    )
