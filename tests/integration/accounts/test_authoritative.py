"""`authoritative`: accounts that the inventory does not declare are removed, and on request their mail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import ALICE, BOB, CAROL, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

USERS = (ALICE, BOB, CAROL)


def data(*gone: str, **more: Any) -> dict[str, Any]:
    """Return the standard server's, as it is without these users and the aliases that lead to them."""
    return sample_accounts.data(
        mail_accounts_policy="authoritative",
        mail_users=[user for user in sample_accounts.USERS if user["email"] not in gone],
        mail_aliases=[alias for alias in sample_accounts.ALIASES if not {*alias["destinations"]} & {*gone}],
        **more,
    )


def left(host: Target, homes: dict[str, str]) -> set[str]:
    """Return users whose mail is still on disk."""
    return {
        user for user, home in homes.items() if host.exec(["test", "-d", home], check=False).returncode == 0
    }


def taken(host: Target) -> set[str]:
    """Return the users for whom a stranger's mail is accepted."""
    codes = {address: clients.replies(host, address) for address in (*USERS, "team@example.org")}
    assert {*codes.values()} <= {250, 550}
    return {address for address, code in codes.items() if code == 250}


# the plan finds what is undeclared, and knows no release
@on_debian_13
def test_undeclared_users_are_removed_and_mail_only_on_request(module_clone: Factory) -> None:
    host = module_clone("authoritative")
    for user in USERS:
        clients.received(host, user, clients.send(host, clients.message(STRANGER, user)))
    homes = {user: clients.home(host, user) for user in USERS}
    clients.sql(
        host,
        "INSERT INTO mail_alias (source_email, destination_email) VALUES ('by@example.org', 'x@example.net')",
    )
    deploys.run(host, data())
    assert clients.replies(host, "by@example.org") == 550
    assert taken(host) == {ALICE, BOB, CAROL, "team@example.org"}
    deploys.assert_converged(host, data())

    deploys.run(host, data(CAROL))
    assert taken(host) == {ALICE, BOB}
    assert left(host, homes) == {ALICE, BOB, CAROL}
    deploys.assert_converged(host, data(CAROL))

    without = data(CAROL, BOB, mail_accounts_delete_mail=True)
    deploys.run(host, without)
    assert taken(host) == {ALICE}
    assert left(host, homes) == {ALICE, CAROL}
    deploys.assert_converged(host, without)
    with clients.imap(host, ALICE) as session:
        assert session.select("INBOX")[1] == [b"1"]
