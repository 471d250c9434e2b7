"""Logins from any address of a network: on a host that guesses, with addresses of its own choice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.targets.containers import Target

#: Networks beyond the network of the tests: the server reaches them by the host that guesses.
NETWORKS = ("203.0.113.0/24", "2001:db8:f000::/36")

#: The results of a login.
GOOD, WRONG, SHUT = "good", "wrong", "shut"

_PROGRAM = r'''
import base64, concurrent.futures, json, socket, ssl, sys

tls = ssl._create_unverified_context()
PORTS = {"imap": 993, "pop3": 995, "sieve": 4190, "smtp": 465}


def log_in(source, server, service, user, password):
    """Log in, and return the line that says how it went."""
    plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    with connected(source, server, PORTS[service]) as raw:
        if service == "sieve":
            read = raw.makefile("rb", buffering=0)
            answer(read, b"OK")
            raw.sendall(b"STARTTLS\r\n")
            answer(read, b"OK")
        with tls.wrap_socket(raw) as session:
            read = session.makefile("rb", buffering=0)
            say = lambda text: session.sendall(text.encode() + b"\r\n")
            if service == "imap":
                answer(read, b"* OK")
                say(f"a AUTHENTICATE PLAIN {plain}")
                return answer(read, b"a ")
            if service == "sieve":
                answer(read, b"OK")
                say(f'AUTHENTICATE "PLAIN" "{plain}"')
                return answer(read, b"OK", b"NO", b"BYE")
            if service == "pop3":
                answer(read, b"+OK")
                say(f"AUTH PLAIN {plain}")
                return answer(read, b"+OK", b"-ERR")
            answer(read, b"220 ")
            say("EHLO guesser.example")
            answer(read, b"250 ")
            say(f"AUTH PLAIN {plain}")
            said = answer(read, b"235 ", b"535 ")
            if said.startswith(b"235 "):  # Postfix writes a line about a login once there is a message
                for command in (f"MAIL FROM:<{user}>", f"RCPT TO:<{user}>"):
                    say(command)
                    answer(read, b"250 ")
            return said


def connected(source, server, port):
    """Connect from an address that no interface has: IP_FREEBIND is 15, IPV6_FREEBIND is 78."""
    ipv6 = ":" in source
    raw = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET)
    raw.settimeout(60)
    raw.setsockopt(*((socket.IPPROTO_IPV6, 78) if ipv6 else (socket.IPPROTO_IP, 15)), 1)
    raw.bind((source, 0))
    raw.connect((server, port))
    return raw


def answer(read, *starts):
    while True:
        line = read.readline()
        if not line:
            raise ConnectionResetError
        if line.startswith(starts):
            return line


def attempt(args):
    source, server, service, user, password = args
    try:
        said = log_in(source, server, service, user, password)
    except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
        return "shut"
    return "good" if said.startswith((b"a OK", b"OK", b"+OK", b"235 ")) else "wrong"


def reaches(args):
    source, server, port = args
    try:
        connected(source, server, port).close()
    except ConnectionRefusedError:
        return False
    return True


given = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map({"attempt": attempt, "reaches": reaches}[sys.argv[1]], given))))
'''


class Attempt(NamedTuple):
    """A login: by ``imap``, ``pop3``, ``sieve`` or ``smtp``."""

    service: str
    user: str
    password: str


def different(count: int, service: str = "imap", start: int = 0) -> list[Attempt]:
    """Return so many guesses, each about another user."""
    return [Attempt(service, f"user{start + number}@example.org", "secret") for number in range(count)]


@dataclass(frozen=True)
class Guesser:
    """A host with many addresses, and the server whose passwords it guesses."""

    host: Target
    server: Target

    def connect(self) -> None:
        """Tell both how they reach each other; after a reboot of the server again."""
        for network in NETWORKS:
            via = self.host.ip6 if ":" in network else self.host.ip
            self.server.exec(f"ip route replace {network} via {via}")
            self.host.exec(f"ip route replace local {network} dev lo")

    def log_in(self, source: str, *attempts: Attempt) -> list[str]:
        """Log in from an address, several at once, and return the results."""
        return list(
            map(str, self._run("attempt", [[source, self._server(source), *each] for each in attempts]))
        )

    def reaches(self, source: str, ports: Iterable[int]) -> list[bool]:
        """Return of each port whether it is open for an address."""
        return list(map(bool, self._run("reaches", [[source, self._server(source), port] for port in ports])))

    def _server(self, source: str) -> str:
        return self.server.ip6 if ":" in source else self.server.ip

    def _run(self, what: str, given: Sequence[object]) -> list[object]:
        done = self.host.exec(["python3", "-c", _PROGRAM, what], input=json.dumps(given), timeout=300)
        result: list[object] = json.loads(done.stdout)
        return result
