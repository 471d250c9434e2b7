"""Declarations of a component for firewall, backup, DNS and checks: plain values."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Port(NamedTuple):
    """A TCP port on which a component listens for other hosts.

    + name: the name of the service at IANA: ``smtp``, ``submissions``, ``imaps``
    + clients: IP addresses of the hosts that may connect; empty for all
    """

    number: int
    name: str
    clients: tuple[str, ...] = ()


class State(NamedTuple):
    """Data on a host that a deploy could not create again.

    + path: the path of a directory or file, or the name of a database
    + holds: its kind. A backup of secrets must be encrypted, and a database is dumped, not copied
    """

    path: str
    holds: Literal["mail", "queue", "scripts", "secrets", "database"]


class Record(NamedTuple):
    """A DNS record, in the presentation format of RFC 1035, 5.

    + name: fully qualified, without the dot at its end
    + type: ``MX``, ``SRV``, ``TXT``, …
    + data: as in a zone file; names in it end with a dot
    """

    name: str
    type: str
    data: str


class ServiceProbe(NamedTuple):
    """A check on a host that proves that a component works.

    + title: the proven statement
    + script: a shell script that succeeds if it is true, or prints the reason on standard error
    """

    title: str
    script: str
