"""The console command `mailstack` on the standard server, in a folder with an inventory and a deploy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE
from tests.targets.containers import Target
from tests.targets.shell import ROOT

# words become calls of pyinfra, whose tests run on both releases
on_one_release = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)

GRACE = "grace@example.org"
PASSWORD = "grace's pass-word"
Mailstack = Callable[..., "subprocess.CompletedProcess[str]"]


def run(folder: Path, words: Sequence[str], **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "mailstack_cli", *words]
    return subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def mailstack(server: Target, tmp_path: Path) -> Mailstack:
    """Return a function that runs a command in a folder with the inventory of the standard server."""
    answers = ["--host", sample_accounts.HOSTNAME, "--domain", "example.org", "--user", ALICE]
    assert run(tmp_path, ["init", *answers]).returncode == 0
    hosts = [(f"@docker/{server.name}", sample_accounts.data())]
    (tmp_path / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    return lambda *words, **env: run(tmp_path, words, **env)


@on_one_release
def test_a_day(mailstack: Mailstack, server: Target) -> None:
    deployed = mailstack("deploy", "-y", "--json")
    assert deployed.returncode == 0, deployed.stderr
    operations = json.loads(deployed.stdout)["results"]["operations"]
    assert operations
    assert not any(operation["success"] for operation in operations)

    dry = mailstack("user", "add", GRACE, "--password-from", "env:GRACE", "--dry", GRACE=PASSWORD)
    assert dry.returncode == 0, dry.stderr
    assert mailstack("show", GRACE).returncode == 1
    added = mailstack("user", "add", GRACE, "--password-from", "env:GRACE", "-y", GRACE=PASSWORD)
    assert added.returncode == 0, added.stderr
    try:
        with clients.imap(server, GRACE, password=PASSWORD) as session:
            assert session.noop()[0] == "OK"
        users = json.loads(mailstack("list", "users", "--domain", "example.org", "--json").stdout)["users"]
        assert GRACE in {user["address"] for user in users}
        clients.received(server, GRACE, clients.send(server, clients.message(ALICE, GRACE)), PASSWORD)
        story = mailstack("trace", GRACE, "--since", "1h")
        assert (story.returncode, f"{GRACE}: into INBOX" in story.stdout) == (0, True), story.stderr
        assert "\033" not in story.stdout + story.stderr
    finally:
        assert mailstack("user", "remove", GRACE, "--delete-mail", "-y").returncode == 0


@on_one_release
def test_status_and_verify(mailstack: Mailstack) -> None:
    verified = mailstack("verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["ok"] is True
    status = mailstack("status", "--no-changes")
    assert "verify" in status.stdout
    assert status.returncode == (0 if "Nothing needs a person" in status.stdout else 1)


@on_one_release
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["user", "add", "alice", "-y"], "email = 'alice'"),
        (["trace", "no message"], "must be one address"),
        (["status", "--format", "xml"], "allowed: table, json"),
        (["status", "--limit", "elsewhere"], "No host matches found"),
        (["deploy"], "no terminal to ask at"),
    ],
)
def test_wrong_usage_ends_with_2(mailstack: Mailstack, words: list[str], said: str) -> None:
    done = mailstack(*words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@on_one_release
def test_a_wrong_setting_ends_with_2_and_what_is_missing_with_1(
    mailstack: Mailstack, server: Target, tmp_path: Path
) -> None:
    missing = mailstack("show", "nobody@example.org")
    assert (missing.returncode, "there is no address nobody@example.org" in missing.stderr) == (1, True)
    hosts = [(f"@docker/{server.name}", sample_accounts.data(mail_hostnam="x"))]
    (tmp_path / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    for words in (["deploy", "--dry"], ["deploy", "-y"], ["status"], ["list"]):
        wrong = mailstack(*words)
        assert (wrong.returncode, "did you mean 'mail_hostname'" in wrong.stderr) == (2, True), wrong.stderr


def test_the_start_costs_little(tmp_path: Path) -> None:
    """Processor time, as other tests run beside this one; the least of some runs."""

    def seconds(*argv: str) -> float:
        before = os.times()
        subprocess.run(argv, cwd=tmp_path, capture_output=True, timeout=300, check=True)
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    long = (str(Path(sys.executable).with_name("pyinfra")), "-y", "@local", "mailstack.metrics.files", "x")
    short = (sys.executable, "-m", "mailstack_cli", "metrics", "files", "x")
    times = [(seconds(*short), seconds(*long)) for _ in range(4)]
    with_mailstack, with_pyinfra = (min(each) for each in zip(*times, strict=True))
    assert with_mailstack < with_pyinfra * 1.15, times
