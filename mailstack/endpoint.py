"""Where a server listens."""

from __future__ import annotations

from typing import NamedTuple


class Endpoint(NamedTuple):
    """Where a server listens: a name, an address, or its socket, as its kind has that said.

    + sslmode: of libpq, where the settings say it
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
        """Whether what goes there stays on the host."""
        return self.is_socket or self.host in ("127.0.0.1", "::1", "localhost")
