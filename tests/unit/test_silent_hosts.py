"""What `mailstack.status` asks a host has a limit: it asks on the day on which something does not answer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mailstack.overview import storage
from mailstack.overview.host import Disk, HostState
from mailstack.shell import script


@pytest.fixture
def run(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Return the run of the scripts where each program with a limit reaches it, but for df of one path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "timeout").write_text(
        '#!/bin/sh\necho "$@" >> "$SAID"\nshift\nfor last; do :; done\n'
        '[ "$1" = df ] && [ "$last" != /away ] && exec "$@"\nexit 124\n'
    )
    (programs / "doveadm").write_text("#!/bin/sh\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "SAID": str(tmp_path / "said"), "LC_ALL": "C"}
    users = [part for number in range(4000) for part in (f"u{number}@example.org", "/")]
    scripts = [
        script("status", "/mail", str(tmp_path), "/", "/away", "/missing"),
        script("quotas_used", *users),
    ]
    text = "".join(f"(\n{each}\n)\n" for each in scripts)
    return subprocess.run(["sh"], input=text, env=environment, capture_output=True, text=True, timeout=60)


def test_all_that_may_be_silent_has_a_limit(run: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    limits = [line.split()[:2] for line in (tmp_path / "said").read_text().split("\n")[:-1]]
    assert limits == [
        ["20", "systemctl"],
        *[["10", "df"]] * 3,
        ["5", "du"],
        ["30", "postqueue"],
        ["10", "stat"],
        ["20", "setpriv"],
        ["260", "doveadm"],  # 4,000 mailboxes
    ]


def test_a_disk_that_does_not_answer(run: subprocess.CompletedProcess[str]) -> None:
    found = HostState.of("/mail", "", []).parse(run.stdout)
    assert [(disk.mounted, disk.answers) for disk in found.disks] == [("/", True), ("/away", False)]
    assert found.queue is None and found.store is None
    section = storage.disks([Disk("/away", 0, 0, 0, 0, answers=False)], None, "")
    assert section.lines == ["/away: not known"]
    assert [trouble.text for trouble in section.troubles] == ["/away does not answer"]
