"""A host of Debian 12 is lost, and all of it is back on one of Debian 13."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.conftest import Factory, standard
from tests.support import backups, clients, deploys
from tests.support.backups import DATA, PASSWORD, REPOSITORY, SCRIPT
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, STRANGER
from tests.targets.containers import Target
from tests.targets.networks import Network

pytestmark = pytest.mark.postgresql

USERS = {ALICE: None, BOB: None, CAROL: PASSWORD}


def queued(target: Target) -> dict[str, str]:
    """Return where each message of the queue is, by its subject."""
    found = {}
    for each in map(json.loads, target.exec(["postqueue", "-j"]).stdout.splitlines()):
        text = target.exec(["postcat", "-hq", each["queue_id"]], check=False).stdout
        if subject := re.search(r"^Subject: (.*)$", text, re.MULTILINE):  # it may be delivered just now
            found[subject[1]] = each["queue_name"]
    return found


def filled(old: Target) -> None:
    """Give users all that a backup must bring back: a Maildir, a disabled user, a queue."""
    backups.fill(old)
    clients.sql(old, f"UPDATE mail_users SET mail_driver = 'maildir' WHERE email = '{BOB}'")
    for user in (ALICE, BOB):
        for number in range(3):
            mail = clients.message(STRANGER, user, f"number {number}")
            clients.received(old, user, clients.send(old, mail))
        with clients.imap(old, user) as session:
            session.select("INBOX")
            session.store("2", "+FLAGS", r"(\Flagged $work)")
            session.create("Old things")
            session.copy("1:2", '"Old things"')
    old.exec(f"doveadm quota recalc -u {BOB}")
    clients.sql(old, f"UPDATE mail_users SET active = true WHERE email = '{DAVE}'")
    clients.received(old, DAVE, clients.send(old, clients.message(STRANGER, DAVE, "of a disabled user")))
    clients.sql(old, f"UPDATE mail_users SET active = false WHERE email = '{DAVE}'")
    backups.waiting(old)
    old.exec(f"printf 'Subject: held\\n\\n' | sendmail -f {ALICE} y@waiting.example")
    clients.eventually(lambda: "held" in queued(old), "nothing more waits")
    held = [json.loads(line) for line in old.exec(["postqueue", "-j"]).stdout.splitlines()]
    names = [each["queue_id"] for each in held if each["recipients"][0]["address"] == "y@waiting.example"]
    old.exec(["postsuper", "-h", *names])
    old.exec("systemctl stop postfix 'postfix@*'")
    old.exec(f"printf 'Subject: dropped\\n\\n' | sendmail -f {BOB} {ALICE}")
    assert old.exec("ls /var/spool/postfix/maildrop").stdout.split()


@pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)
def test_all_of_a_host_is_back_on_the_next_release(
    network: Network, factory: Factory, clone: Factory
) -> None:
    old = factory("old", image=standard(network, 12, "postgresql"), debian=12)
    old.pyinfra("-y", "deploy.py", data=DATA, timeout=900).check()
    filled(old)
    backups.backup(old)
    before = {user: backups.mailboxes(old, user, password) for user, password in USERS.items()}
    rows = clients.sql(
        old, "SELECT email, password, quota_mb, mail_driver, active FROM mail_users ORDER BY 1"
    )
    files = backups.sums(old)
    key = old.pyinfra("-y", "mailstack.backup.password", data=DATA).check().stdout.strip()
    old.exec(f"tar -C {REPOSITORY} -cf /root/repository.tar .")
    repository = old.read("/root/repository.tar")
    old.remove()

    new = clone("new")
    new.pyinfra("-y", "deploy.py", data=DATA, timeout=900).check()
    new.write("/root/repository.tar", repository)
    new.exec(f"mkdir -m 700 {REPOSITORY} && tar -C {REPOSITORY} -xf /root/repository.tar")
    command = ["-y", "mailstack.restore", "password_from=env:BACKUP"]
    run = new.pyinfra(*command, data=DATA, env={"BACKUP": key}, timeout=600).check()
    assert "1 that Postfix had not yet taken up are in" in " ".join(run.stderr.split())

    assert (
        clients.sql(new, "SELECT email, password, quota_mb, mail_driver, active FROM mail_users ORDER BY 1")
        == rows
    )
    for user, password in USERS.items():
        assert backups.mailboxes(new, user, password) == before[user], user
    assert files.items() <= backups.sums(new).items()
    script = new.exec(["doveadm", "sieve", "get", "-u", CAROL, "mine"]).stdout
    assert script.split()[-len(SCRIPT.split()) :] == SCRIPT.split()
    assert "ACTIVE" in new.exec(["doveadm", "sieve", "list", "-u", CAROL]).stdout
    quota = new.exec(["doveadm", "-f", "tab", "quota", "get", "-u", CAROL]).stdout
    assert re.search(rf"STORAGE\t\d+\t{77 * 1024}\t", quota), quota
    clients.received(new, CAROL, clients.send(new, clients.message(STRANGER, "sales@example.com")), PASSWORD)
    deploys.assert_mail_flows(new)
    deploys.assert_converged(new, DATA)
    assert_nothing_is_sent_twice(new)
    assert_a_disabled_user_is_undeleted(new)


def assert_nothing_is_sent_twice(new: Target) -> None:
    """Assert that what waited is on hold, and goes once, when a person lets it."""
    assert queued(new) == {"waits": "hold", "held": "hold"}
    aside = "/var/lib/mailstack/backup/maildrop"
    with clients.imap(new, ALICE) as session:
        session.select("INBOX")
        assert session.search(None, "SUBJECT", "dropped")[1] == [b""]
    new.exec(f"mv {aside}/* /var/spool/postfix/maildrop/")

    def came() -> bool:
        with clients.imap(new, ALICE) as session:
            session.select("INBOX")
            return len((session.search(None, "SUBJECT", "dropped")[1][0] or b"").split()) == 1

    clients.eventually(came, "the message of before did not come", 90)
    new.exec("postsuper -H ALL")
    clients.eventually(lambda: {*queued(new).values()} <= {"deferred", "active"}, "all is on hold")


def assert_a_disabled_user_is_undeleted(new: Target) -> None:
    """Assert that mail of a user who was disabled before the backup, and is so now, is back."""
    home = clients.home(new, DAVE)
    subjects = f"grep -rl 'of a disabled user' {home}"
    assert new.exec(subjects).stdout
    new.exec(f"rm -rf {home}/sdbox")
    run = new.pyinfra("-y", "mailstack.restore", f"user={DAVE}", data=DATA, timeout=300).check()
    assert "; 1 messages; " in " ".join(run.stderr.split()), run.stderr
    assert new.exec(subjects).stdout
    again = new.pyinfra("-y", "mailstack.restore", f"user={DAVE}", data=DATA, timeout=300)
    assert again.returncode and f"{DAVE} is disabled, and Dovecot opens no" in " ".join(again.stderr.split())
