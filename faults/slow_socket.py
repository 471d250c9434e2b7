"""Take the place of PostgreSQL's socket, and pass on late what clients say; runs on the tested host."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

LATE = float(sys.argv[1])
(SOCKET,) = Path("/run/postgresql").glob(".s.PGSQL.*[0-9]")
BEHIND = Path(f"{SOCKET}.behind")


async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, late: float) -> None:
    """Copy until the end."""
    with contextlib.suppress(OSError):
        while said := await source.read(65536):
            await asyncio.sleep(late)
            sink.write(said)
            await sink.drain()
    sink.close()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect a client to the database."""
    database_reader, database_writer = await asyncio.open_unix_connection(BEHIND)
    await asyncio.gather(copy(reader, database_writer, LATE), copy(database_reader, writer, 0))


async def main() -> None:
    """Serve until SIGTERM; then the socket is again where it was."""
    SOCKET.rename(BEHIND)
    try:
        server = await asyncio.start_unix_server(serve, SOCKET)
        SOCKET.chmod(0o777)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        await ended.wait()
        server.close()
    finally:
        BEHIND.rename(SOCKET)


asyncio.run(main())
