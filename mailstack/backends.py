"""A server whose mailboxes are on several hosts: which host has which user's mail. Pure.

A backend is a host in the group ``imap``. ``mail_users.backend`` names it as the inventory does; a user
without a name there is on the first one. ``ONE>OTHER`` is that of a user on ONE whose mail is copied to
OTHER, and ``ONE>>OTHER`` while the last of it is copied: mail and logins wait then.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack.topology_rules import mail_nodes

if TYPE_CHECKING:
    from mailstack.settings import Settings
    from mailstack.topology import Node, Topology

LMTP_PORT = 24
"""The port of LMTP on a backend, which IANA has for private mail systems. It has no login."""
DOVEADM_PORT = 24245
"""The port of doveadm on a backend, by which mail moves, see ``service doveadm`` of Dovecot's manual."""
SRS_SECRET = "srs-secret"
"""The secret by which each mail host knows the senders that another one has rewritten: ``components.srs``."""
SRS_FILE = "/etc/postsrsd.secret"
"""The file with that secret; Debian's postsrsd makes one of its own there."""
_LARGEST_WEIGHT = 1000


@dataclass(frozen=True)
class Backends:
    """The mail hosts of a server with more than one, as seen from one of them.

    + nodes: the hosts with mailboxes; the first also has the users without a backend
    + mail_hosts: these, and the hosts that only pass mail and connections on to them
    """

    here: Node
    nodes: tuple[Node, ...]
    mail_hosts: tuple[Node, ...]

    @property
    def others(self) -> tuple[Node, ...]:
        """The other hosts with mailboxes."""
        return tuple(node for node in self.nodes if node != self.here)

    @property
    def clients(self) -> tuple[str, ...]:
        """The addresses of the hosts that pass mail and connections on to this one."""
        return tuple(node.reachable_at for node in self.mail_hosts if node != self.here)

    @property
    def has_aliases(self) -> bool:
        """Whether names that can lead to one host alone lead here, which is the first that receives mail."""
        first = next((node for node in self.mail_hosts if node.has_role("mx")), self.here)
        return first.hostname == self.here.hostname


def backends(settings: Settings, topology: Topology) -> Backends | None:
    """Return the mail hosts of this host's server, or ``None`` if it is only one.

    + settings: the settings of the topology's host

    Raises ``OperationValueError`` if several hosts may have its database.
    """
    found = tuple(mail_nodes(settings, topology))
    if len(found) < 2:
        return None
    return Backends(topology.here, tuple(node for node in found if node.has_role("imap")), found)


def shares(settings: Settings, topology: Topology) -> dict[str, int]:
    """Return the share of new users of each host with mailboxes, by its name; nothing if it is only one.

    Raises ``OperationValueError`` for an impossible weight.
    """
    several = backends(settings, topology)
    return {node.name: weight(node) for node in several.nodes} if several else {}


def weight(node: Node) -> int:
    """Return the share of new users of a host. Raises ``OperationValueError`` for an impossible one."""
    given = 1 if node.weight is None else node.weight
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= _LARGEST_WEIGHT:
        raise OperationValueError(
            f"mail_backend_weight = {given!r} of {node.name}: allowed: a number from 0 to {_LARGEST_WEIGHT}"
        )
    return given


def chosen(email: str, weights: Mapping[str, int]) -> str:
    """Return the backend of a new user, always the same one for the same address and hosts.

    The share of each host is its weight (rendezvous hashing, Schindelhauer and Schomaker, 2005).

    + weights: see ``shares``

    Raises ``OperationValueError`` if no host takes new users.
    """
    if not any(weights.values()):
        raise OperationValueError(
            "mail_backend_weight: 0 on all hosts of the group imap, so none takes new users; allowed: more "
            "than 0 on one of them, or a backend for this user"
        )

    def rank(name: str) -> float:
        digest = hashlib.sha256(f"{name}\n{email}".encode()).digest()
        share = (int.from_bytes(digest[:8]) + 0.5) / 2**64
        return -math.log(share) / weights[name]

    return min((name for name in weights if weights[name]), key=rank)


def label(node: Node) -> str:
    """Return a name for a backend's certificate and secrets; two hosts never have the same.

    With another address a host has another one, as its certificate is for the address too.
    """
    return _label(node.name, node.address)


@cache  # each host has those of all others
def _label(name: str, address: str | None) -> str:
    short = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    digest = hashlib.sha256(f"{name} {address}".encode()).hexdigest()
    return f"backend-{short}-{digest[:8]}"


def dns_name(node: Node) -> str:
    """Return the name in a backend's certificate, which is in no DNS."""
    return f"{label(node)}.mailstack.internal"
