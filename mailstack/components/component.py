"""A component declares everything that it has on a host. Pure: only ``converge`` reads and changes a host.

Features across components use these declarations. A run uses packages, files and units, and other components
use sockets and parameters. Ports are for a firewall, jails for fail2ban, state for a backup, records for a
zone, probes for a check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pyinfra.api.exceptions import OperationValueError

from mailstack.backends import Backends, backends
from mailstack.components.declarations import (
    DovecotAddition,
    FormerRecord,
    Jail,
    Port,
    PostfixAddition,
    Record,
    ServiceProbe,
    State,
)
from mailstack.components.merge import merged

if TYPE_CHECKING:
    from mailstack.endpoint import Endpoint
    from mailstack.facts.fact import Question
    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Completed, Created
    from mailstack.operations.units import Unit
    from mailstack.settings import Settings
    from mailstack.topology import Node, Topology


class Requirement(NamedTuple):
    """A question to a host before anything is changed on it.

    + problem: a function that returns the error for the answer, or ``None``
    """

    question: Question[Any]
    problem: Callable[[Any], str | None]


@dataclass(frozen=True)
class Site:
    """The facts of a host that are known before it is asked.

    + endpoints: the addresses of the database, in the order in which lookups prefer them
    + components: the components of this host, also those deployed in other runs
    """

    settings: Settings
    topology: Topology
    endpoints: tuple[Endpoint, ...]
    components: tuple[Component, ...] = ()

    @property
    def here(self) -> Node:
        """The host."""
        return self.topology.here

    @property
    def endpoint(self) -> Endpoint:
        """The preferred address of the database."""
        return self.endpoints[0]

    @property
    def runs_database(self) -> bool:
        """Whether a database server runs on this host, also a standby."""
        return self.here.has_role("db") and self.settings.mail_db_dsn is None

    @property
    def has_standby(self) -> bool:
        """Whether this host has a standby of the database on another host."""
        return self.topology.is_standby(self.settings)

    @property
    def runs_primary(self) -> bool:
        """Whether the database server that takes changes runs on this host."""
        return self.runs_database and not self.has_standby

    @cached_property
    def backends(self) -> Backends | None:
        """The mail hosts of its server, or ``None`` if it is only one."""
        return backends(self.settings, self.topology)

    @cached_property
    def _links(self) -> Mapping[str, Endpoint]:
        return merged("link", {each.name: each.links(self) for each in self.components})

    def offers(self, name: str) -> bool:
        """Return whether a component of this host offers this service."""
        return name in self._links

    def link(self, name: str) -> Endpoint:
        """Return the address of a service that a component offers to others, such as ``lmtp`` or ``sasl``.

        Raises ``OperationValueError`` if no component of this host offers it.
        """
        if name not in self._links:
            offered = ", ".join(sorted(self._links)) or "none"
            raise OperationValueError(f"no component offers {name}; there are: {offered}")
        return self._links[name]


class Component:
    """A part of a mail server. Each method declares one kind of thing, by default none."""

    name: str
    """The name of its module, its folder in ``templates/`` and its page in ``docs/``."""
    title: str
    """The title in pyinfra's output."""
    requires: tuple[Component, ...] = ()
    """The components that are deployed along with it, before it."""
    beside: tuple[str, ...] = ()
    """The components, by name, without which it does not work, and along with which it is deployed."""
    switch: tuple[str, object] | tuple[()] = ()
    """The setting that switches it on, with a value that does. Each server has a component without one."""
    reloads: tuple[str, ...] = ()
    """The services that must reload or restart once one of its files has changed."""

    def check(self, site: Site) -> None:
        """Raise ``OperationValueError`` for settings with which it can't be deployed."""

    def needs(self, site: Site) -> Sequence[Component]:
        """Return the components that are deployed with it, before it."""
        return self.requires

    def is_wanted(self, site: Site) -> bool:
        """Return whether this host has it, by settings and roles."""
        return True

    def is_installed(self, site: Site) -> bool:
        """Return whether it is installed on the host; otherwise it has no packages, files or units."""
        return True

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """Return the requirements for any change of the host."""
        return ()

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """Return the Debian packages."""
        return ()

    def before_packages(self, site: Site) -> str:
        """Return the shell script that runs before packages are installed."""
        return ""

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """Return the system users, passwords and certificates that are created once on a host."""
        return ()

    def secrets(self, site: Site) -> Mapping[str, str]:
        """Return the secrets of its files that the settings have, by name."""
        return {}

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """Return the files and directories."""
        return ()

    def before_files(self, site: Site, platform: Platform) -> str:
        """Return the shell script that runs before its files are installed, after all checks."""
        return ""

    def validate(self, site: Site) -> Sequence[str]:
        """Return shell scripts that fail if the files staged in ``$stage`` are invalid."""
        return ()

    def restart_if(self, site: Site) -> Mapping[str, str]:
        """Return, by service, the shell script that succeeds if these files need a restart, not a reload."""
        return {}

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """Return the systemd units that run."""
        return ()

    def links(self, site: Site) -> Mapping[str, Endpoint]:
        """Return the addresses of its services for other components, by the name of the service."""
        return {}

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """Return its additions to the configuration of Postfix."""
        return PostfixAddition()

    def dovecot(self, site: Site, platform: Platform) -> DovecotAddition:
        """Return its additions to the configuration of Dovecot."""
        return DovecotAddition()

    def ports(self, site: Site) -> Sequence[Port]:
        """Return the ports on which it listens for other hosts."""
        return ()

    def jails(self, site: Site, platform: Platform) -> Sequence[Jail]:
        """Return the logins that fail2ban watches."""
        return ()

    def state(self, site: Site) -> Sequence[State]:
        """Return the state that a backup must keep, and that is only removed after a question."""
        return ()

    def records(self, site: Site, domain: str) -> Sequence[Record]:
        """Return the DNS records of a mail domain, also of names below it."""
        return ()

    def host_records(self, site: Site) -> Sequence[Record]:
        """Return the DNS records of the host's own name, ``mail_hostname``; without its addresses."""
        return ()

    def former_records(self, site: Site, domain: str) -> Sequence[FormerRecord]:
        """Return the DNS records of a mail domain that were its own with other settings, also if unwanted."""
        return ()

    def certificate_names(self, site: Site, domain: str) -> Sequence[str]:
        """Return the names of a mail domain for which it needs a certificate.

        + domain: the domain, or a placeholder of the same form
        """
        return ()

    def completes(self, site: Site, platform: Platform) -> Sequence[Completed]:
        """Return what is created once all services run."""
        return ()

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """Return the checks on the host that prove that it works."""
        return ()


_KNOWN: dict[str, Component] = {}


def register(component: Component) -> None:
    """Register a component: ``Site.components`` has it on the hosts where it is wanted."""
    known = _KNOWN.setdefault(component.name, component)
    if type(known) is not type(component):
        raise ValueError(f"{component.name}: {type(known).__module__} has a component of this name")
    _KNOWN[component.name] = component


def registered() -> tuple[Component, ...]:
    """Return all components that there are, also those that a host does not have."""
    return tuple(_KNOWN.values())


def site_of(settings: Settings, topology: Topology, endpoint: Endpoint | None = None) -> Site:
    """Return the site of the topology's host.

    + endpoint: the address of the database, by default that of the topology
    """
    endpoints = (endpoint,) if endpoint else topology.database_endpoints(settings)
    site = Site(settings, topology, endpoints)
    wanted = tuple(component for component in _KNOWN.values() if component.is_wanted(site))
    return replace(site, components=wanted)


def with_required(components: Sequence[Component], site: Site) -> list[Component]:
    """Return these components, each once, after those that it requires and that are wanted."""
    ordered: dict[str, Component] = {}

    def add(component: Component, *above: str) -> None:
        if component.name in above:
            raise ValueError(f"{component.name} requires itself: {' -> '.join([*above, component.name])}")
        for required in component.needs(site):
            if required.is_wanted(site):
                add(required, *above, component.name)
        ordered.setdefault(component.name, component)

    for component in components:
        add(component)
    return list(ordered.values())
