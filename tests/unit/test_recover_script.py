"""`mailstack-recover` reads that the clock was set back, in a journal of a few lines."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from mailstack.templates import render

MOVED = "master: Warning: Time moved backwards by {} seconds, waiting for "
FORGED = f"auth: Error: sqlpool(pgsql): Query failed, aborting: SELECT 'dovecot: {MOVED.format('60.0')}'"


def test_a_clock_that_was_set_back_reloads_dovecot(tmp_path: Path) -> None:
    """One that went back by less than ten seconds is waited for. What a client sends is no clock."""
    said = run(tmp_path, [MOVED.format("9.412311"), FORGED, MOVED.format("59.831457")])
    assert said.count("reload dovecot.service") == 1
    assert said.count("new-auth") == 2
    assert (
        said.count("reload postfix.service") == 1
    )  # for the error of the database, as is the other new-auth


def run(directory: Path, messages: list[str]) -> list[str]:
    """Run the script until it has read these messages of Dovecot; return what it told systemd."""
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
    script = render("postfix/recover", driver="pgsql", service="postfix")
    script = script.replace("/usr/local/lib/mailstack/new-auth", "systemctl new-auth")
    for path in ("/run/mailstack-recover", "/var/spool/postfix/defer"):
        script = script.replace(path, f"{directory}/none")
    env = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}
    with subprocess.Popen(
        ["bash", "-c", script], env=env, start_new_session=True, stderr=subprocess.DEVNULL
    ) as started:
        try:
            deadline = time.monotonic() + 60
            while len(told := (directory / "told").read_text().split("\n")[:-1]) < 5:
                assert time.monotonic() < deadline, told
                time.sleep(0.1)
        finally:
            os.killpg(started.pid, signal.SIGKILL)
    return told
