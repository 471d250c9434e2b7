"""`mailstack-recover` reads that the clock was set back, in a journal of a few lines."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mailstack.templates import render

MOVED = "master: Warning: Time moved backwards by {} seconds, waiting for "
FORGED = f"auth: Error: sqlpool(pgsql): Query failed, aborting: SELECT 'dovecot: {MOVED.format('60.0')}'"
#: What it tells after an error of the database, which comes last.
DATABASE = ["reload postfix.service", "new-auth", "restart --no-block mailstack-flush.service"]


def test_a_clock_that_was_set_back_reloads_dovecot(tmp_path: Path) -> None:
    """One that went back by less than ten seconds is waited for. What a client sends is no clock.

    The old auth is ended first: afterwards that would end the new one, which may have logins already.
    """
    said = run(tmp_path, [MOVED.format("9.412311"), MOVED.format("59.831457"), FORGED])
    assert said == ["new-auth", "reload dovecot.service", *DATABASE]


def test_a_restart_does_not_reload_dovecot_again(tmp_path: Path) -> None:
    """The journal of the last minute has the message again. Another one is another clock."""
    run(tmp_path, [MOVED.format("59.831457"), FORGED])
    assert run(tmp_path, [MOVED.format("59.831457"), FORGED]) == DATABASE
    assert "reload dovecot.service" in run(
        tmp_path, [MOVED.format("59.831457"), MOVED.format("60.1"), FORGED]
    )


def test_mail_that_is_deferred_after_the_clock_was_set_back_is_seen(tmp_path: Path) -> None:
    looked, deferred = tmp_path / "looked", tmp_path / "deferred"
    deferred.mkdir()
    (deferred / "4X1").write_text("connect to mail[private/dovecot-lmtp]: Connection refused")
    with started(tmp_path, []):
        wait(looked.exists)
        later = time.time() + 3600
        os.utime(looked, (later, later))
        wait(lambda: (tmp_path / "told").read_text() == "start --no-block mailstack-flush.service\n")
    assert looked.stat().st_mtime < later


def test_mail_that_was_deferred_before_the_clock_was_set_back_is_looked_at_once(tmp_path: Path) -> None:
    """Its times are to come, so it would be newer than what was looked at in each round."""
    (tmp_path / "deferred").mkdir()
    (tmp_path / "deferred/4X1").write_text("connect to mail[private/dovecot-lmtp]: Connection refused")
    functions, _, _ = script_in(tmp_path).partition("\n# If one of them ends")
    rounds = """
        two_seconds() {
          if [ $((rounds += 1)) = 1 ]; then touch -d '1 hour' "$looked" "$deferred" "$deferred"/*; fi
          [ "$rounds" -le 4 ]
        }
        systemctl() { echo "$*"; }
        rounds=0
        deferrals
    """
    done = subprocess.run(["bash", "-c", functions + rounds], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("start --no-block mailstack-flush.service\n", "")


def run(directory: Path, messages: list[str]) -> list[str]:
    """Run the script until it has read these messages of Dovecot; return what it told systemd."""
    (directory / "told").write_text("")
    with started(directory, messages):
        wait(lambda: DATABASE[-1] in (directory / "told").read_text())
    return (directory / "told").read_text().split("\n")[:-1]


@contextmanager
def started(directory: Path, messages: list[str]) -> Iterator[None]:
    """Run the script, with these messages in the journal; what it tells systemd is in the file `told`."""
    lines = "".join(f"1764000000.123456 mail dovecot[42]: {message}\n" for message in messages)
    (directory / "lines").write_text(lines)
    (directory / "told").touch()
    programs = {
        "journalctl": f"cat {directory}/lines; exec sleep 600",
        "postmap": 'case "$*" in *"-q -"*) exec cat >/dev/null;; esac',
        "systemctl": f'echo "$*" >>{directory}/told',
    }
    for name, text in programs.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}
    with subprocess.Popen(
        ["bash", "-c", script_in(directory)], env=env, start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def script_in(directory: Path) -> str:
    """Return the script, with its files in this directory."""
    script = render("postfix/recover", driver="pgsql", service="postfix")
    for path, own in (
        ("/usr/local/lib/mailstack/new-auth", "systemctl new-auth"),
        ("/run/mailstack-recover", f"{directory}/looked"),
        ("/var/spool/postfix/defer", f"{directory}/deferred"),
    ):
        script = script.replace(path, own)
    return script


def wait(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
