"""The scripts around the checks on a host: what they leave when accounts can't be removed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack.run import Said
from mailstack.settings import Settings
from mailstack.shell import script
from mailstack.verify import running
from mailstack.verify.accounts import PREFIX, Accounts
from tests.support.sites import site

if TYPE_CHECKING:
    from pyinfra.api.host import Host

#: Stands for systemd: a unit runs while its directory is there, and its last script ends it.
SYSTEMCTL = """#!/bin/sh
case $1 in
  show) [ -e RUN/active ] && echo active || echo inactive ;;
  stop) [ -e RUN/active ] || exit 5; rm RUN/active; sh RUN/mailstack-verify-accounts/end ;;
esac
"""
SYSTEMD_RUN = """#!/bin/sh
case $* in
  *unit=mailstack-verify-accounts*) : > RUN/active ;;
  *) for last; do :; done; sh -c "$last"; status=$?; sh RUN/mailstack-verify/end; exit $status ;;
esac
"""


def run(folder: Path, name: str, *scripts: str) -> Said:
    """Run a script with its directories in this folder."""
    for program, text in (("systemctl", SYSTEMCTL), ("systemd-run", SYSTEMD_RUN)):
        (folder / program).write_text(text.replace("RUN", str(folder)))
        (folder / program).chmod(0o755)
    encoded = [base64.b64encode(each.encode()).decode() for each in scripts]
    done = subprocess.run(
        ["sh"],
        input=script(name, *encoded).replace("/run/", f"{folder}/"),
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Said(done.returncode == 0, done.stdout, done.stderr)


def left(folder: Path) -> list[str]:
    """Return the directories and marks of a run."""
    return [path.name for path in folder.glob("*verify*") if path.suffix != ".lock"]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the current host run its scripts in a folder of this machine."""
    monkeypatch.setattr(running, "current_host", lambda: None)
    monkeypatch.setattr(running, "archive", lambda _: base64.b64encode(b"print('{\"checks\": []}')").decode())

    def on_host(of: object, text: str) -> Said:
        given = [base64.b64decode(each).decode() for each in text.partition("\n")[0].split()[2:]]
        names = {0: "verify_accounts_end", 2: "verify_accounts", 4: "verify"}
        return run(tmp_path, names[len(given)], *given)

    monkeypatch.setattr(running, "run_script", on_host)
    return tmp_path


def test_accounts_that_stay_are_a_check_that_failed(host: Path) -> None:
    refused = running._noted("echo 'psql: no right' >&2; false")
    (check,) = running._run(json.dumps({}), ":", f"{refused}true\n")["checks"]
    assert check["state"] == "failed" and check["advice"]
    assert "psql: no right" in check["text"] and "could not be removed" in check["text"]
    assert running._run(json.dumps({}), ":", f"{running._noted('true')}false\n")["checks"] == []
    assert left(host) == []


def test_a_full_run_directory_is_told_in_a_sentence(host: Path) -> None:
    """Python would show a traceback for half a program."""
    base64_ = host / "base64"
    base64_.write_text("#!/bin/sh\necho 'base64: write error: No space left on device' >&2\nexit 1\n")
    base64_.chmod(0o755)
    with pytest.raises(OperationError, match=r"could not be written: is /.*run full\? df -h"):
        running._run(json.dumps({}), ":", "true\n")
    assert left(host) == []


def test_a_lock_is_named(host: Path) -> None:
    for said in ("ERROR: canceling statement due to lock timeout", "ERROR 1205: Lock wait timeout exceeded"):
        with pytest.raises(OperationError, match=f"another session has locked a table .*: {said}"):
            running._run(json.dumps({}), f"echo '{said}' >&2; false", "true\n")


def test_a_database_that_created_nothing_is_not_asked_again(host: Path) -> None:
    """It would wait for the same locked table as long again."""
    removing, asked = running._noted(f"echo >> {host}/asked"), host / "asked"
    with pytest.raises(OperationError):
        running._run(json.dumps({}), "false", removing)
    assert not asked.exists()
    running._run(json.dumps({}), "true", removing)
    assert asked.read_text() == "\n"


AWAY = f'host mail.b.example said: 450 "{PREFIX}0123456789@example.org": try again'
"""The words of another server, which delete nothing."""
QUEUE = [
    ("A1", "", [f"{PREFIX}0123456789@example.org"]),
    ("B2", f"{PREFIX}0123456789@example.org", ["bob@example.org"]),
    ("C3", f"{PREFIX}friend@example.org", ["bob@example.org", "mailstack-verify-x@a.example"]),
    ("D4", "", [f"{PREFIX}0123456789-other@example.org"]),
]


def test_mail_of_a_killed_run_is_taken_out_of_the_queue(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {
                "queue_name": "deferred",
                "queue_id": name,
                "sender": sender,
                "recipients": [{"address": each, "delay_reason": AWAY} for each in recipients],
            }
        )
        for name, sender, recipients in QUEUE
    ]
    (tmp_path / "queue").write_text("".join(f"{line}\n" for line in lines))
    for name, text in (("postqueue", f"cat {tmp_path}/queue"), ("postsuper", f"cat > {tmp_path}/deleted")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(
        ["sh"], input=script("verify_queue_end", PREFIX), env=env, text=True, check=True, timeout=60
    )
    assert (tmp_path / "deleted").read_text() == "A1\nB2\nD4\n"


def test_mail_goes_after_the_accounts() -> None:
    """A delivery meanwhile would make the directory of a mailbox again."""
    names = Accounts("example.org", f"{PREFIX}0123456789", "a password")
    _, end, _ = running._creating(site(Settings(mail_hostname="mail.example.org")), names)
    assert (
        end.index("DELETE FROM") < end.index("removed=$?") < end.index("postqueue -j") < end.index("rm -rf")
    )


def elsewhere(last: str, first: str = "true") -> AbstractContextManager[None]:
    """Return the context with accounts on another host."""
    return running._on_another(cast("Host", SimpleNamespace(name="db")), first, running._noted(last))


def test_accounts_that_stay_on_another_host_fail_the_run(host: Path) -> None:
    message = "db: the accounts of the checks could not be removed"
    with pytest.raises(OperationError, match=message), elsewhere("false"):
        assert left(host) == ["mailstack-verify-accounts"]
    with elsewhere("true"):
        pass
    assert left(host) == []
    # after five minutes it has ended by itself
    with elsewhere("true"):
        run(host, "verify_accounts_end")
    assert left(host) == []


def test_accounts_that_could_not_be_created_do_not_block_the_next_run(host: Path) -> None:
    for _ in range(2):
        message = "^db: no accounts for the checks: psql: no right$"
        with (
            pytest.raises(OperationError, match=message),
            elsewhere(f"echo >> {host}/asked", "echo psql: no right >&2; false"),
        ):
            pass
    assert not (host / "asked").exists()
    assert left(host) == []
