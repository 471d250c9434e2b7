"""The mail of removed users is deleted, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mailstack.accounts.mail import deleting


def delete_home(root: Path, home: Path, plan: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``delete_homes.sh`` on a host where the command with this plan is at work; it waits for no time."""
    (root / "run/mailstack-convert").mkdir(parents=True, exist_ok=True)
    (root / "run/mailstack-convert/plan").write_text(plan)
    text = f"sleep() {{ :; }}\n{before}\n{deleting([str(home)])}"
    environment = {**os.environ, "MAILSTACK_ROOT": str(root)}
    return subprocess.run(["sh"], input=text, env=environment, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("name", ["alice", 'a"b', "a\\b", "a'b", "ä.b*c"])
def test_no_home_is_deleted_under_a_command_that_works_on_it(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    plan, other = (
        json.dumps({"email": "a@example.org", "home": str(path), "before": "sdbox"}, ensure_ascii=False)
        for path in (home, tmp_path / "other")
    )
    assert f"works on {home};" in delete_home(tmp_path, home, plan).stderr and home.exists()
    assert delete_home(tmp_path, home, other).returncode == 0 and not home.exists()


def test_no_home_is_deleted_where_a_link_of_dovecot_s_user_leads(tmp_path: Path) -> None:
    """The directory of a domain may be a link to /home, which has a directory of the same name."""
    (tmp_path / "etc/alice").mkdir(parents=True)
    (tmp_path / "vmail").mkdir()
    domain = tmp_path / "vmail/example.org"
    domain.symlink_to(tmp_path / "etc")
    theirs = "stat() { echo 4242; }"
    done = delete_home(tmp_path, domain / "alice", "", before=theirs)
    assert done.stderr == f"{domain} is a symbolic link that root has not made: remove it\n"
    assert done.returncode == 1 and (tmp_path / "etc/alice").is_dir()
    assert delete_home(tmp_path, domain / "alice", "").returncode == 0  # to another disk
    assert delete_home(tmp_path, domain / "alice", "").returncode == 0 and not [*(tmp_path / "etc").iterdir()]


def test_no_link_of_root_leads_over_one_of_dovecot_s_user(tmp_path: Path) -> None:
    """A domain may be a link of root's to another domain, whose directory is a link to /home."""
    (tmp_path / "etc/alice").mkdir(parents=True)
    (tmp_path / "example.org").symlink_to("etc")
    (tmp_path / "example.net").symlink_to("./example.org/")
    theirs = 'stat() { case $3 in ./example.org) echo 4242 ;; *) command stat "$@" ;; esac; }'
    done = delete_home(tmp_path, tmp_path / "example.net/alice", "", before=theirs)
    assert done.stderr == f"{tmp_path}/example.org is a symbolic link that root has not made: remove it\n"
    assert done.returncode == 1 and (tmp_path / "etc/alice").is_dir()
    assert delete_home(tmp_path, tmp_path / "example.net/alice", "").returncode == 0
    assert not (tmp_path / "etc/alice").exists()
