"""What must be so before a host is upgraded. Pure, but for the question to the host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack.facts.fact import Question
from mailstack.facts.platform import RELEASES
from mailstack.overview.screen import lasting, listed, size
from mailstack.shell import script
from mailstack.text import lines_of

if TYPE_CHECKING:
    from mailstack.components.component import Site

OLD, NEW = "bookworm", "trixie"
DAY = 24 * 3600
_KIB = 1024


@dataclass
class Look:
    """What a host says.

    + system: the system and its release, as ``Platform.system``
    + begun: whether an upgrade has begun, and has not ended
    + held: packages that apt-mark(8) holds
    + unfinished: packages that are not completely installed
    + sources: the origin, codename and address of each source of packages
    + named: whether sources of packages name the release, and are not such as ``oldstable``
    + pins: files that prefer some versions of packages
    + installed: the size of all packages, in bytes
    + database: the size of PostgreSQL's files, in bytes
    + room: for each path, its file system and the free bytes
    """

    system: str = ""
    begun: bool = False
    held: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    sources: list[tuple[str, str, str]] = field(default_factory=list)
    named: bool = True
    pins: list[str] = field(default_factory=list)
    installed: int = 0
    database: int = 0
    room: dict[str, tuple[str, int]] = field(default_factory=dict)


class HostLook(Question[Look]):
    """Return what decides whether the host can be upgraded."""

    def command(self) -> str:
        """Ask for all of it."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return script("upgrade_look")

    def parse(self, output: str) -> Look:
        """See ``Question.parse``."""
        found = Look()
        for line in lines_of(output):
            name, _, value = line.partition("=")
            if name in ("held", "unfinished", "pins", "pin"):
                getattr(found, {"pin": "pins"}.get(name, name)).append(value)
            elif name in ("installed", "database"):
                setattr(found, name, int(value or 0) * _KIB)
            elif name == "source":
                origin, codename, site = value.split("|")
                found.sources.append((origin, codename, site))
            elif name == "room":
                path, target, free = value.split()
                found.room[path] = target, int(free) * _KIB
            elif name == "begun":
                found.begun = True
            elif name == "unnamed":
                found.named = False
            elif name == "system":
                found.system = value
        return found


def check_topology(site: Site) -> None:
    """Raise ``OperationValueError`` if the host is not a whole mail server with PostgreSQL."""
    settings, topology = site.settings, site.topology
    alone = not topology.is_replicated(settings) and not topology.database_clients(settings)
    if not (site.runs_database and site.here.has_mail and alone and settings.mail_db_engine == "postgresql"):
        raise OperationValueError(
            "mailstack.upgrade: allowed: a host with all roles and PostgreSQL, whose database no other "
            "host uses or copies. Otherwise set up a host with Debian 13, and bring a backup back there: "
            "docs/backup.md"
        )


def problems(look: Look, clusters: Sequence[str], new_cluster: str) -> Iterator[str]:
    """Yield the reasons why a host can't be upgraded, each with what to do.

    + clusters: the clusters of PostgreSQL, as ``VERSION/NAME``
    + new_cluster: the one that the upgrade makes
    """
    if look.system != RELEASES[0].system:
        yield f"it runs {look.system}; allowed: {RELEASES[0].system}"
    if look.unfinished:
        yield f"not completely installed: {listed(look.unfinished)}; allowed: none, `dpkg --configure -a`"
    if look.held:
        yield f"held packages: {listed(look.held)}; allowed: none, `apt-mark unhold` them"
    if look.pins:
        yield f"preferred versions of packages: {listed(look.pins)}; allowed: none, move them away"
    names = [f"{site} {codename} ({origin or 'not known'})" for origin, codename, site in foreign(look)]
    if names:
        yield (
            f"sources of packages that are not Debian 12's: {listed(names)}; allowed: Debian's alone: take "
            "the others away, and bring them back for Debian 13"
        )
    elif not look.sources:
        yield "apt has no list of packages; allowed: sources in /etc/apt, and `apt-get update`"
    elif not look.named:
        yield f"no source of packages in /etc/apt names {OLD}; allowed: that name, not oldstable"
    if new_cluster in clusters:
        yield f"there is a cluster {new_cluster} of PostgreSQL; allowed: none, as the upgrade makes it"
    yield from _room(look)


def foreign(look: Look) -> list[tuple[str, str, str]]:
    """Return the sources of packages that are not Debian 12's."""
    return [each for each in look.sources if each[0] != "Debian" or each[1].partition("-")[0] != OLD]


def needs(look: Look) -> dict[str, int]:
    """Return the bytes that an upgrade needs below each path, at most.

    All packages are fetched before the first is installed. On a mail server of 620 MB, these were 140 MB, and
    took 340 MB more when they were installed. The database is copied, with its log.
    """
    return {
        "/usr": look.installed,
        "/var/cache/apt/archives": look.installed // 2,
        "/var/lib/postgresql": 2 * look.database,
        "/boot": 200 * _KIB * _KIB if look.room.get("/boot", ("/", 0))[0] != "/" else 0,
    }


def _room(look: Look) -> Iterator[str]:
    wanted: dict[str, int] = {}
    for path, need in needs(look).items():
        if path in look.room:
            wanted[look.room[path][0]] = wanted.get(look.room[path][0], 0) + need
    free = dict(look.room.values())
    for target, need in wanted.items():
        if free[target] < need:
            yield f"{target} has {size(free[target])} free; allowed: {size(need)} or more"


def backup_problem(has_backups: bool, good: int | None, now: int) -> str | None:
    """Return why the last backup is not good enough, or nothing.

    + good: the time of the last good backup, in seconds since 1970
    """
    way = "allowed: one of the last day, or option without_backup with a snapshot or a backup of your own"
    if not has_backups:
        return f"there is no backup, as mail_backup_repository is not set; {way}"
    if not good:
        return f"there is no backup; {way}: mailstack.backup.now makes one"
    if now - good > DAY:
        return f"the last backup is {lasting(now - good)} old; {way}: mailstack.backup.now makes one"
    return None
