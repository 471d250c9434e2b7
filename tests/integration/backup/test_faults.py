"""Backups that can't be made or read: each says why, the next one works, and mail goes on."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.support import backups, clients, deploys
from tests.support.backups import DATA, PASSWORD, REPOSITORY, Lost, Mail
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import CAROL, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

#: Start a backup, and kill all of its processes once it holds a lock of the repository.
KILL = f"""
systemctl start --no-block mailstack-backup
for _ in $(seq 2400); do
  [ -z "$(ls {REPOSITORY}/locks)" ] || break
  sleep 0.05
done
systemctl kill --signal=KILL mailstack-backup
while [ "$(systemctl show -p ActiveState --value mailstack-backup)" = activating ]; do sleep 0.1; done
ls {REPOSITORY}/locks
"""
SECRET = "/var/lib/mailstack/secrets/backup-password"
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
    # a lock that is held for a moment may be gone before the kill
    clients.eventually(lambda: kept.exec(KILL, timeout=300).stdout.strip(), "no lock is left", 300)
    backups.backup(kept)
    assert troubles(kept) == []


# mailstack finds it before restic is asked
@on_debian_13
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


#: Data that no backup needs, in a repository that has only 1 MB left.
UNUSED = f"""
head -c 40m /dev/urandom > /root/unused
export RESTIC_REPOSITORY={REPOSITORY} RESTIC_PASSWORD_FILE={SECRET}
restic backup -q --host mail.example.org --tag mailstack-mail /root/unused
free=$(df --output=avail -B1 {REPOSITORY} | tail -1)
head -c $((free - 1000000)) /dev/zero > {REPOSITORY}/full
"""


def test_in_a_full_repository_what_no_backup_needs_is_removed(kept: Target, lost: Lost) -> None:
    kept.exec(f"{SMALL} && {COPY}")
    try:
        kept.exec(UNUSED, timeout=120)
        backups.backup(kept)
        free = int(kept.exec(f"df --output=avail -B1 {REPOSITORY} | tail -1").stdout)
        assert free > 30_000_000
        assert troubles(kept) == []
    finally:
        kept.exec(f"umount {REPOSITORY}")


def pack_of(target: Target, name: str) -> str:
    """Return the path of the file in the repository that has the data of a message."""
    variables = f"RESTIC_REPOSITORY={REPOSITORY} RESTIC_PASSWORD_FILE={SECRET}"
    packs = target.exec(f"find {REPOSITORY}/data -type f -newer /root/damage").stdout.split()
    for pack in packs:
        found = target.exec(f"{variables} restic find --pack {pack.rpartition('/')[2]}", check=False)
        if f"{name}\n" in found.stdout:
            return pack
    raise AssertionError(f"{name} is in none of {packs}")


def test_a_damaged_file_of_the_repository_costs_its_messages_alone(kept: Target, lost: Lost) -> None:
    first = kept.pyinfra("-y", "mailstack.backup.list", "format=json", data=DATA).check().stdout
    oldest = json.loads(first)["backups"][-1]["id"]
    kept.exec("touch /root/damage")
    clients.received(kept, CAROL, clients.send(kept, clients.message(STRANGER, CAROL)), PASSWORD)
    backups.backup(kept)
    home = clients.home(kept, CAROL)
    new = "-type f -newer /root/damage '(' -path '*/cur/*' -o -path '*/new/*' -o -name 'u.[0-9]*' ')'"
    (name,) = kept.exec(f"find {home} {new} -printf '%P\\n'").stdout.splitlines()
    pack = pack_of(kept, f"/{name}")
    kept.exec(f"size=$(stat -c %s {pack}) && head -c $size /dev/zero > {pack}")
    kept.exec(f"rm -rf {home}/Maildir {home}/sdbox")
    run = kept.pyinfra("-y", "mailstack.restore", f"user={CAROL}", data=DATA, timeout=300)
    said = " ".join(run.stderr.split())
    assert run.returncode and "the repository is damaged: " in said, said
    assert "not in the backup any more: " in said and "the rest is back" in said, said
    assert contents(backups.mailboxes(kept, CAROL, PASSWORD)) == contents(lost.quiet)
    kept.exec(f"rm -rf {REPOSITORY}/* && tar -C {REPOSITORY} -xf /root/repository.tar")
    kept.exec(f"rm -rf {home}/Maildir {home}/sdbox")
    kept.pyinfra("-y", "mailstack.restore", f"user={CAROL}", f'at="{oldest}"', data=DATA, timeout=300).check()
    assert backups.mailboxes(kept, CAROL, PASSWORD) == lost.quiet


def contents(found: dict[str, dict[int, Mail]]) -> Counter[tuple[str, str]]:
    """Return the messages by folder. Their UIDs were in the damaged file, too."""
    return Counter(
        (name.rpartition(" ")[0], mail.content) for name, mails in found.items() for mail in mails.values()
    )
