"""Which Debian this is, and which generation of each daemon it has or would get."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.exceptions import OperationValueError

from mailstack.facts.reading import Probe

_PACKAGES = "postfix dovecot-core"
_COMMAND = f"""
sed -n 's/^VERSION_ID="\\{{0,1\\}}\\([0-9]*\\).*/debian=\\1/p; s/^ID=/id=/p' /etc/os-release
sed -sn '/^port *= *5432/F' /etc/postgresql/*/main/postgresql.conf
dpkg-query -W -f '${{Package}}=${{db:Status-Status}}=${{Version}}\\n' {_PACKAGES} ||
  apt-cache policy {_PACKAGES}
"""

_OF_RELEASE = {12: ("2.3", "3.7", "15"), 13: ("2.4", "3.10", "17")}


@dataclass(frozen=True)
class Platform:
    """Release and versions; ``dovecot``, ``postfix``: major.minor, ``postgresql``: major."""

    debian: int
    dovecot: str
    postfix: str
    postgresql: str


class UnsupportedPlatformError(OperationValueError):
    """The host runs something that mailstack was not made for."""


def _minor(version: str) -> str:
    """``1:2.3.19.1+dfsg1-2`` -> ``2.3``."""
    return ".".join(version.rpartition(":")[2].split(".")[:2])


def parse(output: str) -> Platform:
    """Decide from what is installed; failing that, from apt's candidate; failing that, from the release.

    Raises ``UnsupportedPlatformError`` for anything but Debian 12 and 13.
    """
    values: dict[str, str] = {}
    candidate_of = ""
    for line in output.splitlines():
        key, _, value = line.partition("=")
        if value.startswith("installed="):
            values[key] = _minor(value.removeprefix("installed="))
        elif line and not line.startswith(" ") and line.endswith(":"):
            candidate_of = line[:-1]
        elif line.startswith("  Candidate: ") and "(none)" not in line:
            values.setdefault(candidate_of, _minor(line.removeprefix("  Candidate: ")))
        elif line.startswith("/etc/postgresql/"):
            values["postgresql"] = line.split("/")[3]
        elif key in ("id", "debian"):
            values[key] = value
    release = int(values.get("debian") or 0)
    if values.get("id") != "debian" or release not in _OF_RELEASE:
        found = f"{values.get('id') or 'unknown'} {values.get('debian') or ''}".strip()
        raise UnsupportedPlatformError(f"this host runs {found}; mailstack supports Debian 12 and 13")
    dovecot, postfix, postgresql = _OF_RELEASE[release]
    return Platform(
        debian=release,
        dovecot=values.get("dovecot-core", dovecot),
        postfix=values.get("postfix", postfix),
        postgresql=values.get("postgresql", postgresql),
    )


PLATFORM: Probe[Platform] = Probe(lambda _: _COMMAND, (), parse)
