"""The mail of one user, or one folder, is back beside all that is there."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.support import backups, clients
from tests.support.backups import DATA, PASSWORD, Lost, Mail
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import CAROL
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql


def restore(target: Target, *args: str) -> str:
    """Bring back mail of a user, and return what is said, on one line."""
    run = target.pyinfra("-y", "mailstack.restore", *args, data=DATA, timeout=300).check()
    return " ".join(run.stderr.split())


def alike(messages: dict[int, Mail]) -> Counter[tuple[frozenset[str], str, str]]:
    """Return the messages without their UIDs."""
    return Counter((each.flags, each.received, each.content) for each in messages.values())


def named(found: dict[str, dict[int, Mail]], name: str) -> dict[int, Mail]:
    """Return the messages of a folder, whatever its UIDVALIDITY is."""
    (folder,) = [messages for each, messages in found.items() if each.rpartition(" ")[0] == name]
    return folder


def test_a_folder_is_back_beside_the_one_that_is_there(kept: Target, lost: Lost) -> None:
    with clients.imap(kept, CAROL, password=PASSWORD) as session:
        session.select("Lists")
        session.store("1:*", "+FLAGS", r"(\Deleted)")
        session.expunge()
    assert not named(backups.mailboxes(kept, CAROL, PASSWORD), "Lists")
    said = restore(kept, f"user={CAROL}", "folder=Lists")
    assert "in the folder Restored 20" in said and "; 3 messages; " in said, said
    again = kept.pyinfra("-y", "mailstack.restore", f"user={CAROL}", "folder=Lists", data=DATA, timeout=300)
    assert again.returncode and "has the folder Restored" in " ".join(again.stderr.split())
    found = backups.mailboxes(kept, CAROL, PASSWORD)
    (into,) = {each.partition("/")[0] for each in found if each.startswith("Restored")}
    assert alike(named(found, f"{into}/Lists")) == alike(named(lost.quiet, "Lists"))
    assert not named(found, "Lists") and not any("INBOX" in each for each in found if into in each)
    assert {name: mail for name, mail in found.items() if name in lost.quiet and "Lists" not in name} == {
        name: mail for name, mail in lost.quiet.items() if "Lists" not in name
    }
    assert kept.exec("ls -A /var/vmail").stdout.split() == ["example.com", "example.org"]


def test_a_user_without_mail_gets_all_as_it_was(kept: Target, lost: Lost) -> None:
    home = clients.home(kept, CAROL)
    kept.exec(f"rm -rf {home}/Maildir {home}/sdbox {home}/sieve")
    assert not any(backups.mailboxes(kept, CAROL, PASSWORD).values())
    restore(kept, f"user={CAROL}")
    assert backups.mailboxes(kept, CAROL, PASSWORD) == lost.quiet
    assert "ACTIVE" in kept.exec(["doveadm", "sieve", "list", "-u", CAROL]).stdout


# mailstack says it, and not Dovecot
@on_debian_13
def test_what_can_not_be_is_said(kept: Target, lost: Lost) -> None:
    for args, expected in (
        (["user=nobody@example.org"], "the backup has no user nobody@example.org"),
        (["at=abcdef12"], "has no backup abcdef12"),
        (["at=yesterday"], "at = 'yesterday': allowed: the ID of a backup"),
        (["folder=Lists"], "folder: needs user"),
        ([f"user={CAROL}", "folder=Lost"], "the backup has no folder Lost, or no message in it of"),
        ([], "has mail already; the option overwrite puts it aside"),
    ):
        run = kept.pyinfra("-y", "mailstack.restore", *args, data=DATA, timeout=300)
        assert run.returncode and expected in " ".join(run.stderr.split()), run.stderr
    assert backups.mailboxes(kept, CAROL, PASSWORD) == lost.quiet


def test_a_quota_does_not_stop_it(kept: Target, lost: Lost) -> None:
    listed = kept.pyinfra("-y", "mailstack.backup.list", "format=json", data=DATA).check().stdout
    oldest = json.loads(listed)["backups"][-1]["id"]
    with clients.imap(kept, CAROL, password=PASSWORD) as session:
        session.append("INBOX", "", "", b"Subject: fills\r\n\r\n" + b"much mail\r\n" * 150_000)
    clients.sql(kept, f"UPDATE mail_users SET quota_mb = 1 WHERE email = '{CAROL}'")
    try:
        said = restore(kept, f"user={CAROL.upper()}", f'at="{oldest}"')
        assert f"; {sum(map(len, lost.quiet.values()))} messages; " in said, said
    finally:
        clients.sql(kept, f"UPDATE mail_users SET quota_mb = 77 WHERE email = '{CAROL}'")


def test_mail_in_the_other_format_comes_too(kept: Target, lost: Lost) -> None:
    """The user was carried over since the backup, and lost all: the row says what lies on the disk."""
    home = clients.home(kept, CAROL)
    for after, directory in (("maildir", "Maildir"), ("sdbox", "sdbox")):
        backups.backup(kept)
        before = backups.mailboxes(kept, CAROL, PASSWORD)
        change = ("mailstack.accounts.convert", CAROL, f"mail_driver={after}", "delete_old=true")
        kept.pyinfra("-y", *change, data=DATA).check()
        kept.exec(f"rm -rf {home}/{directory}")
        said = restore(kept, f"user={CAROL}")
        assert f"; {sum(map(len, before.values()))} messages; " in said, said
        found = backups.mailboxes(kept, CAROL, PASSWORD)
        come = [messages for name, messages in found.items() if name.startswith("Restored")]
        assert sum(map(alike, come), Counter()) == sum(map(alike, before.values()), Counter())
        assert clients.mail_root(kept, CAROL) == f"{home}/{directory}"
        kept.exec(f"test -d {home}/{directory}")
