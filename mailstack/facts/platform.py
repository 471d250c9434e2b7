"""The release of the system, and the generation of each daemon that is or would be installed.

While a deploy is prepared it is not read, as that would cost a round trip. Operations get arguments that
depend on it as a function of the platform. They announce the reading that is needed on either release of
Debian.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from pyinfra.api.exceptions import FactProcessError, OperationValueError

from mailstack.facts import clusters
from mailstack.facts.fact import Fact, Value
from mailstack.facts.reading import read
from mailstack.shell import script
from mailstack.text import lines_of

T = TypeVar("T")


@dataclass(frozen=True)
class Platform(Value):
    """The release and the versions; ``dovecot``, ``postfix``: major.minor, ``postgresql``: major.

    + system: distribution and release, such as ``debian 13``
    + ipv6: whether the kernel has IPv6
    + ipv6_loopback: whether a daemon can listen on ``::1``
    + nftables: whether the kernel takes rules of nftables from this host; in many containers it does not
    + control: the address from which SSH runs this, as the host sees it; empty without SSH
    """

    system: str
    dovecot: str
    postfix: str
    postgresql: str
    ipv6: bool = True
    ipv6_loopback: bool = True
    nftables: bool = True
    control: str = ""

    @property
    def debian(self) -> int:
        """The release of Debian; 0 for another distribution."""
        name, _, release = self.system.partition(" ")
        return int(release) if name == "debian" else 0


ByPlatform = Callable[[Platform], T]
"""A function of the platform. It raises ``OperationValueError`` for one that is not supported."""

RELEASES = (Platform("debian 12", "2.3", "3.7", "15"), Platform("debian 13", "2.4", "3.10", "17"))
"""Debian 12 and 13 with their own versions."""

UNTRIED = (Platform("ubuntu 24.04", "2.3", "3.8", "16"),)
"""Releases that differ from these in versions alone; nobody has deployed to one yet."""

ACCEPTED = (*RELEASES, *UNTRIED)


def _minor(version: str) -> str:
    """Return major and minor version: ``2.3`` for ``1:2.3.19.1+dfsg1-2``."""
    return ".".join(version.rpartition(":")[2].split(".")[:2])


def _address(text: str) -> str:
    """Return the IP address without the zone that ``fe80::1%eth0`` has, or nothing."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


def parse(output: str) -> Platform:
    """Return the platform from the installed version, else from apt's candidate, else from the release.

    Raises ``FactProcessError`` for a release that is not in ``ACCEPTED``, and for a Dovecot of a generation
    that no release has.
    """
    values: dict[str, str] = {}
    candidate_of = ""
    for line in lines_of(output):
        key, _, value = line.partition("=")
        if value.startswith("installed="):
            values[key] = _minor(value.removeprefix("installed="))
        elif line and not line.startswith(" ") and line.endswith(":"):
            candidate_of = line[:-1]
        elif line.startswith("  Candidate: ") and "(none)" not in line:
            values.setdefault(candidate_of, _minor(line.removeprefix("  Candidate: ")))
        elif key in ("id", "release", "ipv6", "nftables", "control"):
            values[key] = value
    generations = [release.dovecot for release in RELEASES]
    if (dovecot := values.get("dovecot-core", generations[0])) not in generations:
        raise FactProcessError(
            f"this host has Dovecot {dovecot}; mailstack supports {' and '.join(generations)}"
        )
    system = f"{values.get('id') or 'unknown'} {values.get('release') or ''}".strip()
    for release in ACCEPTED:
        if system == release.system:
            return Platform(
                system=system,
                dovecot=values.get("dovecot-core", release.dovecot),
                postfix=values.get("postfix", release.postfix),
                postgresql=clusters.version_for_mail(clusters.parse(output)) or release.postgresql,
                ipv6=values.get("ipv6") != "none",
                ipv6_loopback="ipv6" not in values,
                nftables="nftables" not in values,
                control=_address(values.get("control", "")),
            )
    raise FactProcessError(
        f"this host runs {system}; mailstack supports Debian 12 and 13, and accepts Ubuntu 24.04"
    )


class HostPlatform(Fact[Platform]):
    """Return the system's release, and the version of each daemon that is or would be there: ``Platform``."""

    def command(self) -> str:
        """Ask dpkg, apt, the kernel, and for the clusters of PostgreSQL."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return "\n".join([script("platform", "postfix", "dovecot-core"), clusters.COMMAND])

    def parse(self, output: str) -> Platform:
        """See ``Question.parse``."""
        return parse(output)


@dataclass(frozen=True)
class Clusters(Value):
    """The clusters of a host.

    + for_mail: the version of PostgreSQL for the mail database
    + clusters: all clusters
    """

    for_mail: str
    clusters: tuple[clusters.Cluster, ...] = ()


class PostgresqlClusters(Fact[Clusters]):
    """Return the clusters of PostgreSQL, and the version of the one for the mail database: ``Clusters``."""

    ask = staticmethod(HostPlatform.ask)  # so that both are one question

    def command(self) -> str:
        """Ask for the clusters, and for the versions that decide if there is none yet."""
        return self.asking([])

    def parse(self, output: str) -> Clusters:
        """See ``Question.parse``."""
        return Clusters(parse(output).postgresql, tuple(clusters.parse(output)))


PLATFORM = HostPlatform.of()
CLUSTERS = PostgresqlClusters.of()


def of_any_release(of: ByPlatform[Iterable[T]]) -> list[T]:
    """Return the items of ``of(platform)`` for each release of Debian, without duplicates, to be read.

    On another system, an operation reads what it needs by a command of its own.
    """
    found: dict[T, None] = {}
    for release in RELEASES:
        with suppress(OperationValueError):
            found.update(dict.fromkeys(of(release)))
    return list(found)


def here(of: ByPlatform[T]) -> T:
    """Return ``of(platform)`` for the current host. Raises ``OperationValueError`` if it is not supported."""
    return of(read(PLATFORM))
