"""The release and versions of a host, from the output of dpkg and apt."""

from __future__ import annotations

import pytest
from pyinfra.api.exceptions import FactProcessError

from mailstack.facts.platform import Platform, parse

BOOKWORM, TRIXIE = "id=debian\ndebian=12\n", "debian=13\nid=debian\n"
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
    assert parse(BOOKWORM + installed) == Platform(12, "2.3", "3.7", "15")


def test_on_a_bare_host_the_candidates_decide() -> None:
    assert parse(TRIXIE + CANDIDATES_OF_13) == Platform(13, "2.4", "3.10", "17")


def test_backports_decide_too() -> None:
    candidates = CANDIDATES_OF_13.replace("debian trixie", "debian bookworm-backports")
    assert parse(BOOKWORM + candidates) == Platform(12, "2.4", "3.10", "15")


def test_without_package_lists_the_release_decides() -> None:
    assert parse(BOOKWORM) == Platform(12, "2.3", "3.7", "15")
    unknown = "N: Unable to locate package postfix\n"
    assert parse(TRIXIE + unknown) == Platform(13, "2.4", "3.10", "17")
    none = "postfix:\n  Installed: (none)\n  Candidate: (none)\n"
    assert parse(TRIXIE + none) == Platform(13, "2.4", "3.10", "17")


@pytest.mark.parametrize("status", ["config-files", "not-installed", "half-installed", "unpacked"])
def test_packages_that_are_not_installed_do_not_count(status: str) -> None:
    left = f"dovecot-core={status}=1:2.3.19.1+dfsg1-2.1\npostfix={status}=3.7.11-0+deb12u1\n"
    assert parse(TRIXIE + left + CANDIDATES_OF_13) == Platform(13, "2.4", "3.10", "17")


def test_an_upgraded_host_keeps_the_cluster_that_has_the_port() -> None:
    installed = "postfix=installed=3.10.13-0\ndovecot-core=installed=1:2.4.1+dfsg1-6\n"
    assert parse(TRIXIE + installed + CLUSTER).postgresql == "15"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("id=ubuntu\ndebian=24\n", "ubuntu 24"),
        ("id=debian\ndebian=11\n", "debian 11"),
        ("id=debian\n", "debian"),
        ("", "unknown"),
    ],
)
def test_other_systems_are_refused(release: str, said: str) -> None:
    with pytest.raises(FactProcessError, match=f"this host runs {said}; .* Debian 12 and 13"):
        parse(release)


def test_a_dovecot_that_neither_release_has_is_refused() -> None:
    with pytest.raises(FactProcessError, match=r"this host has Dovecot 2\.5; .* 2\.3 and 2\.4"):
        parse("id=debian\ndebian=13\ndovecot-core=installed=1:2.5.0-1\n")


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
