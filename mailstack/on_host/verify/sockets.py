"""Open ports, of this host, and who listens on them."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from .results import Doubt, Problem, Report

_LISTEN = {"tcp": "0A", "udp": "07"}
"""The state of a socket that waits for others; of UDP, of one that has no other end."""
_FLOODS = {
    53: "DNS",
    111: "rpcbind",
    161: "SNMP",
    389: "CLDAP",
    1900: "SSDP",
    11211: "memcached",
    11335: "rspamd's fuzzy storage",
}
"""Services of UDP that answer more than they are asked, or that no stranger should use."""
_CLOSE = "stop it, let it listen on 127.0.0.1, name its port in mail_verify_ports, or set mail_firewall"


class Listener(NamedTuple):
    """A listening socket.

    + inode: by which a process has it
    """

    address: str
    port: int
    inode: str

    @property
    def is_for_others(self) -> bool:
        """Whether other hosts can connect to it."""
        address = ipaddress.ip_address(self.address)
        mapped = getattr(address, "ipv4_mapped", None)
        return not (mapped or address).is_loopback


def listeners(root: Path = Path("/proc/net"), protocol: str = "tcp") -> list[Listener]:
    """Return all sockets that listen."""
    found = []
    for name in (protocol, f"{protocol}6"):
        with contextlib.suppress(OSError):  # a kernel without IPv6
            for line in (root / name).read_text().splitlines()[1:]:
                cells = line.split()
                if cells[3] == _LISTEN[protocol]:
                    address, _, port = cells[1].partition(":")
                    found.append(Listener(_address(address), int(port, 16), cells[9]))
    return found


def _address(text: str) -> str:
    """Return an address of /proc/net/tcp: words of four octets, each in the order of the machine."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


class Program(NamedTuple):
    """A program that listens. Any user can give one any name.

    + of_root: whether it runs as root
    """

    name: str
    of_root: bool


_SSHD = Program("sshd", of_root=True)


def _programs(inodes: set[str]) -> dict[str, Program]:
    """Return the program that has each socket."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, Program] = {}
    for process in _processes():
        with contextlib.suppress(OSError):
            for entry in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    inode = wanted.get(str(entry.readlink()))
                    if inode:
                        name = (process / "comm").read_text().strip()
                        found.setdefault(inode, Program(name, process.stat().st_uid == 0))
    return found


def _processes() -> Iterator[Path]:
    # the first has what systemd listens for itself; a service that has taken it over is named instead
    numbers = sorted(
        (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()), reverse=True
    )
    return (Path(f"/proc/{number}") for number in numbers)


def check(report: Report, plan: Mapping[str, Any], ssh: str) -> None:
    """Compare the open ports with the declared ones.

    Of UDP only some ports can be judged: programs that ask the DNS have one for each question.

    + plan: with ``ports``, ``allowed_ports`` of other programs, and whether a ``firewall`` closes all others
    + ssh: what sshd(8) tells its sessions of the connection; its third number is a port of sshd
    """
    found = listeners()
    open_ports = {each.port: each for each in found if each.is_for_others}
    listening = {each.port for each in found}
    declared: Sequence[Mapping[str, Any]] = plan["ports"]
    for port in declared:
        report.check(
            "ports",
            f"a service listens on {port['number']} ({port['name']})",
            lambda port=port: _is_open(port["number"], open_ports, listening),  # type: ignore[misc]
            f"journalctl -b -u '{port['unit']}*' says why its service does not listen;"
            " pyinfra INVENTORY deploy.py starts it",
        )
    known = {port["number"] for port in declared} | {*plan["allowed_ports"], 22}
    known |= {int(number) for number in ssh.split()[3:4] if number.isdigit()}
    others = {port: each for port, each in open_ports.items() if port not in known}
    programs = _programs({each.inode for each in others.values()})

    def none_else() -> str:
        unknown = Program("an unknown program", of_root=False)
        named = {port: programs.get(each.inode, unknown) for port, each in others.items()}
        undeclared = {port: each.name for port, each in named.items() if each != _SSHD}
        if undeclared:
            listed = ", ".join(f"{port} ({name})" for port, name in sorted(undeclared.items()))
            if plan["firewall"]:
                return f"the firewall lets others reach only those of mail_firewall_ports: {listed}"
            raise Problem(f"open to other hosts, and of no component: {listed}")
        return ""

    report.check(
        "refused",
        "no port is open that nobody declared",
        none_else,
        _CLOSE,
    )
    report.check("refused", "no service of UDP is open that floods others", partial(_no_floods, plan))


def _no_floods(plan: Mapping[str, Any]) -> str:
    """Look for services that strangers abuse: they ask in the name of others, who get the large answers."""
    found = {each.port for each in listeners(protocol="udp") if each.is_for_others}
    others = sorted((found & {*_FLOODS}) - {*plan["allowed_ports"]})
    if not others:
        return ""
    listed = ", ".join(f"{port} ({_FLOODS[port]})" for port in others)
    if plan["firewall"]:
        return f"the firewall lets others reach only those of mail_firewall_ports: {listed}"
    raise Doubt(f"open to other hosts: {listed}", _CLOSE)


def _is_open(number: int, open_ports: Mapping[int, Listener], listening: set[int]) -> None:
    if number in open_ports:
        return
    if number in listening:
        raise Doubt(
            "it listens for this host alone",
            "if others should reach it, mail_inet_interfaces must have an address of theirs",
        )
    raise Problem("nothing listens on it")
