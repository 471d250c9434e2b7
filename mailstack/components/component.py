"""A component declares all that it has on a host. Pure: a host is asked, and changed, by ``converge`` alone.

What cuts across components is read off their declarations: packages, files and units for a run, sockets and
parameters for each other, ports for a firewall, state for a backup, records for a zone, probes for a check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pyinfra.api.exceptions import OperationValueError

from mailstack.components.additions import DovecotAddition, PostfixAddition
from mailstack.components.declarations import Port, Record, ServiceProbe, State

if TYPE_CHECKING:
    from mailstack.endpoint import Endpoint
    from mailstack.facts.fact import Question
    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Created
    from mailstack.operations.units import Unit
    from mailstack.settings import Settings
    from mailstack.topology import Node, Topology


class Requirement(NamedTuple):
    """A question that a host answers before anything is changed on it.

    + problem: returns what is wrong with the answer, as a sentence for people, or ``None``
    """

    question: Question[Any]
    problem: Callable[[Any], str | None]


@dataclass(frozen=True)
class Site:
    """What is known of a host before it is asked.

    + endpoint: where the database is
    + components: those that this host has, in whichever run they are deployed
    """

    settings: Settings
    topology: Topology
    endpoint: Endpoint
    components: tuple[Component, ...] = ()

    @property
    def here(self) -> Node:
        """The host."""
        return self.topology.here

    @property
    def runs_database(self) -> bool:
        """Whether the database server runs on this host."""
        return self.here.has_role("db") and self.settings.mail_db_dsn is None

    @cached_property
    def _links(self) -> Mapping[str, Endpoint]:
        return {name: link for each in self.components for name, link in each.links(self).items()}

    def link(self, name: str) -> Endpoint:
        """Return where a service is that one component offers to others: ``lmtp``, ``sasl``, ….

        Raises ``OperationValueError`` if no component of this host offers it.
        """
        if name not in self._links:
            offered = ", ".join(sorted(self._links)) or "none"
            raise OperationValueError(f"no component offers {name}; there are: {offered}")
        return self._links[name]


class Component:
    """A part of a mail server. Each method declares one kind of thing; by default there is none of it."""

    name: str
    """Of its module, its folder in ``templates/`` and its page in ``docs/``."""
    title: str
    """What pyinfra shows."""
    requires: tuple[Component, ...] = ()
    """What is deployed along with it, before it."""
    reloads: tuple[str, ...] = ()
    """The services that must reload or restart once one of its files has changed."""

    def check(self, site: Site) -> None:
        """Raise ``OperationValueError`` for settings that it can't be deployed with."""

    def is_wanted(self, site: Site) -> bool:
        """Return whether settings and roles give it to this host."""
        return True

    def is_installed(self, site: Site) -> bool:
        """Return whether anything of it lies on the host; else it has no packages, files, units, …."""
        return True

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """Return what must hold on the host before anything is changed."""
        return ()

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """Return the Debian packages."""
        return ()

    def before_packages(self, site: Site) -> str:
        """Return the shell script for before packages are installed."""
        return ""

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """Return the users, passwords and certificates that a host has of its own."""
        return ()

    def secrets(self, site: Site) -> Mapping[str, str]:
        """Return the secrets in its files that the settings give, by their names."""
        return {}

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """Return the files and directories."""
        return ()

    def before_files(self, site: Site, platform: Platform) -> str:
        """Return the shell script for before its files are put in place, once all are found to be good."""
        return ""

    def validate(self, site: Site) -> Sequence[str]:
        """Return shell scripts that fail if the files staged in ``$stage`` are no good."""
        return ()

    def restart_if(self, site: Site) -> Mapping[str, str]:
        """Return, by service, the shell script that succeeds if a reload is not enough for those files."""
        return {}

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """Return the systemd units that run."""
        return ()

    def links(self, site: Site) -> Mapping[str, Endpoint]:
        """Return where it serves other components, by what it does for them."""
        return {}

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """Return what it adds to the configuration of Postfix."""
        return PostfixAddition()

    def dovecot(self, site: Site, platform: Platform) -> DovecotAddition:
        """Return what it adds to the configuration of Dovecot."""
        return DovecotAddition()

    def ports(self, site: Site) -> Sequence[Port]:
        """Return the ports that it listens on for other hosts."""
        return ()

    def state(self, site: Site) -> Sequence[State]:
        """Return what a backup must keep, and what is asked about before it is removed."""
        return ()

    def records(self, site: Site, domain: str) -> Sequence[Record]:
        """Return the DNS records of a mail domain."""
        return ()

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """Return what proves on the host that it works."""
        return ()


_KNOWN: dict[str, Component] = {}


def register(component: Component) -> None:
    """Make a component known to the others: it takes part in ``Site.components`` where it is wanted."""
    _KNOWN[component.name] = component


def site_of(settings: Settings, topology: Topology, endpoint: Endpoint | None = None) -> Site:
    """Return what is known of the host that the topology is about.

    + endpoint: where the database is, if that is not to be read off the topology
    """
    site = Site(settings, topology, endpoint or topology.database_endpoint(settings))
    wanted = tuple(component for component in _KNOWN.values() if component.is_wanted(site))
    return replace(site, components=wanted)


def with_required(components: Sequence[Component], site: Site) -> list[Component]:
    """Return these components, each once, and before it those that it requires where they are wanted."""
    ordered: dict[str, Component] = {}

    def add(component: Component) -> None:
        for required in component.requires:
            if required.is_wanted(site):
                add(required)
        ordered.setdefault(component.name, component)

    for component in components:
        add(component)
    return list(ordered.values())
