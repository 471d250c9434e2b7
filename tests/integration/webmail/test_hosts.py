"""Webmail with the database on another host, and on a host with webmail of an earlier mailstack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.integration.webmail.conftest import DATA
from tests.support import clients, deploys, roundcube, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, PASSWORDS
from tests.targets.pyinfra import pyinfra

pytestmark = pytest.mark.postgresql

UNIT = "/usr/local/lib/systemd/system/mailstack-webmail.service"


# the same on either release: test_topologies has both
@pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)
def test_the_database_is_on_a_host_of_its_own(factory: Factory, installed: str, tmp_path: Path) -> None:
    mail, database = factory("mail", image=installed), factory("database", image=installed)
    inventory = tmp_path / "inventory.py"
    inventory.touch(mode=0o600)
    hosts = {
        "db": [(f"@docker/{database.name}", sample_accounts.data(**DATA, mail_address=database.ip))],
        "mx": [(f"@docker/{mail.name}", sample_accounts.data(**DATA, mail_address=mail.ip))],
        "imap": [f"@docker/{mail.name}"],
    }
    inventory.write_text("".join(f"{group} = {members!r}\n" for group, members in hosts.items()))
    pyinfra(inventory, "-y", "deploy.py", timeout=900).check()
    assert pyinfra(inventory, "-y", "--json", "deploy.py").check().changed == []

    session = roundcube.opened(mail, ALICE, PASSWORDS[ALICE])
    assert session.is_open()
    assert clients.sql(database, "SELECT email FROM mailwebmail.mailstack_owners") == ALICE
    mail.exec("systemctl start mailstack-webmail-clean.service")
    assert database.exec("ls /etc/mailstack/webmail", check=False).returncode


def test_address_books_of_an_earlier_version_stay(factory: Factory, with_webmail: str) -> None:
    host = factory("earlier", image=with_webmail)
    old = {user: roundcube.opened(host, user, PASSWORDS[user]) for user in (ALICE, BOB)}
    clients.sql(
        host,
        f"""SET search_path = mailwebmail, public;
        INSERT INTO contacts (user_id, name) SELECT user_id, 'Aunt of ' || username FROM users;
        INSERT INTO users (username, mail_host, last_login) VALUES
        ('{BOB}', '192.0.2.9', now() - interval '1 year'), ('gone@example.org', '127.0.0.1', NULL);
        DROP TABLE IF EXISTS mailstack_owners;
        DROP FUNCTION IF EXISTS mailstack_directory_of, mailstack_has_directory;
        UPDATE session SET vars = encode(convert_to(regexp_replace(
        convert_from(decode(vars, 'base64'), 'UTF8'), 'mailstack_(checked|directory)[|][^;]*;', '', 'g'),
        'UTF8'), 'base64')""",
    )
    earlier = "s/^RuntimeDirectoryMode=.*/SupplementaryGroups=www-data/; /chgrp/d"
    host.exec(f"sed -i '{earlier}' {UNIT} && systemctl daemon-reload")
    data = sample_accounts.data(**DATA)
    run = deploys.run(host, data)
    assert any(line.startswith("mailstack-webmail: ") for line in deploys.said(run))
    deploys.assert_converged(host, data)
    for user, session in old.items():
        assert f"Aunt of {user}" in session.contacts()
        assert f"Aunt of {user}" in roundcube.opened(host, user, PASSWORDS[user]).contacts()
