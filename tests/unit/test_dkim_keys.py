"""DKIM keys: the script that makes them and rotates them, without rspamadm and postmap."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mailstack import Settings, dkim
from mailstack.components.component import site_of
from mailstack.components.dkim import _first
from mailstack.dkim import _waiting
from mailstack.facts import dkim as facts
from mailstack.facts.dkim import DkimKey, DkimKeys, RetiredKeys
from mailstack.shell import script
from mailstack.templates import render
from mailstack.topology import Node, Topology
from tests.support.sites import site

#: Prints a record as rspamadm does, on two lines, and writes a key.
RSPAMADM = """#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -s) selector=$2 ;; -k) key=$2 ;; esac; shift; done
[ ! -e "$BROKEN" ] || exit 1
echo "private $selector" > "$key"
printf '%s._domainkey IN TXT ( "v=DKIM1; k=x; "\n\t"p=%s" ) ;\n' "$selector" "$selector"
"""
DOMAINS = ".,example.org,example.com"
HOSTILE = "../evil,-x"


class Host:
    """The script on a host, in directories of its own."""

    def __init__(self, root: Path) -> None:
        self.keys, self._bin, self.broken = root / "keys", root / "bin", root / "broken"
        self.keys.mkdir()
        self._bin.mkdir()
        # the loop ends after its first round
        programs = {
            "rspamadm": RSPAMADM,
            "postmap": f"#!/bin/sh\necho {DOMAINS},{HOSTILE}\n",
            "chgrp": "#!/bin/sh\n",
            "setpriv": f"#!/bin/sh\ngrep -xf {self._bin}/hidden || exit 0\n",
        }
        programs["sleep"] = "#!/bin/sh\nkill $PPID\n"
        for name, text in programs.items():
            (self._bin / name).write_text(text)
            (self._bin / name).chmod(0o755)
        self.hide(root / "none")
        self._script = root / "dkim-keys"
        self.count_from(1)

    def count_from(self, first: int) -> None:
        """Install the script of a host whose keys begin with this number."""
        text = render(
            "rspamd/dkim-keys",
            keys=str(self.keys),
            driver="pgsql",
            table="/t",
            domains=["mail.example.org", "$unset", "/etc/mailname"],
            peer=False,
            environment="",
            first=first,
        )
        self._script.write_text(text)

    def run(self, *arguments: str) -> str:
        """Run the script, and return what it prints."""
        done = self._run("sh", str(self._script), *arguments)
        return done.stdout + done.stderr

    def database(self, domains: str | None) -> None:
        """Have the database answer with these domains, or not at all."""
        answer = "exit 1" if domains is None else f"echo {domains}"
        (self._bin / "postmap").write_text(f"#!/bin/sh\n{answer}\n")

    def signing(self) -> set[str]:
        """Return the domains that are signed for."""
        return {path.parent.name for path in self.keys.glob("*/current")}

    def probe(self) -> str:
        """Return what the probe complains of."""
        self.database(DOMAINS)
        done = self._run("sh", "-c", script("probe_dkim", str(self.keys), "pgsql", "mail.example.org"))
        assert (done.returncode == 0) == (done.stderr == "")
        return done.stderr

    def hide(self, file: Path) -> None:
        """Have rspamd's user not read a file: root, as tests may run, reads all."""
        (self._bin / "hidden").write_text(f"{file}\n")

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": f"{self._bin}:{os.environ['PATH']}", "BROKEN": str(self.broken)}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    def read(self, path: str) -> str:
        """Return a file below the directory of the keys."""
        return (self.keys / path).read_text()

    def facts(self, *domains: str) -> dict[str, DkimKey]:
        """Return what the fact says of them."""
        fact = DkimKeys()
        return fact.parse(self._asked(fact.command(domains)))

    def retired(self) -> tuple[str, ...]:
        """Return the names of the records of deleted keys."""
        question = RetiredKeys()
        return question.parse(self._asked(question.command()))

    def _asked(self, command: str) -> str:
        command = command.replace(facts.KEYS, str(self.keys))
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host without keys."""
    return Host(tmp_path)


def test_each_domain_gets_keys_of_both_kinds(host: Host) -> None:
    said = host.run()
    assert said.splitlines() == [
        f"made keys for {name}" for name in ("mail.example.org", "example.org", "example.com")
    ]
    assert {path.name for path in host.keys.iterdir()} == {"mail.example.org", "example.org", "example.com"}
    assert host.read("example.org/current") == "rsa1\ned1\n"
    assert host.read("example.org/rsa1.key") == "private rsa1\n"
    assert host.read("example.org/ed1.txt") == '"v=DKIM1; k=x; " "p=ed1"\n'
    assert {path.stat().st_mode & 0o777 for path in host.keys.glob("*/*")} == {0o640}
    assert {path.stat().st_mode & 0o777 for path in host.keys.iterdir()} == {0o750}


def test_keys_that_are_there_stay(host: Host) -> None:
    host.run()
    (host.keys / "example.org/rsa1.key").write_text("mine")
    assert host.run() == ""
    assert host.read("example.org/rsa1.key") == "mine"


def test_a_domain_that_is_removed_is_signed_for_no_more(host: Host) -> None:
    host.run()
    host.database(None)
    host.run()
    assert host.signing() == {"mail.example.org", "example.org", "example.com"}, "it may be back"
    host.database(".,example.com")
    assert host.run() == ""
    assert host.signing() == {"mail.example.org", "example.com"}
    assert host.read("example.org/rsa1.key") == "private rsa1\n"
    host.database(".")
    host.run()
    assert host.signing() == {"mail.example.org"}
    host.run("publish", "example.org")
    assert not (host.keys / "example.org/current").exists()
    host.database(DOMAINS)
    assert host.run() == "", "it has the keys that the DNS has"
    assert host.signing() == {"mail.example.org", "example.org", "example.com"}
    assert host.read("example.org/current") == "rsa1\ned1\n"
    assert host.read("example.org/rsa2.key") == "private rsa2\n"


def test_a_key_that_can_not_be_made_leaves_nothing(host: Host) -> None:
    host.broken.touch()
    assert "could not make keys for example.org" in host.run()
    assert list(host.keys.iterdir()) == []


def test_rotation_has_two_steps(host: Host) -> None:
    host.run()
    assert _waiting(host.facts()) == []
    host.run("publish", "example.org")
    ours = {key.selector: key.signs for key in host.facts().values() if key.domain == "example.org"}
    assert ours == {"rsa1": True, "ed1": True, "rsa2": False, "ed2": False}
    assert _waiting(host.facts()) == ["ed2", "rsa2"]
    host.run("publish", "example.org")
    assert not (host.keys / "example.org/rsa3.key").exists(), "there are some that do not sign yet"
    host.run("switch", "example.org")
    assert host.read("example.org/current") == "rsa2\ned2\n"
    assert host.read("example.org/rsa1.key") == "private rsa1\n"
    assert host.facts()["rsa2._domainkey.example.org"].data == '"v=DKIM1; k=x; " "p=rsa2"'
    host.run("switch", "example.org")
    assert host.read("example.org/current") == "rsa2\ned2\n"


def test_old_keys_are_deleted_and_listed_for_the_dns(host: Host) -> None:
    host.run()
    (host.keys / "example.org/rsa0.key").write_text("of somebody else")
    host.run("publish", "example.org")
    host.run("retire", "example.org")
    assert host.retired() == ()
    host.run("switch", "example.org")
    host.run("publish", "example.org")
    assert dkim._old(host.facts("example.org")) == ["ed1", "rsa1"]
    assert host.run("retire", "example.org") == ""
    names = [f"{name}.{end}" for name in ("rsa2", "ed2", "rsa3", "ed3") for end in ("key", "txt")]
    there = {path.name for path in (host.keys / "example.org").iterdir()}
    assert there == {*names, "current", "rsa0.key", "retired"}
    assert dkim._old(host.facts("example.org")) == []
    assert host.retired() == ("rsa1._domainkey.example.org", "ed1._domainkey.example.org")
    host.run("retire", "example.org")
    assert len(host.retired()) == 2


def test_an_old_key_signs_until_the_dns_has_the_new_ones(host: Host) -> None:
    host.run()
    # as docs/adopting.md has it
    (host.keys / "example.org/mail.key").write_text("mine")
    (host.keys / "example.org/current").write_text("mail\n")
    assert host.run() == ""
    assert host.probe() == ""
    assert host.read("example.org/current") == "mail\n"
    assert _waiting(host.facts("example.org")) == ["ed1", "rsa1"], "which mailstack.dkim.switch looks for"
    host.run("switch", "example.org")
    assert host.read("example.org/current") == "rsa1\ned1\n"
    assert host.read("example.org/mail.key") == "mine"


def test_a_rotation_that_fails_changes_nothing(host: Host) -> None:
    host.run()
    host.broken.touch()
    host.run("publish", "example.org")
    assert _waiting(host.facts()) == []
    host.run("switch", "nothing.example")
    assert host.read("example.org/current") == "rsa1\ned1\n"


def test_what_somebody_else_put_there_stays_and_keys_are_made_beside_it(host: Host) -> None:
    (host.keys / "example.org").mkdir(mode=0o700)
    for name in ("mail.key", "rsa-old.key", "rsa1.key", "ed4.key"):
        (host.keys / "example.org" / name).write_text("mine")
    (host.keys / "example.com").write_text("mine")
    said = host.run()
    assert "made keys for example.org\n" in said
    assert "made keys for example.com\n" in said
    assert host.read("example.org/current") == "rsa5\ned5\n", "no key is replaced"
    assert {host.read(f"example.org/{name}.key") for name in ("mail", "rsa-old", "rsa1", "ed4")} == {"mine"}
    assert host.read("example.org/rsa5.key") == "private rsa5\n"
    assert (host.keys / "example.org").stat().st_mode & 0o777 == 0o750
    assert host.read("example.com.found") == "mine"
    assert host.read("example.com/current") == "rsa1\ned1\n"
    assert not list(host.keys.glob(".new.*"))
    assert host.run() == ""


def test_a_link_to_nothing_is_kept_too(host: Host) -> None:
    (host.keys / "example.org").symlink_to("/nowhere")
    host.run()
    assert (host.keys / "example.org.found").readlink() == Path("/nowhere")
    assert host.read("example.org/current") == "rsa1\ned1\n"


def test_publish_is_for_domains_of_the_database(host: Host) -> None:
    assert host.run("publish", "exmaple.org") == "exmaple.org is not in the database\n"
    host.database(None)
    assert host.run("publish", "example.org") == "the database does not answer\n"
    assert list(host.keys.iterdir()) == []
    # the host's own name is not in the database
    assert "made keys for mail.example.org" in host.run("publish", "Mail.Example.ORG")


@pytest.mark.parametrize("last", ["ed2.txt", "ed2.key", "rsa2.txt", "rsa2.key"])
def test_keys_that_a_killed_run_has_half_made_are_made_again(host: Host, last: str) -> None:
    host.run()
    stub = host.keys.parent / "bin/mv"
    stub.write_text(f'#!/bin/sh\n/bin/mv "$@"\ncase $1 in */{last}) kill -9 $PPID ;; esac\n')
    stub.chmod(0o755)
    host.run("publish", "example.org")
    stub.unlink()
    assert (host.keys / "example.org" / last).exists()
    keys = host.facts("example.org")
    assert _waiting(keys) == (["ed2", "rsa2"] if last == "rsa2.key" else [])
    host.run("publish", "example.org")
    assert _waiting(host.facts("example.org")) == ["ed2", "rsa2"]
    assert host.run() == ""
    assert not list(host.keys.glob(".new.*"))


@pytest.mark.parametrize("arguments", [["publish"], ["switch", ""], ["--help"], ["pubilsh", "example.org"]])
def test_a_wrong_command_is_not_the_service(host: Host, arguments: list[str]) -> None:
    assert host.run(*arguments).startswith("usage: ")
    assert list(host.keys.iterdir()) == []


def test_publish_makes_keys_beside_those_of_somebody_else(host: Host) -> None:
    (host.keys / "example.org").mkdir()
    (host.keys / "example.org/mail.key").write_text("mine")
    assert "made keys for example.org" in host.run("publish", "example.org")
    assert _waiting(host.facts()) == ["ed2", "rsa2"]
    (host.keys / "example.com").mkdir()
    (host.keys / "example.com/current").write_text("mail\n")
    host.run("publish", "example.com")
    made = {name for name in host.facts() if name.endswith(".com")}
    assert made == {"ed1._domainkey.example.com", "rsa1._domainkey.example.com"}


def test_records_can_be_pasted_into_a_zone_file(host: Host) -> None:
    host.run()
    (host.keys / "example.org/mail.txt").write_text('mail._domainkey\tIN\tTXT\t( "v=DKIM1; "\n\t"p=x" )\n')
    (host.keys / "example.org/rsa2048.txt").write_text("none of ours\n")
    host.run("publish", "example.org")
    lines = host.run("records", "example.org").splitlines()
    assert sorted(lines) == [
        f'{kind}{number}._domainkey.example.org. IN TXT "v=DKIM1; k=x; " "p={kind}{number}"'
        for kind in ("ed", "rsa")
        for number in (1, 2)
    ]
    assert len(host.run("records").splitlines()) == 8
    assert host.run("records", "example.or") == ""
    assert host.run("records", "../keys/example.org") == ""
    found = {key.selector for key in host.facts().values() if key.domain == "example.org"}
    assert found == {"rsa1", "rsa2", "ed1", "ed2"}, "files of somebody else are no keys of mailstack"


def test_the_probe_sees_what_is_missing(host: Host) -> None:
    assert host.probe() == "no key for mail.example.org\n"
    host.run()
    assert host.probe() == ""
    hidden = host.keys / "example.org/ed1.key"
    host.hide(hidden)
    said = host.probe()
    assert said.startswith(f"rspamd can not read {hidden} (1 such), so that mail is not signed: chgrp")
    (host.keys / "example.com/ed1.key").unlink()
    assert host.probe() == "no key ed1 for example.com\n"
    (host.keys / "example.org/current").unlink()
    assert host.probe() == "no key for example.org\n"


def test_of_several_mail_hosts_each_counts_from_a_number_of_its_own(host: Host) -> None:
    host.run()
    host.count_from(482910001)  # there is a second one now
    assert host.run() == ""
    assert host.read("example.org/current") == "rsa1\ned1\n", "the DNS has this key"
    host.run("publish", "example.org")
    host.run("publish", "example.org")
    host.run("switch", "example.org")
    assert host.read("example.org/current") == "rsa482910001\ned482910001\n"
    assert dkim._old(host.facts("example.org")) == ["ed1", "rsa1"]
    host.run("retire", "example.org")
    assert {key.selector for key in host.facts("example.org").values()} == {"rsa482910001", "ed482910001"}
    host.database(f"{DOMAINS},new.example")
    assert host.run() == "made keys for new.example\n"
    assert host.read("new.example/current") == "rsa482910001\ned482910001\n"
    host.count_from(1)  # it is alone again
    host.run("publish", "example.org")
    assert _waiting(host.facts("example.org")) == ["ed482910002", "rsa482910002"]


def test_two_mail_hosts_have_different_selectors() -> None:
    nodes = [Node(f"mx{i}", ("mx", "imap"), f"192.0.2.{i}") for i in range(2, 202)]
    topology = Topology(nodes[0], (Node("db", ("db",), "192.0.2.1"), *nodes))
    settings = Settings(mail_hostname="mail.example.org")
    firsts = {_first(site_of(settings, topology.of(node))) for node in nodes}
    assert len(firsts) == len(nodes)
    assert all(100_000_001 <= first < 2**30 and first % 1000 == 1 for first in firsts)
    assert _first(site(settings)) == 1
