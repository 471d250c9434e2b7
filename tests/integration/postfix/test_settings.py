"""Postfix's settings, and POP3, on a host with all of them set at once."""

from __future__ import annotations

import poplib
import smtplib
import uuid
from pathlib import Path
from typing import Any

import pytest

from mailstack.settings.postfix import PostfixSettings
from mailstack.settings.postfix_parameters import bad_values, differences, nearest_version, table
from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, REMOTE, STRANGER
from tests.targets.containers import Target

HOSTNAME = "first.example.org"


def settings(server: Target, peer: Target) -> dict[str, Any]:
    """Return settings that differ almost everywhere; the relay host is the standard server."""
    return sample_accounts.data(
        mail_hostname=HOSTNAME,
        mail_myorigin="$mydomain",
        mail_mynetworks=["127.0.0.0/8", "[::1]/128", f"{peer.ip}/32"],
        mail_relayhost=f"[{server.ip}]:587",
        mail_relayhost_user=ALICE,
        mail_relayhost_password=sample_accounts.PASSWORDS[ALICE],
        mail_smtpd_relay_restrictions=[
            "permit_mynetworks",
            "permit_sasl_authenticated",
            "defer_unauth_destination",
        ],
        mail_map_type=sample_accounts.map_type(),
        mail_message_size_limit=100_000,
        mail_virtual={"static@example.org": [BOB]},
        mail_relay_domains=[{"domain_name": "backup.example", "any_recipient": True}],
        mail_transport={
            "backup.example": f"smtp:[{peer.ip}]:25",
            f"direct@{REMOTE}": f"smtp:[{peer.ip}]:25",
            "gone.example": "error:5.1.2 it moved away",
        },
        mail_local_aliases={"postmaster": ["root"], "ops": ["root"]},
        mail_postfix_main={"smtpd_banner": "$myhostname ESMTP and no more", "smtpd_hard_error_limit": 7},
        mail_postfix_master=[
            {
                "name": "2525",
                "type": "inet",
                "private": False,
                "chroot": True,
                "command": "smtpd",
                "options": {"smtpd_banner": "$myhostname ESMTP on another port"},
            }
        ],
        mail_pop3=True,
    )


@pytest.fixture(scope="module")
def host(module_clone: Factory, server: Target, peer: Target) -> Target:
    """Return a copy of the standard server with those settings."""
    target = module_clone("settings", hostname=HOSTNAME)
    target.pyinfra("-y", "deploy.py", data=settings(server, peer)).check()
    return target


def test_a_second_run_changes_nothing(host: Target, server: Target, peer: Target) -> None:
    run = host.pyinfra("-y", "--json", "deploy.py", data=settings(server, peer)).check()
    assert run.changed == []


def test_mail_to_other_servers_is_relayed_with_a_login(host: Target, peer: Target) -> None:
    message_id = clients.send(
        host, clients.message(ALICE, f"someone@{REMOTE}"), sender=ALICE, port=587, user=ALICE
    )
    copy = clients.wait_at_peer(peer, message_id)
    assert f"by {HOSTNAME} (Postfix)".encode() in copy
    assert f"by {sample_accounts.HOSTNAME} (Postfix) with ESMTPSA".encode() in copy
    assert f"from {sample_accounts.HOSTNAME} (".encode() in copy
    clients.wait_for_empty_queue(host)


def test_the_password_for_it_is_readable_for_postfix_alone(host: Target) -> None:
    paths = ["/etc/postfix/sasl_passwd", "/etc/postfix/sasl_passwd.db"]
    assert host.exec(["stat", "-c", "%a %U:%G", *paths]).stdout.splitlines() == ["640 root:postfix"] * 2
    for path in paths:
        assert host.exec(["runuser", "-u", "nobody", "--", "cat", path], check=False).returncode != 0


def test_processes_may_have_connections_of_their_own(host: Target) -> None:
    assert host.exec(["postconf", "-h", "virtual_mailbox_maps"]).stdout.startswith(
        f"{sample_accounts.map_type()}:"
    )
    for recipient, mailbox in ((ALICE, ALICE), ("info@example.org", ALICE), (BOB, BOB)):
        message_id = clients.send(host, clients.message(STRANGER, recipient))
        assert clients.received(host, mailbox, message_id)
    assert clients.replies(host, "unknown@example.org") == 550
    assert clients.replies(host, ALICE, sender=BOB) == 550


def test_the_tables_are_in_use(host: Target, peer: Target) -> None:
    message_id = clients.send(host, clients.message(STRANGER, "static@example.org"))
    assert clients.received(host, BOB, message_id)
    mail = clients.message(ALICE, f"direct@{REMOTE}")
    message_id = clients.send(host, mail, sender=ALICE, port=587, user=ALICE)
    by_relay_host = f"by {sample_accounts.HOSTNAME} (Postfix)".encode()
    assert by_relay_host not in clients.wait_at_peer(peer, message_id)
    assert clients.replies(host, "anyone@backup.example") == 250
    assert clients.replies(host, f"ops@{HOSTNAME}") == 250


def test_the_article_s_restrictions_are_possible(host: Target) -> None:
    assert clients.replies(host, f"someone@{REMOTE}") == 454


def test_mynetworks_may_relay(host: Target, peer: Target) -> None:
    to = ("--from", STRANGER, "--to", f"someone@{REMOTE}", "--quit-after", "RCPT")
    assert clients.codes(clients.swaks(peer, host, *to).stdout)[-2:] == [250, 221]


def test_the_host_s_own_mail_comes_from_its_domain(host: Target) -> None:
    message_id = f"<{uuid.uuid4()}@{HOSTNAME}>"
    host.exec(["sendmail", "-i", BOB], input=f"Message-ID: {message_id}\nSubject: x\n\nx\n")
    assert clients.received(host, BOB, message_id).startswith(b"Return-Path: <root@example.org>")


def test_any_parameter_and_any_service(host: Target) -> None:
    banners = {25: f"{HOSTNAME} ESMTP and no more", 2525: f"{HOSTNAME} ESMTP on another port"}
    for port, banner in banners.items():
        with smtplib.SMTP(timeout=clients.TIMEOUT) as session:
            assert session.connect(host.ip, port) == (220, banner.encode())
            assert session.ehlo()[0] == 250
            assert session.esmtp_features["size"] == "100000"


def test_a_message_of_an_octet_more_than_the_limit(host: Target) -> None:
    """Postfix counts its own `Received` and the envelope, so there is a little less room for the message."""
    for octets, code in ((98_000, 250), (100_001, 552)):
        message_id = f"<{uuid.uuid4()}@{REMOTE}>"
        head = f"Message-ID: {message_id}\r\n\r\n".encode()
        text = head + b"x" * (octets - len(head) - 2) + b"\r\n"
        with clients.smtp(host) as session:
            session.mail(STRANGER)  # and no SIZE
            session.rcpt(CAROL)
            assert session.data(text)[0] == code
        if code == 250:
            assert clients.received(host, CAROL, message_id)
    with clients.smtp(host) as session:
        assert session.mail(STRANGER, ["SIZE=100000"])[0] == 250
        session.rset()
        assert session.mail(STRANGER, ["SIZE=100001"])[0] == 552
    assert clients.replies(host, CAROL) == 250


@pytest.mark.parametrize("port", [110, 995])
def test_pop3_reads_with_tls(host: Target, port: int) -> None:
    message_id = clients.send(host, clients.message(STRANGER, BOB))
    assert clients.received(host, BOB, message_id)
    if port == 110:
        session = poplib.POP3(host.ip, port, timeout=clients.TIMEOUT)
        with pytest.raises(poplib.error_proto, match=r"STLS|TLS|[Pp]laintext|[Cc]leartext"):
            session.user(BOB)
        session.stls(clients.tls())
    else:
        session = poplib.POP3_SSL(host.ip, port, timeout=clients.TIMEOUT, context=clients.tls())
    try:
        session.user(BOB)
        session.pass_(sample_accounts.PASSWORDS[BOB])
        count, _ = session.stat()
        mails = [b"\r\n".join(session.retr(number + 1)[1]) for number in range(count)]
    finally:
        session.quit()
    assert sum(f"Message-ID: {message_id}".encode() in mail for mail in mails) == 1


def test_a_misspelt_setting_stops_before_the_host_is_touched(host: Target) -> None:
    before = host.exec("find /etc /var/lib/mailstack -printf '%p %T@\\n' | sort").stdout
    run = host.pyinfra("-y", "deploy.py", data=sample_accounts.data(mail_postfix_main={"smtpd_bannner": "x"}))
    assert run.returncode != 0
    assert "smtpd_bannner" in run.stderr
    assert "smtpd_banner" in run.stderr.replace("smtpd_bannner", "")
    assert host.exec("find /etc /var/lib/mailstack -printf '%p %T@\\n' | sort").stdout == before


def test_a_value_that_postfix_could_not_start_with_stops_before_the_host_is_touched(host: Target) -> None:
    before = host.exec("find /etc /var/lib/mailstack -printf '%p %T@\\n' | sort").stdout
    values = {"maximal_queue_lifetime": "long", "biff": "maybe", "smtpd_hard_error_limit": "many"}
    run = host.pyinfra("-y", "deploy.py", data=sample_accounts.data(mail_postfix_main=values))
    assert run.returncode != 0
    for name, value in values.items():
        assert f"mail_postfix_main: {name} = {value!r}; allowed: " in run.stderr
    assert host.exec("find /etc /var/lib/mailstack -printf '%p %T@\\n' | sort").stdout == before
    assert clients.replies(host, ALICE) == 250


def test_the_known_parameters_are_those_of_the_host(server: Target) -> None:
    version = server.exec("postconf -dh mail_version").stdout.strip()
    assert differences(version, server.exec("postconf -dH").stdout.split()) == (set(), set())


KINDS_BY_MESSAGE = {
    "bad numerical configuration": "number",
    "bad boolean configuration": "yes/no",
    "parameter": "time",
}
NOT_READ = {
    "service_throttle_time",  # by master(8)
    "postlogd_watchdog_timeout",
    # once there is TLS
    "tls_append_default_CA",
    "tls_daemon_random_bytes",
    "tls_fast_shutdown_enable",
    "tls_legacy_public_key_fingerprints",
    "tls_preempt_cipherlist",
    "tls_wildcard_matches_multiple_labels",
}
"""Parameters that no idle program reads."""


def test_the_known_kinds_are_those_that_postfix_checks(host: Target) -> None:
    version = nearest_version(host.exec("postconf -dh mail_version").stdout.strip())
    known = {name: row.kind for name, row in table().items() if version in row.versions}
    names = [name for name, kind in known.items() if kind != "text"]
    program = (Path(__file__).parent / "postfix_kinds.pl").read_text()
    said = host.exec(
        ["unshare", "-m", "perl", "-e", program], input="\n".join(names) + "\n", timeout=300
    ).stdout
    messages = dict(line.split("\t", 1) for line in said.splitlines())
    found = {
        name: next(kind for words, kind in KINDS_BY_MESSAGE.items() if text.startswith(words))
        for name, text in messages.items()
    }
    assert found == {name: known[name] for name in names if name not in NOT_READ}


def test_the_defaults_are_of_the_known_kinds(host: Target) -> None:
    version = nearest_version(host.exec("postconf -dh mail_version").stdout.strip())
    defaults = host.exec("postconf -dx").stdout.splitlines()
    values = {name: value.strip() for name, _, value in (line.partition(" =") for line in defaults)}
    main = {name: values[name] for name, row in table().items() if version in row.versions and name in values}
    assert len(main) > 700
    assert bad_values(PostfixSettings(mail_postfix_main=main)) == []
