"""Storage that speaks S3, by moto, on this machine."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import clients
from tests.targets.networks import Network


@contextmanager
def server(network: Network) -> Iterator[str]:
    """Yield the URL of a server that the hosts of a network reach. It forgets all at the end."""
    address = str(ipaddress.ip_network(network.subnet)[1])
    with socket.create_server((address, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", address, "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        assert process.poll() is None, "moto.server has ended: is moto[s3] installed?"
        with socket.socket() as client:
            return client.connect_ex((address, port)) == 0

    try:
        clients.eventually(listens, "the server of S3 does not listen", 60)
        yield f"http://{address}:{port}"
    finally:
        process.terminate()
        process.wait(60)
