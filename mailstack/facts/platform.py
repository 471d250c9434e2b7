"""The Debian release, and the generation of each daemon that is or would be installed.

While a deploy is prepared it is not read, as that would cost a round trip. Operations get arguments that
depend on it as a function of the platform. They announce the reading that is needed on either supported
release.
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

    + ipv6: whether the kernel has IPv6
    + ipv6_loopback: whether a daemon can listen on ``::1``
    + nftables: whether the kernel takes rules of nftables from this host; in many containers it does not
    + control: the address from which SSH runs this, as the host sees it; empty without SSH
    """

    debian: int
    dovecot: str
    postfix: str
    postgresql: str
    ipv6: bool = True
    ipv6_loopback: bool = True
    nftables: bool = True
    control: str = ""


ByPlatform = Callable[[Platform], T]
"""A function of the platform. It raises ``OperationValueError`` for one that is not supported."""

RELEASES = (Platform(12, "2.3", "3.7", "15"), Platform(13, "2.4", "3.10", "17"))
"""Debian 12 and 13 with their own versions."""


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

    Raises ``FactProcessError`` except for Debian 12 and 13 with a generation of Dovecot that one of them has.
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
        elif key in ("id", "debian", "ipv6", "nftables", "control"):
            values[key] = value
    generations = [release.dovecot for release in RELEASES]
    if (dovecot := values.get("dovecot-core", generations[0])) not in generations:
        raise FactProcessError(
            f"this host has Dovecot {dovecot}; mailstack supports {' and '.join(generations)}"
        )
    for release in RELEASES:
        if values.get("id") == "debian" and values.get("debian") == str(release.debian):
            return Platform(
                debian=release.debian,
                dovecot=values.get("dovecot-core", release.dovecot),
                postfix=values.get("postfix", release.postfix),
                postgresql=clusters.version_for_mail(clusters.parse(output)) or release.postgresql,
                ipv6=values.get("ipv6") != "none",
                ipv6_loopback="ipv6" not in values,
                nftables="nftables" not in values,
                control=_address(values.get("control", "")),
            )
    found = f"{values.get('id') or 'unknown'} {values.get('debian') or ''}".strip()
    raise FactProcessError(f"this host runs {found}; mailstack supports Debian 12 and 13")


class HostPlatform(Fact[Platform]):
    """Return Debian's release, and the version of each daemon that is or would be installed: ``Platform``."""

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
    """Return the items of ``of(platform)`` for each supported release, without duplicates, to be read."""
    found: dict[T, None] = {}
    for release in RELEASES:
        with suppress(OperationValueError):
            found.update(dict.fromkeys(of(release)))
    return list(found)


def here(of: ByPlatform[T]) -> T:
    """Return ``of(platform)`` for the current host. Raises ``OperationValueError`` if it is not supported."""
    return of(read(PLATFORM))
