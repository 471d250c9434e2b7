"""A deploy records what it brings to a host."""

from __future__ import annotations

import grp
import pwd
import subprocess
from pathlib import Path

from mailstack.operations.packages import _recorded
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


def test_people_are_never_brought() -> None:
    commands = "present | grep -e '^user ' -e '^group '"
    program = f"{script('brought')}\n{commands}"
    done = subprocess.run(["sh"], input=program, text=True, capture_output=True, check=True)
    users = {f"user {each.pw_name}" for each in pwd.getpwall() if each.pw_uid < 1000}
    groups = {f"group {each.gr_name}" for each in grp.getgrall() if each.gr_gid < 1000}
    assert {*done.stdout.splitlines()} == users | groups
    assert "user nobody" not in users and "user root" in users


def test_a_failed_installation_is_noted_at_once(tmp_path: Path) -> None:
    dpkg = tmp_path / "dpkg-query"
    dpkg.write_text('#!/bin/sh\ncat "$MAILSTACK_ROOT/packages"\n')
    dpkg.chmod(0o755)
    (tmp_path / "packages").touch()
    install = 'echo "installed package postfix" > "$MAILSTACK_ROOT/packages"\nexit 100'
    env = {"MAILSTACK_ROOT": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh"], input=_recorded(install, ""), text=True, env=env, check=False)
    brought = tmp_path / "var/lib/mailstack/brought"
    assert done.returncode == 1 and not (brought / "before").exists()
    assert (brought / "things").read_text() == "package postfix\n"
