"""The address of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Endpoint(NamedTuple):
    """The address of a server: a host name, an IP address, or a socket in the engine's notation.

    + sslmode: libpq's ``sslmode``, if it is known
    + sslrootcert: the path of the certificates that libpq trusts, if not Debian's
    """

    host: str
    port: int = 5432
    sslmode: str | None = None
    sslrootcert: str | None = None

    @property
    def is_socket(self) -> bool:
        """Whether this is a Unix-domain socket."""
        return self.host.startswith("/")

    @property
    def is_local(self) -> bool:
        """Whether connections to it stay on the host."""
        return self.is_socket or self.host in ("127.0.0.1", "::1", "localhost")


class Waits(NamedTuple):
    """How long a client waits for a server.

    + connect: seconds until a connection is made; libpq knows no less than two
    + answer: milliseconds for what was sent, by the kernel; a host that was switched off ends no connection
    """

    connect: int
    answer: int


def waits(endpoints: Sequence[Endpoint]) -> Waits:
    """Return how long a client waits for each of these servers: shorter if it has another one to ask.

    A recipient takes several lookups, each on a connection of its own.
    """
    return Waits(5, 3000) if len(endpoints) == 1 else Waits(2, 1000)
