"""Backups that can't be made or read: each says why, the next one works, and mail goes on."""

from __future__ import annotations

import json

import pytest

from tests.support import backups, deploys
from tests.support.backups import DATA, REPOSITORY, Lost
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

#: Start a backup, and kill all of its processes once it holds a lock of the repository.
KILL = f"""
systemctl start --no-block mailstack-backup
for _ in $(seq 600); do
  [ -z "$(ls {REPOSITORY}/locks)" ] || break
  sleep 0.05
done
systemctl kill --signal=KILL mailstack-backup
while [ "$(systemctl show -p ActiveState --value mailstack-backup)" = activating ]; do sleep 0.1; done
ls {REPOSITORY}/locks
"""
#: A disk in the place of the repository, with a copy of it.
SMALL = f"mount -t tmpfs -o size=64m tmpfs {REPOSITORY} && chmod 700 {REPOSITORY}"
COPY = f"tar -C {REPOSITORY} -xf /root/repository.tar"
FILL = f"head -c 100m /dev/zero > {REPOSITORY}/full || true"


def refused(target: Target, command: str = "mailstack.backup.now") -> str:
    """Run a command that fails, and return what it says on one line."""
    run = target.pyinfra("-y", command, data=DATA, timeout=300)
    assert run.returncode, run.stdout
    return " ".join(run.stderr.split())


def troubles(target: Target) -> list[str]:
    """Return what `mailstack.status` says of backups."""
    run = target.pyinfra("-y", "mailstack.status", "format=json", "changes=false", data=DATA)
    return [each["text"] for each in json.loads(run.stdout)["troubles"] if each["section"] == "backup"]


def test_a_backup_that_was_killed_is_followed_by_a_good_one(kept: Target, lost: Lost) -> None:
    assert kept.exec(KILL, timeout=120).stdout.strip(), "no lock is left"
    backups.backup(kept)
    assert troubles(kept) == []


def test_a_disk_that_is_not_mounted_gets_no_other_repository(kept: Target, lost: Lost) -> None:
    kept.exec(SMALL)
    try:
        assert "is gone: is its disk mounted?" in refused(kept)
        assert kept.exec(f"ls {REPOSITORY}").stdout == ""
        (trouble,) = troubles(kept)
        assert trouble.startswith("the last one failed: the repository")
        kept.exec(COPY)
        kept.exec(FILL)
        assert "nearly full" in refused(kept) or "no space left" in refused(kept)
        deploys.assert_mail_flows(kept)
    finally:
        kept.exec(f"umount {REPOSITORY}")
    backups.backup(kept)
    assert troubles(kept) == []
