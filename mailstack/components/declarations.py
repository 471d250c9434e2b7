"""What a component tells of itself to firewall, backup, DNS and checks: plain values."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Port(NamedTuple):
    """A TCP port that a component listens on for other hosts.

    + name: of the service, as IANA has it: ``smtp``, ``submissions``, ``imaps``
    + clients: IP addresses of the hosts that may connect; none given: anybody
    """

    number: int
    name: str
    clients: tuple[str, ...] = ()


class State(NamedTuple):
    """Something on a host that a deploy could not make again.

    + path: of a directory or file; of a database its name
    + holds: what it is; of secrets a backup must be encrypted, and a database is dumped, not copied
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
    """A question to a host that proves that a component works.

    + title: what is proven, as a statement
    + script: shell that succeeds if it is so, and says on its standard error why not
    """

    title: str
    script: str
