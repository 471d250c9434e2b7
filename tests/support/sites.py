"""Hosts as components see them, for tests that ask no host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailstack import Settings
from mailstack.components.component import Component, Site, site_of, with_required
from mailstack.components.mail_server import COMPONENTS
from mailstack.endpoint import Endpoint
from mailstack.facts.platform import Platform
from mailstack.files import Entry
from mailstack.topology import Node, Topology


def site(settings: Settings, endpoint: Endpoint | None = None, clients: Iterable[str] = ()) -> Site:
    """Return a host in all roles.

    + endpoint: where the database is, if not on this host
    + clients: the addresses of other hosts that look things up on this one
    """
    here = Node(settings.mail_hostname, ("db", "mx", "imap"), address="192.0.2.1")
    # each names the server itself, so it has other mailboxes
    named = {"mail_db_host": "192.0.2.1"}
    others = (
        Node(f"client of {here.name} at {address}", ("mx", "imap"), address, named) for address in clients
    )
    return site_of(settings, Topology(here, (here, *others)), endpoint)


def whole(here: Site) -> list[Component]:
    """Return all components of a host."""
    return with_required([each for each in COMPONENTS if each.is_wanted(here)], here)


def files(component: Component, settings: Settings, platform: Platform) -> Sequence[Entry]:
    """Return the files of one component on a host in all roles."""
    return component.files(site(settings), platform)
