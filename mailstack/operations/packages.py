"""Debian packages, all of a deploy at once."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pyinfra.api.command import StringCommand
from pyinfra.context import host

from mailstack.facts.packages import installed_packages
from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import announce, read
from mailstack.operation import operation
from mailstack.run import current_host
from mailstack.shell import shell

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_installing: WeakKeyDictionary[Host, set[str]] = WeakKeyDictionary()
"""What the operations of this run install, by host."""

_SERVICES = {"postfix": "postfix", "dovecot": "dovecot-core", "mariadb": "mariadb-server"}
"""Services that a package starts with Debian's own configuration, and that package."""

# Masked until ``units.running`` unmasks what has our configuration: also if the run ends in between, or the
# host is started anew. policy-rc.d(8) would be there for everybody's packages, and stay if this is killed.
_HOLD = """
is_installed() {{ [ "$(dpkg-query -W -f '${{db:Status-Status}}' "$1" 2>/dev/null)" = installed ]; }}
hold() {{
  ! is_installed "$2" || return 0
  # deb-systemd-helper(1) of Debian 11 masked what was removed, and unmasks that when it is installed again
  rm -f /var/lib/systemd/deb-systemd-helper-masked/"$1".service
  systemctl mask --quiet "$1".service 2>/dev/null || :
}}
release() {{ is_installed "$2" || systemctl unmask --quiet "$1".service; }}
trap '{release}' EXIT
{hold}
"""

_INSTALL = """
export DEBIAN_FRONTEND=noninteractive
wait_for_lock='-o DPkg::Lock::Timeout=300'
# dpkg does not wait for its lock, which an installation that outlived its run may hold
for second in $(seq 300); do
  said=$(dpkg --configure -a 2>&1) && break
  case $said in *lock*) sleep 1;; *) echo "$said" >&2; exit 1;; esac
done
install() {{
  apt-get $wait_for_lock -y --no-install-recommends -o Dpkg::Options::=--force-confold install {names}
}}
# the lists may be missing, or too old to name a version that the mirror has; their mtime is the mirror's
find /var/lib/apt/lists -name '*_Packages*' -cmin -1440 | grep -q . || apt-get $wait_for_lock update || exit 1
install || {{ apt-get $wait_for_lock update && install; }}
"""


def installed(packages: ByPlatform[Iterable[str]], first: str = "") -> None:
    """Install Debian packages that are missing, without their recommendations.

    + packages: names of Debian packages for a platform
    + first: what is done before, in shell, if any is missing

    Services that come with them are not started before ``units.running`` does it.

    Configuration files that exist are kept; an interrupted installation is taken up again. What an earlier
    call of the same run installs is not looked at again: an operation takes a while even if it does nothing.
    """
    before = _installing.setdefault(current_host(), set())
    names = of_any_release(packages)
    if before.issuperset(names):
        return
    before.update(names)
    announce(PLATFORM, installed_packages(names))
    _installed(packages=packages, first=first, name="Install packages")


@operation
def _installed(packages: ByPlatform[Iterable[str]], first: str) -> Generator[StringCommand]:
    names = tuple(dict.fromkeys(here(packages)))
    there = read(installed_packages(names))
    missing = [name for name in names if name not in there]
    if missing:
        host.log(f"install {' '.join(missing)}")
        yield shell("\n".join([_hold(missing), first, _INSTALL.format(names=shlex.join(missing))]))
    else:
        host.noop("all packages are installed")


def _hold(names: Iterable[str]) -> str:
    """Shell that keeps the services of new packages from starting."""
    services = {
        service: package
        for service, package in _SERVICES.items()
        if any(name.startswith(service) for name in names)
    }
    return _HOLD.format(
        hold="\n".join(f"hold {service} {package}" for service, package in services.items()),
        release="; ".join(f"release {service} {package}" for service, package in services.items()),
    )
