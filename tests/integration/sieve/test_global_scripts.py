"""Scripts for all users, before and after their own: checked and compiled when they are installed."""

from __future__ import annotations

import socket
from email import message_from_bytes
from email.message import Message

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.managesieve import PORT, install, logged_in
from tests.support.sample_accounts import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target

BEFORE = """require ["editheader", "fileinto"];
addheader :last "X-Order" "before";
if header "subject" "junk" { fileinto "Junk"; }
"""
OWN = """require ["editheader", "fileinto"];
addheader :last "X-Order" "own";
if header "subject" "own" { fileinto "Drafts"; }
"""
AFTER = """require ["editheader", "fileinto"];
addheader :last "X-Order" "after";
fileinto "Trash";
"""
DATA = sample_accounts.data(mail_sieve_before=BEFORE, mail_sieve_after=AFTER)
SCRIPT = "/etc/dovecot/sieve/before.sieve"


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server with such scripts, and a user with one of her own."""
    target = module_clone("scripts")
    run = deploys.run(target, DATA)
    assert deploys.changed(run) == [deploys.WRITE, deploys.SERVICES]
    assert deploys.said(run)[-4:] == [
        "/etc/dovecot/sieve.conf: content",
        f"{SCRIPT}: missing, index",
        "/etc/dovecot/sieve/after.sieve: missing, index",
        "dovecot: reload",
    ]
    deploys.assert_converged(target, DATA)
    install(target, ALICE, OWN)
    return target


def arrival(host: Target, subject: str, folder: str) -> Message:
    """Return a message to Alice with this subject, which must arrive in that folder."""
    sent = clients.send(host, clients.message(STRANGER, ALICE, subject))
    with clients.imap(host, ALICE) as mailbox:
        mailbox.select(folder)
        return message_from_bytes(clients.wait_for_mail(mailbox, sent))


@pytest.mark.parametrize(
    ("subject", "folder", "order"),
    [
        ("junk", "Junk", ["before"]),
        ("own", "Drafts", ["before", "own"]),
        ("any", "Trash", ["before", "own", "after"]),
    ],
)
def test_they_run_in_order_until_the_message_is_filed(
    host: Target, subject: str, folder: str, order: list[str]
) -> None:
    assert arrival(host, subject, folder).get_all("X-Order") == order


def test_who_has_no_script_has_these(host: Target) -> None:
    sent = clients.send(host, clients.message(STRANGER, BOB))
    with clients.imap(host, BOB) as mailbox:
        mailbox.select("Trash")
        assert message_from_bytes(clients.wait_for_mail(mailbox, sent)).get_all("X-Order") == [
            "before",
            "after",
        ]


def test_what_was_compiled_is_what_runs(host: Target) -> None:
    """If another script is compiled to its binary, that one runs, although the source is the old one."""
    other = f"sed -i s/before/compiled/ {SCRIPT}; sievec {SCRIPT}"
    host.exec(f"cp -p {SCRIPT} /root/script; {other}; cp -p /root/script {SCRIPT}")
    assert arrival(host, "any", "Trash").get_all("X-Order") == ["compiled", "own", "after"]
    assert deploys.said(deploys.run(host, DATA)) == [f"{SCRIPT}: index"]
    assert arrival(host, "any", "Trash").get_all("X-Order") == ["before", "own", "after"]
    permission = "does not have permission to save"
    assert clients.log(host, permission) == [], "compiled at every delivery"


def test_a_script_changed_by_hand_is_written_and_compiled_again(host: Target) -> None:
    host.exec(f"sed -i s/before/hand/ {SCRIPT}; sievec {SCRIPT}")
    assert arrival(host, "any", "Trash").get_all("X-Order") == ["hand", "own", "after"]
    assert deploys.said(deploys.run(host, DATA)) == [f"{SCRIPT}: content, index"]
    assert arrival(host, "any", "Trash").get_all("X-Order") == ["before", "own", "after"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("keep;\nfrobnicate;\n", "line 2"),
        ('keep;\n\nfileinto "Junk";\n', "line 3"),
        ('require "vnd.dovecot.pipe";\n', "line 1"),
    ],
)
def test_a_script_with_a_fault_stops_the_run(host: Target, script: str, said: str) -> None:
    look = "find /etc/dovecot /var/lib/mailstack -type f -exec sha256sum {} + | sort"
    before = host.exec(look).stdout
    data = sample_accounts.data(mail_sieve_before=script, mail_dovecot_extra="login_greeting = other")
    run = host.pyinfra("-y", "deploy.py", data=data)
    assert run.returncode != 0
    assert said in run.stderr
    assert host.exec(look).stdout == before
    assert arrival(host, "any", "Trash").get_all("X-Order") == ["before", "own", "after"]


def test_without_sieve(host: Target) -> None:
    data = sample_accounts.data(mail_sieve=False)
    deploys.run(host, data)
    deploys.assert_converged(host, data)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host.ip, PORT), timeout=clients.TIMEOUT)
    assert host.exec("find /etc/dovecot/sieve* -type f").stdout == ""
    assert arrival(host, "any", "INBOX").get_all("X-Order") is None


def test_folders_by_detail_come_after_these(host: Target) -> None:
    data = sample_accounts.data(mail_sieve_after='require "editheader";\naddheader "X-Order" "after";\n')
    deploys.run(host, data)
    deploys.assert_converged(host, data)
    wants = f"UPDATE mail_users SET detail_folders = {{}} WHERE email = '{BOB}'"
    clients.sql(host, wants.format("true"))
    sent = clients.send(host, clients.message(STRANGER, BOB.replace("@", "+Junk@")))
    with clients.imap(host, BOB) as mailbox:
        mailbox.select("Junk")
        assert message_from_bytes(clients.wait_for_mail(mailbox, sent))["X-Order"] == "after"
    clients.sql(host, wants.format("false"))


def test_with_it_again_and_other_limits(host: Target, peer: Target) -> None:
    data = sample_accounts.data(
        mail_sieve_max_actions=2,
        mail_sieve_max_redirects=0,
        mail_sieve_max_script_size=2000,
        mail_sieve_max_scripts=3,
        mail_sieve_max_storage=3000,
    )
    deploys.run(host, data)
    deploys.assert_converged(host, data)
    with logged_in(host, ALICE) as session:
        assert session.put("large", f"# {'x' * 2000}\r\n").code == "QUOTA/MAXSIZE"
        assert session.put("1", f"# {'x' * 1900}\r\n").status == "OK"
        assert session.put("2", f"# {'x' * 1900}\r\n").code == "QUOTA/MAXSTORAGE"
        assert [session.put(name, "keep;").code for name in "23"] == ["", "QUOTA/MAXSCRIPTS"]
    for script in (
        f'redirect "x@{REMOTE}";',
        'require ["copy", "fileinto"]; fileinto "Junk"; fileinto "Sent"; fileinto "Trash";',
    ):
        install(host, ALICE, script)
        sent = arrival(host, "any", "INBOX")["Message-ID"]
        assert clients.peer_find(peer, sent) == []
