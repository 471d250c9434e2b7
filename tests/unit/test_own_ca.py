"""CAs of a server's own, and the certificates by which its hosts know each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mailstack import secrets
from mailstack.facts.fact import Question
from mailstack.operations import own_ca
from mailstack.operations.created import Created
from mailstack.operations.own_ca import Authority, OwnCertificate

CA, OTHER = Authority("backends-ca"), Authority("db-ca")


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of secrets of a host, which is this machine."""
    place = tmp_path / "secrets"
    monkeypatch.setattr(secrets, "DIRECTORY", str(place))

    def read(question: Question[object]) -> object:
        done = subprocess.run(["sh", "-c", question.ask(question.about)], capture_output=True, timeout=60)
        return question.answer(done.stdout.decode())

    monkeypatch.setattr(own_ca, "read", read)
    return place


def certificate(number: int, ca: Authority = CA, **more: str) -> OwnCertificate:
    """Return the certificate of a host."""
    path, name = f"{secrets.DIRECTORY}/{number}", f"host{number}.mailstack.internal"
    return OwnCertificate(
        ca.name, f"for {name}", f"{path}-cert", f"{path}-key", name, f"192.0.2.{number}", **more
    )


def deployed(*things: Created, kill_after: int = 99) -> int:
    """Make the changes, as a run does that is killed after some; return their number."""
    changes = [change for thing in things for change in thing.changes()]
    for change in changes[:kill_after]:
        text = change.command.connector_arguments["_stdin"]
        subprocess.run(["sh"], input=str(text), text=True, check=True, capture_output=True, timeout=60)
    return len(changes)


def content(host: Path) -> dict[str, bytes]:
    """Return the files on a host."""
    return {path.name: path.read_bytes() for path in host.iterdir()}


def test_a_second_run_changes_nothing(host: Path) -> None:
    things = (CA, certificate(1), certificate(2))
    assert deployed(*things) == 3
    assert {path.stat().st_mode & 0o777 for path in host.iterdir()} == {0o600}
    assert sorted(content(host)) == ["1-cert", "1-key", "2-cert", "2-key", "backends-ca"]
    assert deployed(*things) == 0


@pytest.mark.parametrize("kill_after", range(4))
def test_a_lost_ca_heals_wherever_a_run_is_killed(host: Path, kill_after: int) -> None:
    """What another CA has signed looks good, and no other host would accept it."""
    things = (CA, certificate(1), certificate(2))
    deployed(*things)
    (host / CA.name).unlink()
    assert deployed(*things, kill_after=kill_after) == 3
    assert deployed(*things) == 3 - kill_after
    assert deployed(*things) == 0


@pytest.mark.parametrize("lost", ["1-cert", "1-key"])
@pytest.mark.parametrize("becomes", ["nothing", "empty", "of another host"])
def test_a_certificate_is_made_again_alone(host: Path, lost: str, becomes: str) -> None:
    things = (CA, certificate(1), certificate(2))
    deployed(*things)
    before = content(host)
    (host / lost).unlink()
    if becomes != "nothing":
        (host / lost).write_bytes(b"" if becomes == "empty" else before[lost.replace("1", "2")])
    assert deployed(*things) == 1
    changed = {name for name, text in content(host).items() if before[name] != text}
    assert changed == {"1-cert", "1-key"} and deployed(*things) == 0


@pytest.mark.parametrize(
    "other",
    [
        {"name": "host2.mailstack.internal"},
        {"address": "192.0.2.9"},
        {"address": "2001:db8::1"},
        {"authority": OTHER.name},
    ],
    ids=str,
)
def test_a_certificate_for_something_else_is_made_again(other: dict[str, str]) -> None:
    deployed(CA, OTHER, certificate(1))
    wanted = certificate(1)._replace(**other)
    assert deployed(wanted) == 1
    assert deployed(wanted) == 0


def test_one_that_ends_within_a_year_is_made_again(host: Path) -> None:
    deployed(CA, certificate(1))
    soon = certificate(1).script("make").replace("-days 3650", "-days 364")
    subprocess.run(["sh"], input=soon, text=True, check=True, capture_output=True, timeout=60)
    assert deployed(certificate(1)) == 1


def test_one_of_a_time_to_come_is_not_good(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was a day ahead when it was made; its CA is of then too, so that a new one is no better."""
    deployed(CA, certificate(1))
    before = content(host)
    earlier = f"verify) shift; set -- verify -attime {int(time.time()) - 86400}"
    (tmp_path / "openssl").write_text(
        f'#!/bin/sh\ncase $1 in {earlier} "$@";; esac\nexec {shutil.which("openssl")} "$@"\n'
    )
    (tmp_path / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        deployed(CA, certificate(1))
    assert "not yet valid" in failed.value.stderr and f"remove {host / CA.name}" in failed.value.stderr
    assert before.items() <= content(host).items()


def test_a_group_may_read_the_key_and_the_daemon_is_told_first(host: Path) -> None:
    mark = host.parent / "pending/postgresql.reload"
    wanted = certificate(1, OTHER, more="IP:127.0.0.1,IP:::1", group=str(os.getgid()), mark=str(mark))
    deployed(OTHER, wanted)
    assert mark.exists()
    assert [(host / name).stat().st_mode & 0o777 for name in ("1-key", "1-cert")] == [0o640, 0o644]
    for address in ("192.0.2.1", "127.0.0.1", "::1"):
        assert deployed(wanted._replace(address=address)) == 0


def test_a_ca_that_is_no_ca_is_an_error(host: Path) -> None:
    deployed(CA)
    (host / CA.name).write_text("something else\n")
    (change,) = certificate(1).changes()
    text = change.command.connector_arguments["_stdin"]
    done = subprocess.run(["sh"], input=str(text), text=True, capture_output=True, timeout=60)
    assert done.returncode and str(host / CA.name) in done.stderr
    assert not (host / "1-cert").exists()
