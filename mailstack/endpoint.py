"""The address of a server."""

from __future__ import annotations

from typing import NamedTuple


class Endpoint(NamedTuple):
    """The address of a server: a host name, an IP address, or a socket in the engine's notation.

    + sslmode: libpq's ``sslmode``, if the settings have it
    """

    host: str
    port: int = 5432
    sslmode: str | None = None

    @property
    def is_socket(self) -> bool:
        """Whether this is a Unix-domain socket."""
        return self.host.startswith("/")

    @property
    def is_local(self) -> bool:
        """Whether connections to it stay on the host."""
        return self.is_socket or self.host in ("127.0.0.1", "::1", "localhost")
