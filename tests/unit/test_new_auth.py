"""`new-auth` ends Dovecot's own processes, and no others; one that has ended meanwhile is no error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from mailstack.templates import render

NO_PROCESS = 4194305
"""More than any process id."""


@pytest.mark.parametrize(
    ("version", "name", "signal"),
    [
        ("2.3.19.1 (9b53102964)", "auth", SIGTERM),
        ("2.4.1-4 (7d8c0e5759)", "auth", SIGKILL),
        # a delivery that is killed happens again
        ("2.4.1-4 (7d8c0e5759)", "lmtp", SIGTERM),
        ("2.4.1-4 (7d8c0e5759)", "quota-status", SIGTERM),
    ],
)
def test_dovecots_processes_end_and_no_others(tmp_path: Path, version: str, name: str, signal: int) -> None:
    (tmp_path / "master.pid").write_text(f"{os.getpid()}\n")
    with (
        subprocess.Popen(["sleep", "300"]) as ours,
        subprocess.Popen(
            ["sh", "-c", "sleep 300 & echo $!; wait"], stdout=subprocess.PIPE, text=True
        ) as other,
    ):
        assert other.stdout
        theirs = other.stdout.readline().strip()
        found = f"case \" $* \" in *' {name} '*) echo {NO_PROCESS} {theirs} {ours.pid};; esac"
        for program, text in {"pidof": found, "dovecot": f"echo '{version}'"}.items():
            (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / program).chmod(0o755)
        script = render("dovecot/new-auth").replace("/run/dovecot/", f"{tmp_path}/")
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh"], input=script, env=env, capture_output=True, text=True, timeout=60)
        try:
            assert (done.returncode, done.stderr) == (0, "")
            assert ours.wait(60) == -signal
            assert Path(f"/proc/{theirs}").exists()
        finally:
            ours.kill()
            os.kill(int(theirs), 9)
