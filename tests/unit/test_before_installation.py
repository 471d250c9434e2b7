"""main.cf before Postfix is installed, and the copy that is kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mailstack.components.postfix import POSTFIX
from mailstack.settings import Settings
from mailstack.shell import script
from tests.support.sites import site

FOUND = "var/lib/mailstack/found"
OURS = "# Written by mailstack for the installation\nmyhostname = mail.example.org\n"


def run(root: Path, text: str) -> None:
    """Run it below this directory, where no Postfix is installed."""
    (root / "dpkg-query").write_text("#!/bin/sh\necho config-files\n")
    (root / "dpkg-query").chmod(0o755)
    env = {**os.environ, "PATH": f"{root}:{os.environ['PATH']}", "MAILSTACK_ROOT": str(root)}
    subprocess.run(["sh"], input=text, text=True, env=env, check=True)


def before(root: Path) -> Path:
    """Prepare for the installation, twice; return the path of the kept main.cf."""
    for _ in range(2):
        run(root, POSTFIX.before_packages(site(Settings(mail_hostname="mail.example.org"))))
    return root / FOUND / "etc/postfix/main.cf"


@pytest.mark.parametrize("name", ["myhostname=12345", "myhostname   = old.example.net"])
def test_what_an_administrator_wrote_is_kept_as_it_was(tmp_path: Path, name: str) -> None:
    main = tmp_path / "etc/postfix/main.cf"
    main.parent.mkdir(parents=True)
    main.write_text(f"# by hand\n{name}\n")
    kept = before(tmp_path)
    assert kept.read_text() == f"# by hand\n{name}\n"
    assert main.read_text() == f"# by hand\n{OURS}"
    assert not (tmp_path / FOUND).stat().st_mode & 0o077


def test_our_own_lines_are_not_kept(tmp_path: Path) -> None:
    kept = before(tmp_path)
    assert (tmp_path / "etc/postfix/main.cf").read_text() == OURS
    run(tmp_path, script("keep") + "keep /etc/postfix/main.cf")
    assert not kept.exists()
