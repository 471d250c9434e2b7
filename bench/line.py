"""A slow line to a target: a port of this machine, which delays the answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 16


class Line:
    """A line to one port of a target; it counts the round trips.

    It works as tc-netem(8) in the target's network, which not every kernel has. Data from the target comes
    `delay` seconds later, in any amount, and so does its answer to TCP's first packet.

    + port: the port on 127.0.0.1 where the line begins
    + round_trips: one for each connection, and one each time that the client sends after it has received
      data, whether it has waited for that or not
    """

    def __init__(self, address: str, port: int, delay: float) -> None:
        self._there = (address, port)
        self._delay = delay
        self.port = 0
        self.round_trips = 0

    def serve(self, ready: threading.Event) -> None:
        """Serve until `end`, in a thread of its own; `ready` is set when there is a port."""
        asyncio.run(self._serve(ready))

    def end(self) -> None:
        """Stop the server, and all its connections."""
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._ended.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._delay)
        answers, requests = await asyncio.open_connection(*self._there)
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self.round_trips += 1
        heard = False

        async def send() -> None:
            nonlocal heard
            while data := await reader.read(_CHUNK):
                self.round_trips += heard
                heard = False
                requests.write(data)
            requests.close()

        async def hear() -> None:
            data = b"more"
            while data:
                data = await answers.read(_CHUNK)
                under_way.put_nowait((self._loop.time() + self._delay, data))

        async def tell() -> None:
            nonlocal heard
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - self._loop.time())
                if not data:
                    writer.close()
                    return
                heard = True
                writer.write(data)

        with suppress(ConnectionError, asyncio.CancelledError):  # the latter: `end`, while a client is there
            await asyncio.gather(send(), hear(), tell())


@contextmanager
def line(address: str, port: int, delay: float) -> Iterator[Line]:
    """Yield a line to this port, for as long as it is used."""
    made, ready = Line(address, port, delay), threading.Event()
    thread = threading.Thread(target=made.serve, args=[ready], daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield made
    finally:
        made.end()
        thread.join(10)
