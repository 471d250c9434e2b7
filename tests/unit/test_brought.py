"""A deploy records what it brings to a host."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mailstack.shell import script


def test_what_is_brought_is_what_was_not_there(tmp_path: Path) -> None:
    """A killed installation is noted by the next one; packages that apt took away are kept too."""

    def run(commands: str) -> str:
        fake = 'present() { cat "$MAILSTACK_ROOT/present"; }\n'
        done = subprocess.run(
            ["sh"],
            input=f"{script('brought')}\n{fake}{commands}",
            env={"MAILSTACK_ROOT": str(tmp_path), "PATH": "/usr/bin:/bin"},
            text=True,
            capture_output=True,
            check=True,
        )
        return done.stdout

    present = tmp_path / "present"
    present.write_text("package exim4\npackage nginx\nuser root\n")
    run("begin")
    present.write_text("package nginx\npackage postfix\nuser postfix\nuser root\n")
    run("begin")  # the run before was killed
    assert run("things") == "package postfix\nuser postfix\n"
    run("note; note; bring user vmail")
    brought = tmp_path / "var/lib/mailstack/brought"
    assert (brought / "things").read_text() == "package postfix\nuser postfix\nuser vmail\n"
    assert (brought / "replaced").read_text() == "exim4\n"
    assert not (brought / "before").exists()
    assert brought.stat().st_mode & 0o777 == 0o700
