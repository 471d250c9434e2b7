"""postscreen: the clients that it passes to smtpd, and those that it refuses."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets.containers import Target

#: A DNS server (RFC 1035) on which every address is listed in bl.example.net, and there is nothing else.
DNS = """
import socket, struct
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 53))
while True:
    query, client = server.recvfrom(512)
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].lower())
        at += 1 + query[at]
    question = query[12 : at + 5]
    listed = labels[-3:] == [b"bl", b"example", b"net"] and question[-4:-2] == b"\\0\\1"
    answer = struct.pack("!HHHIH4B", 0xC00C, 1, 1, 60, 4, 127, 0, 0, 2) if listed else b""
    head = query[:2] + struct.pack("!5H", 0x8180 if listed else 0x8183, 1, int(listed), 0, 0)
    server.sendto(head + question + answer, client)
"""
POSTSCREEN = {"mail_postscreen": True, "mail_postscreen_greet_wait": 2}


@pytest.fixture(scope="module")
def guarded(module_clone: Factory) -> Target:
    """Return a server with postscreen, which asks a list that does not answer."""
    server = module_clone("postscreen")
    settings = sample_accounts.data(**POSTSCREEN, mail_postscreen_dnsbl_sites=["bl.example.net=127.0.0.2"])
    server.pyinfra("-y", "deploy.py", data=settings).check()
    return server


@pytest.fixture
def dns(guarded: Target, peer: Target) -> Iterator[None]:
    """Yield the list, on the peer; the server asks there, and nothing is known of any client."""
    peer.write("/tmp/dns.py", DNS.encode())
    peer.exec(["systemd-run", "--unit=dns", "python3", "/tmp/dns.py"])
    clients.eventually(lambda: peer.exec("ss -ulnH sport = :53").stdout, "the list does not answer")
    forget(guarded, f"nameserver {peer.ip}\n")
    yield
    peer.exec(["systemctl", "stop", "dns"], check=False)


def forget(server: Target, resolver: str) -> None:
    """Restart Postfix with another resolv.conf(5), and without its record of clients."""
    server.write("/etc/resolv.conf", resolver.encode())
    clients.restart(server, "rm -f /var/lib/postfix/postscreen_cache.db")


def test_a_listed_client_is_refused_and_none_if_the_list_is_down(
    guarded: Target, dns: None, peer: Target
) -> None:
    assert clients.replies(guarded, sample_accounts.ALICE) == 550
    peer.exec(["systemctl", "stop", "dns"])
    for resolver in (peer.ip, "203.0.113.53"):  # one that has no server, and one that never answers
        forget(guarded, f"nameserver {resolver}\n")
        mail = clients.message(sample_accounts.STRANGER, sample_accounts.ALICE)
        with clients.smtp(guarded) as session:
            session.send_message(mail)
        with clients.imap(guarded, sample_accounts.ALICE) as mailbox:
            clients.wait_for_mail(mailbox, mail["Message-ID"])


def test_a_client_that_speaks_before_the_greeting_is_refused(guarded: Target) -> None:
    forget(guarded, "")
    with socket.create_connection((guarded.ip, 25), timeout=clients.TIMEOUT) as early:
        early.sendall(b"EHLO remote.example.net\r\n")
        dialogue = early.makefile("rwb")
        while (line := dialogue.readline()) and not line.startswith(b"250 "):
            assert line[:3] in (b"220", b"250")
        for command, code in (
            (f"MAIL FROM:<{sample_accounts.STRANGER}>", b"250"),
            (f"RCPT TO:<{sample_accounts.ALICE}>", b"550"),
        ):
            dialogue.write(command.encode() + b"\r\n")
            dialogue.flush()
            assert dialogue.readline()[:3] == code
    assert clients.replies(guarded, sample_accounts.ALICE) == 250


def test_over_tls_and_to_unknown_users_it_is_as_without_postscreen(guarded: Target) -> None:
    with clients.smtp(guarded, starttls=True) as session:
        session.mail(sample_accounts.STRANGER)
        assert session.rcpt(sample_accounts.ALICE)[0] == 250
        assert session.rcpt("nobody@example.org")[0] == 550


def test_deep_tests_want_a_client_to_come_again(guarded: Target) -> None:
    settings = sample_accounts.data(**POSTSCREEN, mail_postscreen_deep_tests=True)
    guarded.pyinfra("-y", "deploy.py", data=settings).check()
    forget(guarded, "")
    assert clients.replies(guarded, sample_accounts.ALICE) == 450
    assert clients.replies(guarded, sample_accounts.ALICE) == 250
    forget(guarded, "")
    with clients.smtp(guarded) as session:
        session.docmd("GET / HTTP/1.1")
        session.mail(sample_accounts.STRANGER)
        assert session.rcpt(sample_accounts.ALICE)[0] == 550  # not 450


def test_a_second_run_changes_nothing(guarded: Target) -> None:
    settings = sample_accounts.data(**POSTSCREEN, mail_postscreen_deep_tests=True)
    assert guarded.pyinfra("-y", "--json", "deploy.py", data=settings).check().changed == []
