"""The examples whose host has the mailboxes and everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, dns, examples, handmade_server, web
from tests.support.logins import PASSWORD
from tests.support.sample_accounts import ALICE, BOB, HOSTNAME, PASSWORDS
from tests.targets.containers import Target

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True),
]

#: A Dovecot as its manual shows it (2.4), with the two sockets for Postfix.
EXISTING_DOVECOT = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.0
protocols = imap lmtp
ssl_server_cert_file = /etc/dovecot/cert.pem
ssl_server_key_file = /etc/dovecot/key.pem
mail_driver = maildir
mail_path = ~/Maildir
mail_uid = mailboxes
mail_gid = mailboxes
first_valid_uid = 1
namespace inbox {
  inbox = yes
  separator = /
}
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/users
  fields {
    home = /srv/mail/%{user}
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0600
    user = postfix
    group = postfix
  }
}
"""
#: Of the server built by hand.
USERS = ("user1@example.org", "user2@example.org")
OF_DOVECOT = "find /etc/dovecot -type f -exec sha256sum {} + | sort"


@pytest.mark.long
def test_one_vps(bare: Factory, names: Target, tmp_path: Path) -> None:
    host = bare()
    example = examples.prepared("one-vps", tmp_path, {HOSTNAME: host})
    example.deploy()
    example.run("backup", "now", "-y")  # before there is any mail
    dns.use(host, names)
    example.add_alice()
    deploys.assert_mail_flows(host)
    assert web.get(host, f"https://{HOSTNAME}/webmail/").status == 200
    assert "tcp dport" in host.exec("nft list ruleset").stdout
    example.run("backup", "now", "-y")
    assert HOSTNAME in example.run("backup", "list").stdout
    # no name leads here, so no CA was asked: each deploy looks again
    assert example.deploy() == ["Mail server | Finish"]


@pytest.mark.long
def test_existing_dovecot(factory: Factory, installed: str, names: Target, tmp_path: Path) -> None:
    host = factory("existing", image=installed)
    _with_own_dovecot(host)
    before = host.exec(OF_DOVECOT).stdout
    example = examples.prepared("existing-dovecot", tmp_path, {HOSTNAME: host})
    example.deploy()
    dns.use(host, names)
    deploys.assert_mail_flows(host)
    assert clients.replies(host, "info@example.org") == 250
    assert clients.replies(host, "unknown@example.org") == 550
    assert host.exec(OF_DOVECOT).stdout == before
    assert host.exec("ls /srv/mail").stdout.split() == [ALICE]
    assert example.deploy() == []


def _with_own_dovecot(host: Target) -> None:
    """Start a Dovecot that somebody else has set up, with users of its own."""
    host.exec(
        "rm -r /etc/dovecot/*; useradd --system --user-group mailboxes; install -d -o mailboxes /srv/mail;"
        " openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
        f" -subj /CN={HOSTNAME} -keyout /etc/dovecot/key.pem -out /etc/dovecot/cert.pem;"
        " mkdir -p /var/spool/postfix/private"
    )
    users = "".join(f"{user}:{{PLAIN}}{PASSWORDS[user]}::::::\n" for user in (ALICE, BOB))
    host.write("/etc/dovecot/users", users.encode())
    host.write("/etc/dovecot/dovecot.conf", EXISTING_DOVECOT.encode())
    host.exec("systemctl unmask --quiet dovecot && systemctl restart dovecot")


@pytest.mark.long
def test_handmade_server(factory: Factory, installed: str, names: Target, tmp_path: Path) -> None:
    host = factory("handmade", image=installed)
    handmade_server.build(host, *USERS)
    with clients.imap(host, USERS[1], password=PASSWORD) as session:
        handmade_server.fill(session)
        before = handmade_server.look(session, "INBOX")
    example = examples.prepared("handmade-server", tmp_path, {HOSTNAME: host})
    example.deploy()
    dns.use(host, names)
    with clients.imap(host, USERS[1], password=PASSWORD) as session:
        assert handmade_server.look(session, "INBOX") == before
    sent = clients.send(host, clients.message("stranger@remote.example.net", "info@example.org"))
    assert clients.received(host, USERS[0], sent, PASSWORD)
    assert USERS[1] in example.run("list").stdout
    served = "openssl s_client -connect 127.0.0.1:993 </dev/null 2>/dev/null | openssl x509 -outform PEM"
    assert host.exec(served).stdout == host.read("/etc/ssl/mail/cert.pem").decode()
    assert example.deploy() == []
