"""One run writes a whole server's declared accounts; the next changes nothing."""

from __future__ import annotations

from mailstack.addresses import mailbox_address
from tests.integration.conftest import Factory
from tests.support import bulk_accounts, clients, deploys, sample_accounts


def test_a_crowd_moves_in(clone: Factory) -> None:
    target = clone("import")
    people = bulk_accounts.data()
    data = sample_accounts.data(**people)
    assert deploys.changed(deploys.run(target, data)) == ["Accounts | Declared in the inventory"]
    deploys.assert_converged(target, data)
    assert deploys.commands(target, data) == 1
    counts = "SELECT count(*) FROM mail_{}"
    for table, there in (("domain", bulk_accounts.DOMAINS), ("users", bulk_accounts.USERS)):
        assert int(clients.sql(target, counts.format(table))) >= there
    sources = "SELECT count(DISTINCT source_email) FROM mail_alias"
    assert int(clients.sql(target, sources)) >= bulk_accounts.ALIASES

    users = people["mail_users"]
    for user in (users[0], users[1], users[bulk_accounts.USERS // 2 + 1], users[-1]):
        email = mailbox_address(user["email"])
        message_id = clients.send(target, clients.message(sample_accounts.STRANGER, email))
        with clients.imap(target, email, password=bulk_accounts.PASSWORD) as mailbox:
            assert clients.wait_for_mail(mailbox, message_id)
    with clients.smtp(target) as session:
        session.mail(sample_accounts.STRANGER)
        for source in [*people["mail_aliases"]][-20:]:
            assert session.rcpt(mailbox_address(source))[0] == 250
        nobody = mailbox_address(f"nobody@{people['mail_domains'][1]}")
        assert session.rcpt(nobody)[0] == 550
