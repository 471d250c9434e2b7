"""A server built by hand after the article is adopted: users notice nothing, or the run changes nothing."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, handmade_server
from tests.support.handmade_server import Mailbox
from tests.support.logins import PASSWORD, logged_in
from tests.targets.containers import Target
from tests.targets.shell import ROOT

pytestmark = pytest.mark.postgresql

USERS = ("user1@example.org", "user2@example.org")
FOLDERS = ("INBOX", "Projects/2026")
#: The filter would ask strangers of whom no DNS knows to come again.
DATA = {
    "mail_hostname": "mail.example.org",
    "mail_rspamd": False,
    "mail_srs": False,
    "mail_resolver": False,
    "mail_fail2ban": False,
}
LOOK = (
    "find /etc /var/lib /var/vmail -xdev ! -path '*/systemd/*' ! -path '/var/lib/postgresql/*'"
    " -printf '%p %y %m %u %g %T@ %l\\n' | sort; dpkg-query -W -f '${Package} ${db:Status-Status}\\n';"
    " cd /; runuser -u postgres -- psql -XAt mail -c 'SELECT * FROM pg_authid ORDER BY oid' -c '\\d'"
)


@pytest.fixture(scope="module")
def host(module_factory: Factory, installed: str) -> Target:
    """Such a server, with mail."""
    target = module_factory("adopting", image=installed)
    handmade_server.build(target, *USERS)
    for user in USERS:
        with clients.imap(target, user, password=PASSWORD) as session:
            handmade_server.fill(session)
    return target


@pytest.fixture(scope="module")
def before(host: Target) -> dict[tuple[str, str], Mailbox]:
    """Return the mailboxes as users see them before the adoption."""
    return seen(host)


def seen(host: Target) -> dict[tuple[str, str], Mailbox]:
    """Return all folders of all users, as they see them."""
    found: dict[tuple[str, str], Mailbox] = {}
    for user in USERS:
        with clients.imap(host, user, password=PASSWORD) as session:
            found |= {(user, folder): handmade_server.look(session, folder) for folder in FOLDERS}
    return found


@pytest.mark.parametrize("how", ["-y", "--dry"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"mail_vmail_uid": 5000},
            "mail_vmail_uid = 5000: the user vmail is on this host already, with the number 2000; "
            "allowed: mail_vmail_uid = 2000, or leave it out",
        ),
        ({"mail_vmail_uid": 2000, "mail_vmail_gid": 5000}, "mail_vmail_gid = 5000: the group vmail is on"),
    ],
    ids=["user", "group"],
)
def test_another_number_stops_the_run_before_anything(
    host: Target,
    before: dict[tuple[str, str], Mailbox],
    how: str,
    data: dict[str, object],
    said: str,
) -> None:
    look = host.exec(LOOK).stdout.splitlines()
    run = host.pyinfra(how, "deploy.py", data={**DATA, **data})
    assert run.returncode != 0
    assert run.stderr.count(said) == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert host.exec(LOOK).stdout.splitlines() == look
    assert seen(host) == before


@pytest.mark.parametrize("how", ["-y", "--dry"])
def test_no_account_command_touches_it(
    host: Target, before: dict[tuple[str, str], Mailbox], how: str
) -> None:
    rows = "SELECT * FROM mail_users ORDER BY email"
    stored = clients.sql(host, rows)
    for command in (("user", USERS[1], "present=false"), ("domain", "example.net")):
        run = host.pyinfra(how, f"mailstack.accounts.{command[0]}", *command[1:], data=DATA)
        assert run.returncode != 0 and "Traceback" not in run.stderr
        assert "has a database 'mail' that mailstack has not taken over: first deploy" in run.stderr
    assert clients.sql(host, rows) == stored


def test_its_tables_move_to_another_host(host: Target, module_factory: Factory, installed: str) -> None:
    """Move them by the commands of docs/adopting.md."""
    text = (ROOT / "docs/adopting.md").read_text()
    dump, load = (line.strip() for line in text.splitlines() if line.startswith("    runuser"))
    host.exec(f"cd /; {dump}")
    other = module_factory("moved", image=installed)
    other.exec("systemctl start postgresql")
    other.write("/mail.sql", host.read("/mail.sql"))
    other.exec(f"cd /; {load}")
    deploys.run(other, DATA)
    rows = "SELECT email, password, home_directory, quota_mb FROM mail_users ORDER BY email"
    assert clients.sql(other, rows) == clients.sql(host, rows)
    assert all(logged_in("imap", other, user, PASSWORD) for user in USERS)
    deploys.assert_converged(other, DATA)
    other.remove()


def test_it_is_taken_over_with_its_numbers(host: Target, before: dict[tuple[str, str], Mailbox]) -> None:
    rows = "SELECT email, password, home_directory, quota_mb FROM mail_users ORDER BY email"
    stored = clients.sql(host, rows)
    deploys.run(host, DATA)
    assert host.exec("id -u vmail; id -g vmail").stdout.split() == ["2000", "2000"]
    assert (clients.sql(host, rows), seen(host)) == (stored, before)
    deploys.assert_converged(host, DATA)

    mail = clients.message("stranger@remote.example.net", "info@example.org")
    clients.send(host, mail)
    assert clients.received(host, USERS[0], str(mail["Message-ID"]), PASSWORD)
    assert "5000" not in host.exec("find /var/vmail -printf '%U %G\\n' | sort -u").stdout
