"""Restores that fail: the host's own password, mail that came since, and its accounts are all there."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import backups, clients, deploys
from tests.support.backups import DATA, PASSWORD, REPOSITORY
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import ALICE, CAROL, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

OWN = "/var/lib/mailstack/secrets/backup-password"
#: In the way of a file that is brought back after the mail.
BLOCK = "rm -f /var/mail/root && mkdir -p /var/mail/root/x"


def refused(target: Target, *args: str, **env: str) -> str:
    """Run a restore that fails, and return what it says on one line."""
    run = target.pyinfra("-y", *(args or ("mailstack.restore",)), data=DATA, env=env, timeout=300)
    assert run.returncode, run.stdout
    return " ".join(run.stderr.split())


# test_backup.py and test_undelete.py restore on both releases
@on_debian_13
def test_a_restore_that_fails_loses_nothing(clone: Factory) -> None:
    target = clone("cut")
    target.pyinfra("-y", "deploy.py", data=DATA, timeout=900).check()
    backups.fill(target)
    made = backups.backup(target)
    before, own = backups.mailboxes(target, CAROL, PASSWORD), target.read(OWN)

    said = refused(target, "mailstack.restore", "password_from=env:WRONG", WRONG="not this one")
    assert "wrong password" in said and "the host keeps its own" in said
    assert target.read(OWN) == own

    target.exec(BLOCK)
    said = refused(target, "mailstack.restore", "overwrite=true")
    assert "this host is half restored: the same command goes on" in said and "are stopped: postfix" in said
    assert target.exec("systemctl is-active postfix dovecot", check=False).stdout.split() == ["inactive"] * 2
    target.exec("systemctl start dovecot postfix")  # as a host does that starts again
    since = clients.send(target, clients.message(STRANGER, CAROL))
    clients.received(target, CAROL, since, PASSWORD)
    assert "half restored" in refused(target, "mailstack.backup.now")
    target.exec("rm -r /var/mail/root")
    run = target.pyinfra("-y", "mailstack.restore", data=DATA, timeout=300).check()
    assert f"backup {made['snapshot']} of" in " ".join(run.stderr.split())
    clients.received(target, CAROL, since, PASSWORD)
    found = backups.mailboxes(target, CAROL, PASSWORD)
    assert {name: {uid: found[name].get(uid) for uid in mails} for name, mails in before.items()} == before
    assert target.exec(f"ls {REPOSITORY}/locks; ls -d /var/vmail/.restoring", check=False).stdout == ""

    backups.backup(target)  # without what is put aside, and what is read
    variables = f"RESTIC_REPOSITORY={REPOSITORY} RESTIC_PASSWORD_FILE={OWN}"
    listed = target.exec(f"{variables} restic ls --tag mailstack-mail latest").stdout
    assert "/dbox-Mails/" in listed and ".before-restore" not in listed

    target.exec("systemctl stop dovecot && rm -rf /var/vmail/* && systemctl start dovecot")
    command = ["-y", "mailstack.accounts.user", "new@example.org", "password_from=env:NEW"]
    target.pyinfra(*command, data=DATA, env={"NEW": PASSWORD}).check()
    assert "does not have users such as new@example.org; the option overwrite" in refused(target)
    assert clients.replies(target, "new@example.org") == 250
    target.pyinfra("-y", "mailstack.restore", "overwrite=true", data=DATA, timeout=300).check()
    assert clients.replies(target, "new@example.org") == 550
    dumps = target.exec("grep -l new@example.org /var/lib/mailstack/backup/before-restore/*/*").stdout
    assert dumps, "no dump of the database of before"
    with clients.imap(target, ALICE):
        pass
    deploys.assert_converged(target, DATA)
