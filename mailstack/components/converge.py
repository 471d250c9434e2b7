"""Converge a host: bring it to the state that its components declare."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pyinfra.api.exceptions import OperationValueError

from mailstack import accounts, database_passwords, hosts
from mailstack.accounts.inventory import check_declared
from mailstack.components.component import (
    Component,
    Requirement,
    Site,
    register,
    site_of,
    with_required,
)
from mailstack.deploys import Deploy, deploy
from mailstack.facts.packages import InstalledPackages
from mailstack.facts.platform import PLATFORM, of_any_release
from mailstack.facts.reading import require
from mailstack.files import Entry, Group, Place
from mailstack.operations import sql, units
from mailstack.operations.config_files import config_files
from mailstack.operations.created import completed, created
from mailstack.operations.in_step import check_first
from mailstack.operations.packages import installed
from mailstack.operations.together import deployed_here
from mailstack.replication import SECRETS, slot

if TYPE_CHECKING:
    from mailstack.facts.platform import ByPlatform, Platform
    from mailstack.secrets import Store
    from mailstack.settings import Settings


class Database(Component):
    """A component with the mail database, which is started and set up before other services start."""

    def follow(self, site: Site, trust: ByPlatform[Sequence[Group]], server: sql.Server) -> None:
        """Make the server of this host a standby of the primary.

        + trust: the files of passwords and certificates, which it needs first
        """
        raise NotImplementedError(f"{self.name} has no standbys")


def deployed(component: Component) -> Deploy:
    """Make a pyinfra deploy of a component, and register the component."""
    register(component)

    @deploy(component.title, component.__doc__)
    def run(settings: Settings) -> None:
        converge(settings, [component])

    return run


def converge(settings: Settings, components: Sequence[Component], *, whole: bool = False) -> None:
    """Deploy these components, and those that they require, on the current host.

    + whole: whether it is the whole server: with accounts, and only if the host with its database is in the
      run

    Raises ``OperationValueError`` if the hosts can't work together in their roles.

    Even an empty operation takes time, so one operation of a kind is for all components.
    """
    site = site_of(settings, hosts.checked(settings))
    for component in components:
        component.check(site)
    has_database = any(isinstance(component, Database) for component in components)
    has_primary = has_database and not site.has_standby
    chosen = [each for each in with_required(components, site) if each.is_installed(site)]
    servers = [component for component in chosen if isinstance(component, Database)]
    together = deployed_here()
    together.update(component.name for component in chosen)
    for component in chosen:
        for requirement in [*_beside(component, together), *component.requirements(site)]:
            require(requirement.question, requirement.problem)
    declared = cache(lambda platform: groups(site, platform, chosen))
    require(PLATFORM, lambda platform: _disagreement(declared, platform))
    store = database_passwords.store(settings)
    if whole and has_primary:
        check_declared(settings)
    if whole:
        _check_together(site, store)
    each = partial(each_declared, site)
    installed(each(chosen, "packages"), _before_packages(site, chosen))
    if of_any_release(creates := each(chosen, "creates")):
        created(creates, "Make users, passwords and certificates")
    given = {name: value for component in chosen for name, value in component.secrets(site).items()}
    secrets = store.with_given(given)
    files = partial(_groups_of, declared)
    slots = [slot(node.name) for node in site.topology.database_peers(settings)]
    server = sql.Server(files(servers), each(servers, "units"), secrets, slots)
    if has_database:  # before the others' files, in which are queries that an older schema may not know
        sql.converge(settings, store, server if has_primary else None)
    if whole and has_primary:
        accounts.declared(settings=settings)
    if has_database and site.has_standby:  # once the primary is as it should be
        for database in servers:
            trust = [component for component in chosen if component in database.requires]
            database.follow(site, files(trust), server)
    if services := [component for component in chosen if component not in servers]:
        config_files(files(services), secrets)
    if of_any_release(running := each(services, "units")):
        units.running(running)
    if of_any_release(completes := each(chosen, "completes")):
        completed(completes, "Finish")


def _beside(component: Component, together: Collection[str]) -> list[Requirement]:
    """Return what must be on the host: each component beside which it works, from this run or another.

    Each has a Debian package of its name.
    """

    def of(name: str) -> Requirement:
        text = f"{component.name}: needs {name} on this host; allowed: {name}.deploy, which deploys both"
        return Requirement(
            InstalledPackages.of(name),
            lambda installed: None if name in together or name in installed else text,
        )

    return [of(name) for name in component.beside]


def _groups_of(
    declared: ByPlatform[Mapping[str, Group]], components: Sequence[Component]
) -> ByPlatform[list[Group]]:
    return lambda platform: [declared(platform)[component.name] for component in components]


def _disagreement(declared: ByPlatform[Mapping[str, Group]], platform: Platform) -> str | None:
    """Return what components want that can't be at once on this host, before anything is changed on it."""
    try:
        declared(platform)
    except OperationValueError as error:
        return str(error)
    return None


def _check_together(site: Site, store: Store) -> None:
    """Check that the host with the database can be changed too, before this one is."""
    owner = site.topology.database_node(site.settings)
    alone = not site.topology.is_replicated(site.settings)
    if owner is not None and (
        owner != site.here or not alone or site.topology.database_clients(site.settings)
    ):
        names = database_passwords.looked_up(site.settings)
        check_first(owner.name, store, names if alone else [*names, *SECRETS])


def _before_packages(site: Site, components: Sequence[Component]) -> str:
    return "\n".join(filter(None, (component.before_packages(site) for component in components)))


def each_declared(site: Site, components: Sequence[Component], what: str) -> ByPlatform[list[Any]]:
    """Return the declarations of each component under this name, for a platform."""
    return cache(
        lambda platform: [
            thing for component in components for thing in getattr(component, what)(site, platform)
        ]
    )


def groups(site: Site, platform: Platform, components: Sequence[Component]) -> dict[str, Group]:
    """Return the files of each component by its name, each path once.

    Raises ``OperationValueError`` if two components declare different files at one path.
    """
    declared = {component: component.files(site, platform) for component in components}
    owners: dict[str, tuple[Component, Entry]] = {}
    for component, entries in declared.items():
        for entry in entries:
            before, other = owners.get(entry.path, (component, entry))
            if entry.path not in owners or isinstance(other, Place):
                owners[entry.path] = component, entry
            elif other != entry and not isinstance(entry, Place):
                raise OperationValueError(
                    f"{entry.path}: {before.name} and {component.name} declare different files there"
                )
    return {
        component.name: Group(
            [entry for entry in entries if owners[entry.path] == (component, entry)],
            component.reloads,
            component.validate(site),
            component.before_files(site, platform),
            component.restart_if(site),
        )
        for component, entries in declared.items()
    }
