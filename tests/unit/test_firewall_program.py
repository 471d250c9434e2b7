"""The program on a host that loads the rules of the firewall, with other programs and /proc faked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mailstack.templates import render

#: As ss(8) prints them. Any user can give a program a name, with quotes in it too.
LISTENERS = """\
LISTEN 0      128          0.0.0.0:2201      0.0.0.0:*  users:(("sshd",pid=1,fd=3))
LISTEN 0      128             [::]:2201         [::]:*  users:(("sshd",pid=1,fd=4))
LISTEN 0      128  [fe80::1]%eth0:2202             *:*  users:(("dropbear",pid=2,fd=3),("x",pid=9,fd=3))
LISTEN 0      128        127.0.0.1:6010      0.0.0.0:*  users:(("sshd",pid=1,fd=9))
LISTEN 0      128            [::1]:6010         [::]:*  users:(("sshd",pid=1,fd=8))
LISTEN 0      1            0.0.0.0:8083      0.0.0.0:*  users:(("sshd",pid=3,fd=3))
LISTEN 0      1            0.0.0.0:8084      0.0.0.0:*  users:(("sshd",pid=4,fd=3))
LISTEN 0      1            0.0.0.0:8085      0.0.0.0:*  users:(("sshd",pid=1,fd=",pid=3,fd=3))
LISTEN 0      1            0.0.0.0:8086      0.0.0.0:*  users:(("sshd",pid=7,fd=3))
LISTEN 0      1            0.0.0.0:25        0.0.0.0:*  users:(("master",pid=5,fd=3))
"""
#: By process: its user, and its program.
PROCESSES = {
    1: (0, "/usr/sbin/sshd"),
    2: (0, "/usr/sbin/dropbear (deleted)"),
    3: (1000, "/home/eve/sshd"),
    4: (1000, "/usr/sbin/sshd"),  # of a session: ssh -R
    5: (0, "/usr/lib/postfix/sbin/master"),
    7: (0, "/usr/bin/su"),  # by a link of the name sshd
}
FAKES = {
    "systemctl": 'case $1 in list-sockets) echo "0.0.0.0:22 ssh.socket ssh.service" ;; esac',
    "ss": 'cat "$HOST/ss"',
    "stat": 'cat "$3/uid"',
}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "ss").write_text(LISTENERS)
    for number, (user, program) in PROCESSES.items():
        process = tmp_path / "proc" / str(number)
        process.mkdir(parents=True)
        (process / "uid").write_text(f"{user}\n")
        (process / "exe").symlink_to(program)
    (tmp_path / "bin").mkdir()
    for name, text in FAKES.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run(host: Path, *arguments: str, instead: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program on that host, or its functions with other commands."""
    program = render("firewall/firewall", rules=str(host / "rules"), state=str(host / "state"), seconds=1)
    for directory in ("/proc", "/run"):
        program = program.replace(f"{directory}/", f"{host}{directory}/")
    if instead:
        program = program.partition("\nlock=")[0] + f"\n{instead}\n"
    (host / "run").mkdir(exist_ok=True)
    environment = {"PATH": f"{host / 'bin'}:{os.environ['PATH']}", "HOST": str(host)}
    return subprocess.run(
        ["sh", "-s", "--", *arguments],
        input=program,
        text=True,
        capture_output=True,
        timeout=60,
        env=environment,
    )


def test_ports_of_ssh_are_those_of_a_server_that_runs_as_root(host: Path) -> None:
    assert run(host, instead="ssh_ports").stdout.split() == ["22", "2201", "2202"]


def test_its_lock_is_in_a_directory_for_root_alone(host: Path) -> None:
    run(host, "nothing")
    assert (host / "run/mailstack").stat().st_mode & 0o777 == 0o700
    assert [each.name for each in (host / "run/mailstack").iterdir()] == ["firewall.lock"]


def test_a_lock_that_is_never_given_back_is_an_error(host: Path) -> None:
    (host / "bin/flock").write_text("#!/bin/sh\nexit 1\n")
    (host / "bin/flock").chmod(0o755)
    done = run(host, "state")
    assert done.returncode == 1 and "firewall.lock" in done.stderr and not done.stdout
