"""Certificates that are made on the host; the key never leaves it."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.context import host

from mailstack.facts.certificates import Certificate
from mailstack.facts.reading import announce, read
from mailstack.operation import operation
from mailstack.operations.units import mark
from mailstack.shell import script, shell


def self_signed(hostname: str, *, certificate: str, key: str, units: Sequence[str]) -> None:
    """Make a self-signed certificate, valid for ten years, unless there is one that still serves.

    + hostname: the DNS name it is for
    + certificate, key: paths on the host
    + units: the services that must reload a new one
    """
    announce(Certificate.of(hostname, certificate, key))
    _self_signed(
        hostname=hostname,
        certificate=certificate,
        key=key,
        units=tuple(units),
        name="Make a self-signed certificate",
    )


@operation
def _self_signed(hostname: str, certificate: str, key: str, units: Sequence[str]) -> Generator[StringCommand]:
    if read(Certificate.of(hostname, certificate, key)).serves():
        host.noop(f"the certificate serves {hostname}")
        return
    host.log(f"make a certificate for {hostname}")
    marks = [mark(unit, "reload") for unit in units]
    yield shell(script("self_signed", hostname, certificate, key, *marks))
