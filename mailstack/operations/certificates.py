"""Certificates that are made on the host; the key never leaves it."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.context import host

from mailstack.facts.certificates import serves
from mailstack.facts.reading import announce, read
from mailstack.operation import operation
from mailstack.operations.units import mark
from mailstack.shell import shell

# Python 3.13 and others accept a certificate as its own authority only with keyUsage
_MAKE = """
set -eu; umask 077
mkdir -p {pending}
new=$(mktemp -d /var/lib/mailstack/certificate.XXXXXX); trap 'rm -rf "$new"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -sha256 -days 3650 \\
  -subj {subject} -addext {names} -addext basicConstraints=critical,CA:TRUE,pathlen:0 \\
  -addext keyUsage=critical,digitalSignature,keyCertSign -addext extendedKeyUsage=serverAuth \\
  -keyout "$new/key" -out "$new/cert" 2>/dev/null
chmod 644 "$new/cert"
: > {marks}
mv -fT "$new/key" {key}; mv -fT "$new/cert" {certificate}
"""


def self_signed(hostname: str, *, certificate: str, key: str, units: Sequence[str]) -> None:
    """Make a self-signed certificate, valid for ten years, unless there is one that still serves.

    + hostname: the DNS name it is for
    + certificate, key: paths on the host
    + units: the services that must reload a new one
    """
    announce(serves(hostname, certificate, key))
    _self_signed(
        hostname=hostname,
        certificate=certificate,
        key=key,
        units=tuple(units),
        name="Make a self-signed certificate",
    )


@operation
def _self_signed(hostname: str, certificate: str, key: str, units: Sequence[str]) -> Generator[StringCommand]:
    if read(serves(hostname, certificate, key)):
        host.noop(f"the certificate serves {hostname}")
        return
    host.log(f"make a certificate for {hostname}")
    marks = [mark(unit, "reload") for unit in units]
    yield shell(
        _MAKE.format(
            subject=shlex.quote(f"/CN={hostname}"),
            names=shlex.quote(f"subjectAltName=DNS:{hostname}"),
            pending=shlex.quote(marks[0].rpartition("/")[0]),
            marks=" > ".join(map(shlex.quote, marks)),
            key=shlex.quote(key),
            certificate=shlex.quote(certificate),
        )
    )
