"""A gate before the node exporter, which itself answers everybody who reaches it.

usage: gate INNER_PORT PORT ADDRESS...
    Pass connections to PORT on to INNER_PORT of 127.0.0.1, from these addresses and from this host.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import selectors
import socket
import sys
import threading

CONNECTIONS, SECONDS = 20, 60
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_of(text: str) -> Address:
    """Return the address of a client, also of one by IPv4 at a socket for both."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def may_enter(text: str, here: str, clients: set[Address]) -> bool:
    """Return whether a client may read the numbers.

    + here: the address to which it connected; the host itself comes from the same one
    """
    address = client_of(text)
    return address.is_loopback or address == client_of(here) or address in clients


def listener(port: int) -> socket.socket:
    """Return a socket for both versions of IP, or for IPv4 where the kernel has no other."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    return socket.create_server(("0.0.0.0", port), backlog=64)


def passed_on(client: socket.socket, inner: int, free: threading.Semaphore) -> None:
    """Pass on what both sides send, until the exporter ends, or both are silent.

    A client that only ends its own sending, as ``nc -N`` does, still gets its answer.
    """
    try:
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", inner), SECONDS) as exporter,
            selectors.DefaultSelector() as both,
        ):
            client.settimeout(SECONDS)
            both.register(client, selectors.EVENT_READ, exporter)
            both.register(exporter, selectors.EVENT_READ, client)
            while ready := both.select(SECONDS):
                for key, _ in ready:
                    if text := key.fileobj.recv(65536):  # type: ignore[union-attr]
                        key.data.sendall(text)
                    elif key.fileobj is exporter:
                        return
                    else:
                        both.unregister(client)
                        exporter.shutdown(socket.SHUT_WR)
    finally:
        free.release()


def ready() -> None:
    """Tell systemd that the port is there, see sd_notify(3)."""
    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.sendto(b"READY=1", path.replace("@", "\0", 1))


def main(arguments: list[str]) -> None:
    """Let clients in, one after the other."""
    inner, port, *addresses = arguments
    clients = {client_of(address) for address in addresses}
    # users of the host can't keep the clients out
    all_free = {known: threading.Semaphore(CONNECTIONS) for known in (True, False)}
    with listener(int(port)) as waiting:
        ready()
        while True:
            with contextlib.suppress(ConnectionError):
                client, (address, *_) = waiting.accept()
                free = all_free[client_of(address) in clients]
                if may_enter(address, client.getsockname()[0], clients) and free.acquire(blocking=False):
                    threading.Thread(target=passed_on, args=(client, int(inner), free), daemon=True).start()
                else:
                    client.close()


if __name__ == "__main__":
    main(sys.argv[1:])
