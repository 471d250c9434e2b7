"""What must be so before an upgrade, and the steps of its program."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components.component import site_of
from mailstack.topology import Node, Role, Topology
from mailstack.upgrading.checks import (
    DAY,
    HostLook,
    Look,
    backup_problem,
    check_topology,
    needs,
    problems,
)
from mailstack.upgrading.commands import program
from tests.support.sites import site

SAID = """\
system=debian 12
source=Debian|bookworm|http://mirror.example/debian
source=Debian|bookworm-security|http://mirror.example/debian-security
installed=1200000
database=60000
room=/usr / 9000000
room=/var/cache/apt/archives /var 900000
room=/var/lib/postgresql /var 900000
room=/boot / 9000000
"""
NEW = "17/main"


def look(more: str = "", without: str = "") -> Look:
    """Return what a host says, with some lines more, or without one."""
    return HostLook.of().parse(SAID.replace(without, "") + more)


def wrong(found: Look, clusters: tuple[str, ...] = ("15/main",)) -> str:
    """Return the problems on one line."""
    return "; ".join(problems(found, clusters, NEW))


def test_a_host_without_a_problem() -> None:
    found = look()
    assert (found.system, found.begun, wrong(found)) == ("debian 12", False, "")
    assert look("begun=yes\n").begun


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("system=ubuntu 24.04\n", "it runs ubuntu 24.04; allowed: debian 12"),
        ("unnamed=yes\n", "no source of packages in /etc/apt names bookworm; allowed: that name"),
        ("held=tzdata\n", "held packages: tzdata; allowed: none"),
        ("unfinished=postfix\n", "not completely installed: postfix"),
        ("pin=/etc/apt/preferences.d/a\n", "preferred versions of packages: /etc/apt/preferences.d/a"),
        (
            "source=Docker|bookworm|https://download.docker.com\n",
            "https://download.docker.com bookworm (Docker)",
        ),
        ("source=|bookworm|http://own.example\n", "http://own.example bookworm (not known)"),
        ("source=Debian|trixie|http://mirror.example\n", "http://mirror.example trixie (Debian)"),
    ],
)
def test_each_problem_is_named(line: str, text: str) -> None:
    assert text in wrong(look(line))


def test_a_host_without_lists_of_packages() -> None:
    found = look()
    found.sources.clear()
    assert "apt has no list of packages" in wrong(found)


def test_an_existing_new_cluster() -> None:
    assert "there is a cluster 17/main" in wrong(look(), ("15/main", NEW))


def test_room_is_counted_by_file_system() -> None:
    found = look()
    need = needs(found)
    together = need["/var/cache/apt/archives"] + need["/var/lib/postgresql"]
    found.room["/var/cache/apt/archives"] = found.room["/var/lib/postgresql"] = ("/var", together)
    assert wrong(found) == ""
    found.room["/var/cache/apt/archives"] = found.room["/var/lib/postgresql"] = ("/var", together - 1)
    assert wrong(found).startswith("/var has 703.")
    found.room["/usr"] = found.room["/boot"] = ("/", need["/usr"] - 1)
    assert "/ has 1.1 GiB free; allowed: 1.1 GiB or more" in wrong(found)
    found.room["/boot"] = ("/boot", 100 * 1024 * 1024)
    assert "/boot has 100.0 MiB free; allowed: 200.0 MiB or more" in wrong(found)


@pytest.mark.parametrize(
    ("has_backups", "good", "text"),
    [
        (True, 10 * DAY, None),
        (True, 9 * DAY - 1, "the last backup is 24 h old"),
        (True, None, "there is no backup; allowed"),
        (False, None, "there is no backup, as mail_backup_repository is not set"),
    ],
)
def test_the_age_of_the_backup(has_backups: bool, good: int | None, text: str | None) -> None:
    found = backup_problem(has_backups, good, 10 * DAY)
    assert found is None if text is None else text in str(found)


@pytest.mark.parametrize(
    ("more", "clients"),
    [({"mail_db_engine": "mysql"}, []), ({}, ["192.0.2.2"])],
    ids=["MariaDB", "several hosts"],
)
def test_other_servers_are_refused(more: dict[str, Any], clients: list[str]) -> None:
    check_topology(site(Settings(mail_hostname="mail.example.org")))
    here = site(Settings(mail_hostname="mail.example.org", **more), clients=clients)
    with pytest.raises(
        OperationValueError, match=r"allowed: a host with all roles and PostgreSQL.*backup\.md"
    ):
        check_topology(here)


@pytest.mark.parametrize("here", ["db1", "db2"])
def test_a_database_with_a_standby_is_refused(here: str) -> None:
    nodes = {"db1": Node("db1", ("db",), "192.0.2.1"), "db2": Node("db2", ("db",), "192.0.2.2")}
    nodes[here] = Node(here, ("db", "mx", "imap"), "192.0.2.3")
    found = site_of(Settings(mail_hostname="mail.example.org"), Topology(nodes[here], tuple(nodes.values())))
    with pytest.raises(OperationValueError, match="allowed: a host with all roles and PostgreSQL"):
        check_topology(found)


@pytest.mark.parametrize(
    ("groups", "others"),
    [(("db",), ()), (("mx", "imap"), (Node("db", ("db",), "192.0.2.2"),))],
    ids=["the database alone", "mail alone"],
)
def test_a_host_with_a_part_of_the_server_is_refused(
    groups: tuple[Role, ...], others: tuple[Node, ...]
) -> None:
    here = Node("mail.example.org", groups, "192.0.2.1")
    with pytest.raises(OperationValueError, match="allowed: a host with all roles"):
        check_topology(site_of(Settings(mail_hostname="mail.example.org"), Topology(here, (here, *others))))


TOOLS = {
    "dpkg": "exit 0",
    "dpkg-query": """case "$*" in
    *php8.2-fpm) [ ! -e "$ETC/php" ] || printf installed ;;
    *) echo 'installed dovecot-core' ;;
esac""",
    "apt-cache": 'grep -q "^deb.*bookworm" "$ETC/../apt/sources.list" || echo php8.4-fpm',
    "apt-mark": 'echo "apt-mark $*" >> "$CALLS"',
    "systemctl": 'echo "systemctl $*" >> "$CALLS"',
    "pg_ctlcluster": "exit 2",  # it is stopped
    "pg_conftool": 'sed -i "s/^port.*/port = $5/" "$ETC/$1/$2/postgresql.conf"',
    "pg_dropcluster": 'echo "pg_dropcluster $*" >> "$CALLS"',
    "pg_upgradecluster": 'echo "pg_upgradecluster $*" >> "$CALLS"',
    "apt-get": """for last; do :; done
echo "apt-get $last" >> "$CALLS"
echo 'pmstatus:libc6:amd64:9:x' >&9
echo 'pmstatus:bash:37.5:Unpacking bash' >&9
[ "$last" != "$FAILS" ] || { printf '%s\n' 'E: "no" \\room' >&2; exit 100; }""",
}


class Host:
    """A directory in which the program runs, with programs that only note their calls."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / "state/upgrade"
        for name in ("state/upgrade/done", "run", "bin", "apt"):
            (root / name).mkdir(parents=True)
        (self.state / "begun").write_text("15\n")
        (root / "apt/sources.list").write_text(
            "# bookworm\ndeb http://mirror.example/debian bookworm main\n"
            "deb http://mirror.example/debian-security bookworm-security main\n"
        )
        for name, text in TOOLS.items():
            (root / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (root / "bin" / name).chmod(0o755)

    def clusters(self, **ports: int) -> None:
        """Make clusters of PostgreSQL: `_15=5432`."""
        for version, port in ports.items():
            cluster = self.root / "postgresql" / version.strip("_") / "main"
            cluster.mkdir(parents=True)
            (cluster / "postgresql.conf").write_text(f"port = {port}\t\t\t# (change requires restart)\n")
            (cluster / "start.conf").write_text("manual\n")

    def run(self, part: str = "packages", fails: str = "") -> list[str]:
        """Run a part, and return the calls."""
        text = program()
        for place, own in (
            ("/var/lib/mailstack/upgrade", self.state),
            ("/run/mailstack-upgrade", self.root / "run"),
            ("/etc/apt/", f"{self.root / 'apt'}/"),
            ("/etc/postgresql", self.root / "postgresql"),
            ("/var/lib/postgresql", self.root / "data"),
            ("/etc/systemd/system", self.root / "units"),
        ):
            text = text.replace(place, str(own))
        calls = self.root / "calls"
        calls.write_text("")
        env = {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin", "CALLS": str(calls), "FAILS": fails}
        env |= {"ETC": str(self.root / "postgresql"), "MAILSTACK_ROOT": str(self.root)}
        subprocess.run(["sh", "-c", text, "sh", part], env=env, timeout=60, check=False)
        return calls.read_text().splitlines()

    @property
    def failed(self) -> list[str]:
        """The result."""
        found: list[str] = json.loads((self.root / "state/upgrade.json").read_text())["failed"]
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_dovecot_comes_last_and_masked(host: Host) -> None:
    assert host.run() == [
        "apt-get install",
        "apt-get update",
        "apt-get dist-upgrade",
        "apt-get update",
        "apt-get dist-upgrade",
        "apt-mark hold dovecot-core",
        "apt-get dist-upgrade",
        "systemctl mask dovecot.service",
        "apt-mark unhold dovecot-core",
        "apt-get dist-upgrade",
    ]
    assert host.failed == []
    sources = (host.root / "apt/sources.list").read_text()
    assert sources.splitlines() == [
        "# bookworm",
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian-security trixie-security main",
    ]
    progress = json.loads((host.root / "run/progress.json").read_text())
    assert progress == {"step": "upgrade Dovecot", "percent": 37}


def test_a_step_that_failed_is_done_again_and_those_before_are_not(host: Host) -> None:
    host.run(fails="update")
    (failed,) = host.failed
    assert failed.startswith("bring Debian 12 up to date: E: no room; all of it is in")
    (host.state / "done/current").touch()
    assert host.run()[:2] == ["apt-get install", "apt-get update"]
    assert host.failed == []
    assert host.run() == ["apt-get install"]


def test_sources_that_were_put_back_are_those_of_debian_13_again(host: Host) -> None:
    """And what is to be installed is fetched again: `apt-get update` has read lists of Debian 12."""
    sources = host.root / "apt/sources.list"
    before = sources.read_text()
    host.run()
    sources.write_text(before)
    for name in ("others", "dovecot"):  # it failed after all was fetched
        (host.state / "done" / name).unlink()
    assert host.run()[1:4] == ["apt-get update", "apt-get dist-upgrade", "apt-mark hold dovecot-core"]
    assert "bookworm main" not in sources.read_text()
    assert host.failed == []
    sources.write_text(before)
    assert host.run() == ["apt-get install"]  # nothing is left to fetch


def test_php_stays_without_apache_and_what_deploys_brought_stays_theirs(host: Host) -> None:
    """PHP asks for one of three servers, and apt would take the first, at the ports of nginx."""
    (host.root / "postgresql").mkdir()
    (host.root / "postgresql/php").touch()
    (host.root / "units").mkdir()
    (host.root / "units/php8.2-fpm.service").symlink_to("/dev/null")
    things = host.root / "var/lib/mailstack/brought/things"
    things.parent.mkdir(parents=True)
    old = ["mask php8.2-fpm.service", "package php", "package php8.2", "package php8.2-fpm"]
    old += ["package postgresql", "package postgresql-15", "package postgresql-client-15"]
    things.write_text("".join(f"{each}\n" for each in old))
    host.run(fails="php8.4-fpm")
    (host.state / "done/fetch").touch()
    host.run(fails="php8.4-fpm")
    (host.root / "postgresql/php").unlink()  # gone, as the upgrade was killed
    calls = host.run()
    assert calls[0] == "apt-get php8.4-fpm"  # also what mends a killed run
    assert calls.count("apt-get php8.4-fpm") == 2 and host.failed == []
    new = ["mask php8.4-fpm.service", "package php8.4", "package php8.4-fpm"]
    new += ["package postgresql-17", "package postgresql-client-17"]
    assert things.read_text().splitlines() == sorted([*old, *new])


def test_nothing_is_mended_by_php_of_debian_13_before_that_is_fetched(host: Host) -> None:
    sources = host.root / "apt/sources.list"
    before = sources.read_text()
    (host.root / "postgresql").mkdir()
    (host.root / "postgresql/php").touch()
    for _ in range(2):
        calls = host.run(fails="php8.4-fpm")
        assert calls[0] == "apt-get install" and calls[-1] == "apt-get php8.4-fpm"
        assert host.failed[0].startswith("fetch Debian 13: ")
    (host.state / "done/fetch").touch()
    sources.write_text(before)
    assert host.run()[0] == "apt-get install"  # lists of Debian 12 have none
    assert host.failed == []


MOVES = ["pg_upgradecluster -v 17 15 main"]
STARTS = ["systemctl daemon-reload", "systemctl start postgresql@{}-main"]
AGAIN = ["pg_dropcluster --stop 17 main", STARTS[0], STARTS[1].format(15), *MOVES]


@pytest.mark.parametrize(
    ("clusters", "calls"),
    [
        ({"_15": 5432, "_17": 5433}, AGAIN),
        ({"_15": 5433, "_17": 5433}, AGAIN),
        ({"_15": 5432}, AGAIN[1:]),
        ({"_15": 5433, "_17": 5432}, [STARTS[0], STARTS[1].format(17)]),
    ],
    ids=["in between", "as the ports are exchanged", "before it began", "moved, and not started"],
)
def test_a_killed_move_is_done_again(host: Host, clusters: dict[str, int], calls: list[str]) -> None:
    host.clusters(**clusters)
    (host.state / "port").write_text("5432\n")
    assert host.run("cluster") == calls
    assert host.failed == []
    old = host.root / "postgresql/15/main"
    if calls[-1:] == MOVES:
        assert (old / "start.conf").read_text() == "auto\n"
        assert (old / "postgresql.conf").read_text() == "port = 5432\n"
        assert not (host.root / "postgresql/17/main").exists()
    assert host.run("cluster") == []


def test_the_empty_cluster_of_the_package_gives_way(host: Host) -> None:
    host.clusters(_15=5432, _17=5433)
    assert host.run("cluster") == ["pg_dropcluster --stop 17 main", *MOVES]
    assert (host.state / "port").read_text() == "5432\n"


def test_a_host_whose_database_is_new_already_moves_nothing(host: Host) -> None:
    (host.state / "begun").write_text("17\n")
    assert host.run("cluster") == []
    assert host.failed == []
