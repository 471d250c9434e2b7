"""Debian packages, all of a deploy at once."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra.api.command import StringCommand
from pyinfra.context import host

from mailstack.facts.packages import InstalledPackages
from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import announce, read
from mailstack.operation import operation
from mailstack.shell import script, shell

_SERVICES = {
    "postfix": "postfix",
    "dovecot": "dovecot-core",
    "fail2ban": "fail2ban",
    "mariadb": "mariadb-server",
    "nginx": "nginx",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "rspamd": "rspamd",
    "postsrsd": "postsrsd",
    "unbound": "unbound",
}
"""Services that a package starts with Debian's own configuration, with the package."""


def installed(packages: ByPlatform[Iterable[str]], first: str = "") -> None:
    """Install Debian packages that are missing, without their recommendations.

    + packages: names of Debian packages for a platform
    + first: a shell script that runs before, if any is missing

    Their services are only started by ``units.running``.

    Existing configuration files are kept; an interrupted installation is completed. What apt brings is
    recorded on the host, for ``mailstack.remove``.
    """
    announce(PLATFORM, InstalledPackages.of(of_any_release(packages)))
    _installed(packages=packages, first=first, name="Install packages")


@operation
def _installed(packages: ByPlatform[Iterable[str]], first: str) -> Generator[StringCommand]:
    names = tuple(dict.fromkeys(here(packages)))
    there = read(InstalledPackages.of(names))
    missing = [name for name in names if name not in there]
    if missing:
        host.log(f"install {' '.join(missing)}")
        install = script("install_packages", _services(missing), *missing)
        yield shell(_recorded(install, first))
    else:
        host.noop("all packages are installed")


def _recorded(install: str, first: str) -> str:
    """Return the script of an installation that records what came, also if it fails.

    What a person does then to mend it is not the deploy's.
    """
    parts = [script("brought"), "begin || exit 1", first, f"(\n{install}\n) || {{ note; exit 1; }}", "note"]
    return "\n".join(parts)


def _services(names: Iterable[str]) -> str:
    """Return the services of these packages, each as ``SERVICE:PACKAGE``."""
    return " ".join(
        f"{service}:{package}"
        for service, package in _SERVICES.items()
        if any(name.startswith(service) for name in names)
    )
