"""What a deploy of a host would change, without any operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mailstack import database_passwords
from mailstack.accounts.inventory import declared_step
from mailstack.accounts.step import NOTHING
from mailstack.backends import shares
from mailstack.components.converge import Database, each_declared, groups
from mailstack.engines import engine_of, passwords_of
from mailstack.facts.packages import InstalledPackages
from mailstack.facts.platform import PLATFORM, ByPlatform, of_any_release
from mailstack.facts.reading import announce, read
from mailstack.operations import units
from mailstack.operations.config_files import announce_files, differences
from mailstack.replication import slot

if TYPE_CHECKING:
    from mailstack.components.component import Component, Site
    from mailstack.facts.platform import Platform


class Difference:
    """The difference of the current host from what components declare, read by one command.

    + components: those of the host, each after those that it requires
    """

    def __init__(self, site: Site, components: Sequence[Component]) -> None:
        self.site, self.components = site, [each for each in components if each.is_installed(site)]
        self.has_database = any(isinstance(each, Database) for each in components) and not site.has_standby
        given = {name: value for each in self.components for name, value in each.secrets(site).items()}
        self.store = database_passwords.store(site.settings)
        self.secrets = self.store.with_given(given)
        self.step = declared_step(site.settings, shares(site.settings, site.topology))
        self.database = engine_of(site.settings).database(site.settings)

    def announce(self) -> None:
        """Announce all questions of ``lines``."""
        announce(PLATFORM, InstalledPackages.of(of_any_release(self._each("packages"))))
        announce(
            *(each.question for component in self.components for each in component.requirements(self.site))
        )
        for thing in of_any_release(self._things):
            thing.announce()
        announce_files(self._groups, self.secrets)
        units.announce_units(self._each("units"))
        if self.has_database:
            self.store.announce(passwords_of(self.site.settings))
            engine_of(self.site.settings).announce(self.site.settings)
            self.database.announce(self.site.settings.mail_db_name, self.step.query)

    def problems(self) -> list[str]:
        """Return the reasons for which a deploy would be refused, each once."""
        found = (
            problem(read(question))
            for component in self.components
            for question, problem in component.requirements(self.site)
        )
        return [*dict.fromkeys(filter(None, found))]

    def lines(self, platform: Platform) -> Iterator[str]:
        """Yield a line for each change, as a deploy shows it; paths with the reasons.

        Raises ``OperationError`` or ``OperationValueError`` if the deploy would fail.
        """
        names = self._each("packages")(platform)
        there = read(InstalledPackages.of(names))
        if missing := [name for name in dict.fromkeys(names) if name not in there]:
            yield f"install {' '.join(missing)}"
        for thing in self._things(platform):
            yield from (line for change in thing.changes() for line in change.lines)
        if self.has_database:
            yield from self._database()
        yield from differences(self._groups(platform), self.secrets)
        yield from units.titles(self._each("units")(platform))

    def _database(self) -> Iterator[str]:
        settings = self.site.settings
        if not self.database.is_known(settings.mail_db_name, self.step.query):
            yield "start the database server, and see what it needs"
            return
        engine = engine_of(settings)
        yield from (step.title for step in engine.missing(settings))
        yield from (step.title for step in engine.steps(settings, self.store, self._slots()))
        yield from map(str, self.step.plan(self.step.known() or NOTHING).changes)

    def _slots(self) -> list[str]:
        """Return the slots of the standbys."""
        return [slot(node.name) for node in self.site.topology.database_peers(self.site.settings)]

    def _groups(self, platform: Platform) -> list[Any]:
        return [*groups(self.site, platform, self.components).values()]

    def _things(self, platform: Platform) -> list[Any]:
        """Return what is created once, before and after all else."""
        created = [thing for what in ("creates", "completes") for thing in self._each(what)(platform)]
        return [*dict.fromkeys(created)]

    def _each(self, what: str) -> ByPlatform[list[Any]]:
        return each_declared(self.site, self.components, what)
