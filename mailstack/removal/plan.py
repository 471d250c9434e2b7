"""What a component has on a host, read off its declarations: the plan of a removal. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pyinfra.api.exceptions import OperationValueError

from mailstack import secrets
from mailstack.components.component import (
    Component,
    Site,
    registered,
    site_of,
    with_required,
)
from mailstack.file_plan import index_of
from mailstack.files import Directory, File, Kept, Place, Shared
from mailstack.operations.users import DaemonUser, SystemUser
from mailstack.settings.errors import nearest

if TYPE_CHECKING:
    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings

ALL = "all"
_OWN = "mailstack"
_STARTS = (".timer", ".path", ".socket")
"""The kinds of units that start others."""


class Line(NamedTuple):
    """A line of the plan.

    + kind: ``unit`` (mailstack's own), ``service`` (of a package), ``file``, ``shared`` (both with the index
      after a tab), ``made`` (a key or certificate), ``tree`` (a directory of mailstack), ``package``,
      ``user``, ``state`` (its kind, its path, and the user whose files it has, or nothing, after tabs),
      ``database``, ``engine``, ``port``, ``role``, ``spared`` (a path that stays), ``stays`` (a directory
      that other components need, also empty), ``needed`` (a package of these), ``left`` (a file in a
      ``tree``, of a component that is off and not removed, but may be here), ``state_of`` (a package, and a
      ``state`` after a tab: it counts only if a deploy has brought the package)
    """

    kind: str
    value: str


_SECRETS = Line("state", f"secrets\t{secrets.DIRECTORY}\t")
"""The secrets of all components."""


@dataclass(frozen=True)
class Removal:
    """The components that are removed from a host, and those that stay.

    + site: the host, as its settings have it
    + full: the same host, with all components switched on: so they declare what they had
    + left: components that are off; a deploy has left them on the host, if it had them
    """

    site: Site
    full: Site
    components: Sequence[Component]
    staying: Sequence[Component] = ()
    left: Sequence[Component] = ()

    def lines(self, platform: Platform) -> list[Line]:
        """Return the plan, without what other components have too."""
        others = {line for each in self.staying for line in _declared(each, self.site, platform)}
        found = (line for each in self.components for line in self._lines(each, platform))
        gone = (line for line in found if line not in others and line.kind != "directory")
        words = {"directory": "stays", "package": "needed"}
        stay = (Line(words[kind], value) for kind, value in sorted(others) if kind in words)
        unused = {} if self.staying else self._unused(platform)
        ended = dict.fromkeys(unused.get(line, line) for line in gone)
        if self.staying:
            ended.pop(_SECRETS, None)
            ended |= dict.fromkeys(_secrets(ended))
        return [*ended, *self._database(), *stay, *self._left(ended, platform)]

    def ends(self, platform: Platform) -> list[str]:
        """Return the scripts by which a deploy ends what its settings no longer ask for."""
        off = site_of(_switched(self.site.settings, self.components, on=False), self.site.topology)
        return [
            script
            for each in self.components
            if each.switch and each.is_wanted(off) and (script := each.before_files(off, platform))
        ]

    def _lines(self, component: Component, platform: Platform) -> Iterator[Line]:
        yield from _declared(component, self.full, platform, absent=True)
        if component.is_wanted(self.site):
            yield from _declared(component, self.site, platform, absent=True)

    def _left(self, gone: Iterable[Line], platform: Platform) -> Iterator[Line]:
        trees = tuple(f"{line.value}/" for line in gone if line.kind == "tree")
        for each in self.left:
            for line in _declared(each, self.full, platform):
                if line.kind == "file" and line.value.startswith(trees):
                    yield Line("left", line.value)

    def _unused(self, platform: Platform) -> dict[Line, Line]:
        """Return the state of components that are off: the host may have had their packages before."""
        off = [each for each in self.components if each.switch and not is_on(each, self.site, platform)]
        used = {
            line
            for each in self.components
            if each not in off
            for line in _declared(each, self.site, platform)
        }
        return {
            line: Line("state_of", f"{package}\t{line.value}")
            for each in off
            for package in [*each.packages(self.full, platform)][:1]
            for line in _declared(each, self.full, platform)
            if line.kind == "state" and line not in used
        }

    def _database(self) -> Iterator[Line]:
        """Yield what is needed to drop the database, if it goes and is on this host."""
        settings, site = self.site.settings, self.site
        if settings.mail_backup_repository:
            yield Line("spared", settings.mail_backup_repository)
        if not site.runs_database or not any(
            state.holds == "database" for each in self.components for state in each.state(site)
        ):
            return
        yield Line("database", settings.mail_db_name)
        yield Line("engine", settings.mail_db_engine)
        yield Line("port", str(settings.db_port))
        for role in dict.fromkeys(
            (
                settings.mail_db_lookup_role,
                settings.mail_db_upgrade_role,
                settings.mail_db_webmail_role,
                settings.mail_db_owner,
            )
        ):
            yield Line("role", role)


def _secrets(made: Iterable[Line]) -> Iterator[Line]:
    """Yield the secrets of one component as its state, such as the password of backups that stay."""
    for line in made:
        if line.kind == "made" and line.value.startswith(f"{secrets.DIRECTORY}/"):
            yield Line("state", f"secrets\t{line.value}\t")


def removal(name: str, site: Site, platform: Platform) -> Removal:
    """Return the removal of a component, or of all.

    + name: the name of a component, or ``all``

    Raises ``OperationValueError`` for an unknown component, and for one that the settings still ask for, with
    the components that need it.
    """
    known = registered()
    everything = _switched(site.settings, known, on=True)
    full = site_of(everything, site.topology, site.endpoint)
    present = [each for each in with_required(full.components, full) if each.is_installed(full)]
    if name == ALL:
        return Removal(site, full, present)
    component = next((each for each in present if each.name == name), None)
    if component is None:
        names = [*(each.name for each in present if each.switch), ALL]
        raise OperationValueError(
            f"component = {name!r}{nearest(name, names)}: is not on {site.here.name}; "
            f"allowed: {', '.join(names)}"
        )
    running = [each for each in with_required(site.components, site) if is_on(each, site, platform)]
    if problem := _wanted(component, running, site, platform):
        raise OperationValueError(f"component = {name!r}: {problem}")
    along = [each for each in present if each.switch[:1] == component.switch[:1]]
    staying = [each for each in running if each not in along]
    left = [each for each in present if each not in along and each not in staying]
    return Removal(site, full, along, staying, left)


def is_on(component: Component, site: Site, platform: Platform) -> bool:
    """Return whether the settings ask for a component: it has packages, units or files."""
    if not component.is_wanted(site) or not component.is_installed(site):
        return False
    files = component.files(site, platform)
    return bool(
        component.packages(site, platform)
        or component.units(site, platform)
        or any(not isinstance(each, File) or each.content is not None for each in files)
    )


def _wanted(component: Component, running: Sequence[Component], site: Site, platform: Platform) -> str | None:
    """Return the reason why the next deploy would bring a component back, or ``None``."""
    needing = [each.name for each in running if component in each.needs(site) and each is not component]
    needed = f"; {', '.join(needing)} need it" if needing else ""
    if not component.switch:
        return f"every mail server has it{needed}; allowed: {ALL}"
    if not is_on(component, site, platform):
        return None
    setting, _ = component.switch
    off = None if setting == "mail_backup_repository" else False
    return (
        f"the settings ask for it, and the next deploy would bring it back{needed}; allowed: with "
        f"{setting} = {off}"
    )


def _switched(settings: Settings, components: Iterable[Component], *, on: bool) -> Settings:
    """Return the settings with these components switched on or off; no rule between settings is checked."""
    values = {
        name: value if on else (False if value is True else None)
        for name, value in (each.switch for each in components if each.switch)
        if not on or not getattr(settings, name)
    }
    return settings.model_copy(update=values)


def _declared(
    component: Component, site: Site, platform: Platform, *, absent: bool = False
) -> Iterator[Line]:
    """Yield what a component has with these settings.

    + absent: whether files are included that must not exist
    """
    for name in component.packages(site, platform):
        yield Line("package", name)
    for unit in component.units(site, platform):
        yield Line("unit", _whole(unit.name)) if _OWN in unit.name else Line("service", unit.name)
    for entry in component.files(site, platform):
        if isinstance(entry, Directory | Place):
            yield Line("directory", entry.path)
            yield from _tree(f"{entry.path}/")
        elif isinstance(entry, Kept):
            yield Line("made", entry.path)
            yield from _tree(entry.path)
        elif isinstance(entry, Shared) or (isinstance(entry, File) and (absent or entry.content is not None)):
            yield from _file(entry)
    users = [each for each in component.creates(site, platform) if isinstance(each, SystemUser | DaemonUser)]
    for user in users:
        yield Line("user", user.name)
    owners = {user.home: user.name for user in users if isinstance(user, SystemUser)}
    for state in component.state(site):
        if state.holds != "database":
            yield Line("state", f"{state.holds}\t{state.path}\t{owners.get(state.path, '')}")


def _file(entry: File | Shared) -> Iterator[Line]:
    index = f"\t{index_of(entry)}" if entry.indexed else ""
    yield Line("shared" if isinstance(entry, Shared) else "file", f"{entry.path}{index}")
    yield from _tree(entry.path)
    directory, _, name = entry.path.rpartition("/")
    if directory.endswith("/systemd/system") and name.startswith(_OWN):
        yield Line("unit", name)


def _whole(unit: str) -> str:
    """Return the name of a unit with its kind."""
    return unit if posixpath.splitext(unit)[1] in (".service", *_STARTS) else f"{unit}.service"


def _tree(path: str) -> Iterator[Line]:
    """Yield the directory of mailstack in which a path is, if it is in one."""
    # settings name places elsewhere; /var/lib/mailstack has the record of all this, and goes last
    if not path.startswith(("/etc/", "/usr/", "/var/lib/")) or path.startswith("/var/lib/mailstack/"):
        return
    parts = path.split("/")
    for number, part in enumerate(parts[:-1]):
        if part.startswith(_OWN):
            yield Line("tree", "/".join(parts[: number + 1]))
            return


def text(lines: Iterable[Line]) -> str:
    """Return the plan as the host reads it: units that start others come first."""
    ordered = sorted(lines, key=lambda line: not (line.kind == "unit" and line.value.endswith(_STARTS)))
    return "".join(f"{line.kind}\t{line.value}\n" for line in ordered)
