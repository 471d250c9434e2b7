"""A server of `mailstack init` gives its database to a second host, as docs/several-hosts.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, dns, examples
from tests.support.sample_accounts import ALICE, HOSTNAME
from tests.support.snippets import from_one_host_to_two
from tests.targets.containers import Target

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True),
]


@pytest.mark.long
def test_from_one_host_to_two(factory: Factory, installed: str, names: Target, tmp_path: Path) -> None:
    mail = factory("mail", image=installed)
    database = factory("database", image=installed, hostname="db.example.org")
    example = examples.begun(tmp_path, {HOSTNAME: mail, database.hostname: database})
    example.deploy()
    dns.use(mail, names)
    example.add_alice()
    deploys.assert_mail_flows(mail)

    shared, both, apart = from_one_host_to_two()
    addresses = {"192.0.2.1": database.ip, "192.0.2.2": mail.ip}
    example.write("group_data/all.py", shared, {})
    example.write("inventory.py", both, addresses)
    example.deploy()
    clients.eventually(
        lambda: "streaming" in example.run("db", "status").stdout, "the standby does not follow", 180
    )
    deploys.assert_mail_flows_again(mail)
    example.run("db", "promote", database.hostname, "-y")
    deploys.assert_mail_flows_again(mail)

    example.write("inventory.py", apart, addresses)
    example.deploy()
    assert clients.sql(database, "SELECT email FROM mail_users") == ALICE
    states = mail.exec("systemctl is-active 'postgresql@*-main'", check=False).stdout
    assert "active" not in states.split()
    deploys.assert_mail_flows_again(mail)
    assert example.deploy() == []
