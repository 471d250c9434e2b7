"""The second run changes nothing with any settings, and mail flows after the first."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.certificates import self_signed
from tests.support.logins import PASSWORD, hashed, logged_in
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

HOSTILE = (
    "q'uo\"tes \\ back\\\\slash # % %s %{user} %%{x} %% $1 ${x} $SET:y `id` ;|& ~ ünï ©ode 日本 =,:@ "
    "@mailstack"
)
APP = "0123456789-abcdefghij-klmnop"
RELAYED = "someone@elsewhere.example"


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, which every test changes further."""
    return module_clone("settings")


def take(host: Target, data: Mapping[str, Any]) -> None:
    """Run with `data`: it changes something, a second time nothing, and mail flows."""
    assert deploys.changed(deploys.run(host, data))
    deploys.assert_converged(host, data)
    assert host.pyinfra("--json", "deploy.py", data=data).check().planned == []
    deploys.assert_mail_flows(host)


def postmap(host: Target, key: str, table: str) -> str:
    """Return the result of a lookup in a table of Postfix."""
    return host.exec(["postmap", "-q", key, table]).stdout.rstrip("\n")


def test_the_standard_server(host: Target) -> None:
    data = sample_accounts.data()
    deploys.run(host, data)
    deploys.assert_converged(host, data)
    assert host.pyinfra("--json", "deploy.py", data=data).check().planned == []
    log = host.pyinfra("deploy.py", data=data, input="\n").check().stderr
    total = re.search(r"Grand total\s+(\d+)\s+(\S+)\s+(\S+)\s+(\d+)", log)
    assert total is not None
    operations, changed, failed, unchanged = total.groups()
    assert (changed, failed, unchanged) == ("-", "-", operations)


def test_a_run_has_six_operations(host: Target) -> None:
    """pyinfra takes time for each, even if it does nothing: `bench/many.py` has the cost of six."""
    run = deploys.run(host, sample_accounts.data())
    names = [operation["name"].removeprefix(deploys.SERVER) for operation in run.json["plan"]]
    assert names == [
        "Install packages",
        deploys.CREATE,
        deploys.DATABASE,
        "Accounts | Declared in the inventory",
        deploys.WRITE,
        deploys.SERVICES,
    ]


def test_a_run_that_changes_nothing_is_one_command(host: Target) -> None:
    assert deploys.commands(host, sample_accounts.data()) == 1


def test_a_setting_that_changes_is_four_commands(host: Target) -> None:
    """The run reads everything, writes the files, reads the service again, and reloads it."""
    assert deploys.commands(host, sample_accounts.data(mail_message_size_limit=12_345_678)) == 4
    assert deploys.commands(host, sample_accounts.data()) == 4


def test_another_machine_with_other_settings_is_named(host: Target) -> None:
    first, other = sample_accounts.data(), sample_accounts.data(mail_message_size_limit=11_111_111)
    deploys.run(host, first)
    second = {"LOGNAME": "second"}  # getpass.getuser()
    assert "and had other settings" in " ".join(deploys.said(deploys.run(host, other, env=second)))
    deploys.assert_converged(host, other, env=second)
    shown = deploys.said(host.pyinfra("--dry", "deploy.py", data=first).check())
    for lines in (shown, deploys.said(deploys.run(host, first))):
        assert "the last deploy came from second@" in " ".join(lines)
    deploys.assert_converged(host, first)


def test_passwords_may_have_any_character(host: Target, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    data = sample_accounts.data(
        mail_db_owner_password=HOSTILE,
        mail_db_lookup_password=f"1 {HOSTILE}",
        mail_db_upgrade_password=f"2 {HOSTILE}",
        mail_password_upgrade=True,
        mail_relayhost=f"[{sample_accounts.REMOTE}]:587",
        mail_relayhost_user="relay+x@example.net",
        mail_relayhost_password=HOSTILE,
        mail_tls_certificate=certificate.read_text(),
        mail_tls_key=key.read_text(),
    )
    take(host, data)
    with clients.imap(host, sample_accounts.ALICE) as mailbox:
        assert mailbox.sock.getpeercert(binary_form=True)  # type: ignore[attr-defined]
    login = postmap(host, f"[{sample_accounts.REMOTE}]:587", "hash:/etc/postfix/sasl_passwd")
    assert login == f"relay+x@example.net:{HOSTILE}"
    assert host.read("/etc/ssl/mailstack/cert.pem") == certificate.read_bytes()


def test_everything_at_once(host: Target, peer: Target, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    data = sample_accounts.data(
        mail_tls_certificate=str(certificate),
        mail_tls_key=str(key),
        mail_tls_min_protocol="TLSv1.3",
        mail_db_lookup_password=HOSTILE,
        mail_map_type=sample_accounts.map_type(),
        mail_pop3=True,
        mail_max_userip_connections=7,
        mail_last_login_minutes=0,
        mail_users=[
            *sample_accounts.USERS[1:],
            sample_accounts.USERS[0] | {"app_passwords": [{"name": "phone", "password": APP}]},
        ],
        mail_relayhost=f"[{sample_accounts.REMOTE}]:587",
        mail_relayhost_user=f"relay@{sample_accounts.REMOTE}",
        mail_relayhost_password="relay-secret",
        mail_transport={"quiet.example": "discard:"},
        mail_relay_domains=[
            {"domain_name": "backup.example", "recipients": ["known@backup.example"]},
            {"domain_name": "any.example", "any_recipient": True, "next_hop": "[192.0.2.9]"},
        ],
        mail_sender_relayhosts={
            "bob@example.org": {
                "host": f"[{sample_accounts.REMOTE}]:587",
                "user": f"relay@{sample_accounts.REMOTE}",
                "password": HOSTILE,
            },
            "@example.com": f"[{sample_accounts.REMOTE}]:25",
        },
        mail_virtual={"static@example.org": [sample_accounts.BOB]},
        mail_local_aliases={"root": [sample_accounts.ALICE], "log": ["/var/log/by-mail"]},
        mail_postfix_main={"smtpd_banner": "$myhostname ESMTP of ours", "mailbox_size_limit": 1000000000},
        mail_postfix_master=[
            {
                "name": "2525",
                "type": "inet",
                "private": False,
                "chroot": True,
                "command": "smtpd",
                "options": {"syslog_name": "postfix/second"},
            }
        ],
        mail_full_text_search=True,
        mail_shared_folders=True,
        mail_compression="gz",
        mail_autoexpunge={"Trash": "30d", "Old mail": "1w"},
        mail_quota_warnings=[90, 50],
        mail_quota_warning_subject="Postfach zu {percent} % voll",
        mail_quota_warning_text="いっぱい\n",
        mail_dovecot_extra="login_greeting = Hello # there",
        mail_sieve_before='require "editheader"; addheader "X-Before" "ünï 日本 ${x} %u";',
        mail_sieve_after="/* nothing */",
        mail_sieve_max_actions=100,
        mail_sieve_max_redirects=10,
        mail_sieve_max_script_size=65536,
        mail_sieve_max_scripts=0,
        mail_sieve_max_storage=1048576,
    )
    take(host, data)
    assert [versions(host, port) for port in (465, 993)] == [{"TLSv1.3"}] * 2
    clients.sql(host, "DELETE FROM mail_last_login")
    assert b"ESMTP of ours" in banner(host, 2525)
    mail = clients.message(sample_accounts.ALICE, RELAYED)
    with clients.smtp(host, 587, sample_accounts.ALICE) as session:
        session.send_message(mail, sample_accounts.ALICE, [RELAYED])
    assert clients.sql(host, "SELECT count(*) FROM mail_last_login") == "0"
    assert f"Delivered-To: {RELAYED}".encode() in clients.wait_at_peer(peer, str(mail["Message-ID"]))
    assert clients.replies(host, "known@backup.example") == clients.replies(host, "x@any.example") == 250
    assert clients.replies(host, "anyone@backup.example") == 550
    login = postmap(host, sample_accounts.BOB, "hash:/etc/postfix/sender_passwd")
    assert login == f"relay@{sample_accounts.REMOTE}:{HOSTILE}"
    assert clients.replies(host, "static@example.org") == 250
    assert postmap(host, "quiet.example", "hash:/etc/postfix/transport") == "discard:"
    assert postmap(host, "log", "hash:/etc/aliases") == '"/var/log/by-mail"'


def test_peer_authentication_leaves_no_password(host: Target) -> None:
    frank = {"email": "frank@example.org", "password_hash": hashed(host, "SHA512-CRYPT")[0]}
    users = [*sample_accounts.USERS, frank]
    take(
        host,
        sample_accounts.data(
            mail_db_auth="peer", mail_sieve=False, mail_password_upgrade=True, mail_users=users
        ),
    )
    names = ("auth-sql.conf.ext", "dovecot-sql.conf.ext", "upgrade-password.login")
    dovecot = " ".join(f"/etc/dovecot/{name}" for name in names)
    ours = f"/etc/postfix/sql {dovecot} /var/lib/mailstack"
    assert host.exec(f"grep -rlE '^ *password *=|^[^#]* password=' {ours}", check=False).stdout == ""
    assert host.exec("ls /var/lib/mailstack/secrets").stdout == ""
    stored = {
        "postgresql": "SELECT count(*) FROM pg_authid WHERE rolname LIKE 'mail%' AND rolpassword IS NOT NULL",
        "mysql": "SELECT count(*) FROM mysql.user WHERE user LIKE 'mail%'",
    }
    assert clients.sql(host, stored[sample_accounts.ENGINE]) == "0"
    client = {"postgresql": "psql -X mail maillookup -c", "mysql": "mariadb -u postfix mail -e"}[
        sample_accounts.ENGINE
    ]
    for user, comes_in in {"postfix": True, "nobody": False, "vmail": False}.items():
        asked = host.exec(f"cd /; runuser -u {user} -- {client} 'SELECT 1'", check=False)
        assert (asked.returncode == 0) == comes_in, user

    assert logged_in("imap", host, "frank@example.org", PASSWORD)
    frank_now = "SELECT password FROM mail_users WHERE email = 'frank@example.org'"
    clients.eventually(
        lambda: clients.sql(host, frank_now).startswith("{ARGON2ID}"), "a hash of today's scheme"
    )


def test_back_to_the_standard_server(host: Target) -> None:
    take(host, sample_accounts.data())
    assert b"of ours" not in banner(host, 25)
    assert versions(host, 993) == {"TLSv1.2", "TLSv1.3"}


def versions(host: Target, port: int) -> set[str]:
    """Return the versions of TLS that a port speaks."""
    spoken = set()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = clients.tls()
        context.minimum_version = context.maximum_version = version
        with socket.create_connection((host.ip, port), clients.TIMEOUT) as connection, suppress(ssl.SSLError):
            spoken.add(str(context.wrap_socket(connection).version()))
    return spoken


def banner(host: Target, port: int) -> bytes:
    """Return the greeting of Postfix."""
    with smtplib.SMTP(timeout=clients.TIMEOUT) as session:
        return session.connect(host.ip, port)[1]
