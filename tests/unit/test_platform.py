"""The release and versions of a host, from the output of dpkg and apt."""

from __future__ import annotations

from pathlib import Path
from subprocess import run

import pytest
from pyinfra.api.exceptions import FactProcessError

from mailstack import Settings
from mailstack.components import tls_reports
from mailstack.components.postfix import POSTFIX
from mailstack.facts.platform import RELEASES, UNTRIED, Platform, parse
from mailstack.shell import script
from tests.support.sites import site, whole

BOOKWORM, TRIXIE = "id=debian\nrelease=12\n", "release=13\nid=debian\n"
CLUSTER = "cluster 15/main 5432 binaries data starts\n"
CANDIDATES_OF_13 = """\
postfix:
  Installed: (none)
  Candidate: 3.10.13-0+deb13u1
  Version table:
     3.10.13-0+deb13u1 500
        500 https://mirror.example/debian trixie/main amd64 Packages
dovecot-core:
  Installed: (none)
  Candidate: 1:2.4.1+dfsg1-6+deb13u2
  Version table:
     1:2.4.1+dfsg1-6+deb13u2 500
"""


def test_the_installed_versions_decide() -> None:
    installed = "postfix=installed=3.7.11-0+deb12u1\ndovecot-core=installed=1:2.3.19.1+dfsg1-2.1\n"
    installed += CLUSTER
    assert parse(BOOKWORM + installed) == Platform("debian 12", "2.3", "3.7", "15")


def test_on_a_bare_host_the_candidates_decide() -> None:
    assert parse(TRIXIE + CANDIDATES_OF_13) == Platform("debian 13", "2.4", "3.10", "17")


def test_backports_decide_too() -> None:
    candidates = CANDIDATES_OF_13.replace("debian trixie", "debian bookworm-backports")
    assert parse(BOOKWORM + candidates) == Platform("debian 12", "2.4", "3.10", "15")


def test_without_package_lists_the_release_decides() -> None:
    assert parse(BOOKWORM) == Platform("debian 12", "2.3", "3.7", "15")
    unknown = "N: Unable to locate package postfix\n"
    assert parse(TRIXIE + unknown) == Platform("debian 13", "2.4", "3.10", "17")
    none = "postfix:\n  Installed: (none)\n  Candidate: (none)\n"
    assert parse(TRIXIE + none) == Platform("debian 13", "2.4", "3.10", "17")


@pytest.mark.parametrize("status", ["config-files", "not-installed", "half-installed", "unpacked"])
def test_packages_that_are_not_installed_do_not_count(status: str) -> None:
    left = f"dovecot-core={status}=1:2.3.19.1+dfsg1-2.1\npostfix={status}=3.7.11-0+deb12u1\n"
    assert parse(TRIXIE + left + CANDIDATES_OF_13) == Platform("debian 13", "2.4", "3.10", "17")


def test_an_upgraded_host_keeps_the_cluster_that_has_the_port() -> None:
    installed = "postfix=installed=3.10.13-0\ndovecot-core=installed=1:2.4.1+dfsg1-6\n"
    assert parse(TRIXIE + installed + CLUSTER).postgresql == "15"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("id=ubuntu\nrelease=22.04\n", "ubuntu 22.04"),
        ("id=ubuntu\nrelease=12\n", "ubuntu 12"),
        ("id=debian\nrelease=11\n", "debian 11"),
        ("id=debian\n", "debian"),
        ("", "unknown"),
    ],
)
def test_other_systems_are_refused(release: str, said: str) -> None:
    with pytest.raises(FactProcessError, match=f"this host runs {said}; .* Debian 12 and 13"):
        parse(release)


def test_ubuntu_has_versions_of_its_own() -> None:
    platform = parse("id=ubuntu\nrelease=24.04\n")
    assert platform == UNTRIED[0] == Platform("ubuntu 24.04", "2.3", "3.8", "16")
    here = site(Settings(mail_hostname="mail.example.org", mail_webmail=True))
    packages = {name for each in whole(here) for name in each.packages(here, platform)}
    assert "php8.3-fpm" in packages
    # as on Debian 12
    assert POSTFIX.units(here, platform)[0].instance == "postfix@-"


def test_ubuntu_s_postfix_does_not_report() -> None:
    assert "Postfix 3.8 of Ubuntu 24.04 can't report" in (tls_reports.problem(UNTRIED[0]) or "")
    assert tls_reports.problem(RELEASES[1]) is None


@pytest.mark.parametrize("release", ["12", "13", "24.04"])
def test_the_script_prints_the_release(release: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(f'NAME="X"\nVERSION_ID="{release}"\nID=x\nVERSION="{release} (y)"\n')
    line = script("platform").split("\n")[3].replace("/etc/os-release", str(tmp_path / "os-release"))
    assert run(["sh", "-c", line], capture_output=True, text=True).stdout == f"release={release}\nid=x\n"


def test_a_dovecot_that_neither_release_has_is_refused() -> None:
    with pytest.raises(FactProcessError, match=r"this host has Dovecot 2\.5; .* 2\.3 and 2\.4"):
        parse("id=debian\nrelease=13\ndovecot-core=installed=1:2.5.0-1\n")


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("control=192.0.2.7\n", "192.0.2.7"),
        ("control=fe80::1%eth0\n", "fe80::1"),
        ("control=2001:DB8::7\n", "2001:db8::7"),
        ("control=x; reboot\n", ""),
        ("", ""),
    ],
)
def test_the_machine_that_runs_pyinfra(line: str, address: str) -> None:
    assert parse(TRIXIE + line).control == address


def test_a_kernel_without_nftables() -> None:
    assert parse(TRIXIE).nftables
    assert not parse(f"{TRIXIE}nftables=none\n").nftables
