"""`new-auth` ends Dovecot's own processes, and no others; one that has ended meanwhile is no error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from mailstack.templates import render

NO_PROCESS = 4194305
"""More than any process id."""


def test_dovecots_processes_end_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "master.pid").write_text(f"{os.getpid()}\n")
    with (
        subprocess.Popen(["sleep", "60"]) as ours,
        subprocess.Popen(
            ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True
        ) as other,
    ):
        assert other.stdout
        theirs = other.stdout.readline().strip()
        (tmp_path / "pidof").write_text(f"#!/bin/sh\necho {NO_PROCESS} {theirs} {ours.pid}\n")
        (tmp_path / "pidof").chmod(0o755)
        script = render("dovecot/new-auth").replace("/run/dovecot/", f"{tmp_path}/")
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh"], input=script, env=env, capture_output=True, text=True, timeout=60)
        try:
            assert (done.returncode, done.stderr) == (0, "")
            assert ours.wait(10) == -15
            assert Path(f"/proc/{theirs}").exists()
        finally:
            ours.kill()
            os.kill(int(theirs), 9)
