"""A whole backup is brought back over what a host has, in both databases."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import backups, clients, deploys, sample_accounts
from tests.support.backups import PASSWORD, REPOSITORY
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import CAROL, STRANGER

pytestmark = pytest.mark.both_engines


# test_backup.py brings a whole backup back on both releases
@on_debian_13
def test_what_came_after_the_backup_is_put_aside(clone: Factory) -> None:
    data = sample_accounts.data(
        mail_backup_repository=REPOSITORY, mail_postfix_main={"defer_transports": "smtp"}
    )
    target = clone("same")
    target.pyinfra("-y", "deploy.py", data=data, timeout=900).check()
    backups.fill(target, data)
    backups.backup(target, data)
    before, files = backups.mailboxes(target, CAROL, PASSWORD), backups.sums(target)
    later = clients.send(target, clients.message(STRANGER, CAROL))
    clients.received(target, CAROL, later, PASSWORD)
    clients.sql(target, "DELETE FROM mail_alias; DELETE FROM mail_users WHERE email = 'bob@example.org'")
    assert clients.replies(target, "sales@example.com") == 550
    target.exec("rm /var/lib/mailstack/secrets/db-*")
    command = ["-y", "mailstack.restore", "overwrite=true"]
    target.pyinfra(*command, data=data, timeout=300).check()
    assert backups.mailboxes(target, CAROL, PASSWORD) == before
    assert backups.sums(target) == files
    for address in ("sales@example.com", "bob@example.org"):
        assert clients.replies(target, address) == 250
    assert target.exec(f"grep -rlF '{later}' /var/vmail/.before-restore").stdout
    deploys.assert_mail_flows(target)
    deploys.assert_converged(target, data)
    assert backups.backup(target, data)["failed"] == []
