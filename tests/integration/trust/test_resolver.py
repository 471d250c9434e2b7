"""The resolver of a host: it validates, and Postfix and rspamd ask it, whatever /etc/resolv.conf says."""

from __future__ import annotations

import smtplib

import pytest

from tests.support import clients, dns, trust
from tests.support.deploys import run
from tests.support.sample_accounts import ALICE, BOB, REMOTE
from tests.support.trust import Protected, letter, signers, somebody, verdict
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

COPY = "/var/spool/postfix/etc/resolv.conf"
OURS = b"nameserver 127.0.0.1\n"
#: rspamd asks for one thing after the other, five seconds each.
PATIENCE = 120


def send(protected: Protected, recipient: str) -> str:
    return clients.send(protected.server, letter(ALICE, recipient), sender=ALICE, port=587, user=ALICE)


def asks_itself(server: Target) -> bool:
    return server.read(COPY).endswith(OURS)


def test_answers_are_proven(protected: Protected) -> None:
    assert dns.ask(protected.server, "example.org") == (0, True)
    assert dns.ask(protected.server, dns.UNSIGNED) == (0, False)
    assert dns.ask(protected.server, dns.BOGUS) == (2, False)


def test_the_file_of_the_host_stays(protected: Protected) -> None:
    assert run(protected.server, trust.data()).changed == []
    assert protected.server.read("/etc/resolv.conf").decode() == f"{dns.DEAD}\n"
    assert asks_itself(protected.server)


def test_mail_leaves_and_comes_while_that_file_names_nobody(protected: Protected, outside: Target) -> None:
    message = clients.wait_at_peer(outside, send(protected, f"anna@{REMOTE}"), 60)
    assert signers(message) == ["rsa1@example.org", "ed1@example.org"]
    sender = somebody(trust.REJECT)
    message_id = clients.send(protected.server, letter(sender, BOB), sender=sender)
    assert "spf=pass" in verdict(clients.received(protected.server, BOB, message_id))


def test_mail_for_a_domain_with_wrong_signatures_waits(protected: Protected, outside: Target) -> None:
    send(protected, f"anna@{dns.BOGUS}")

    def waiting() -> str:
        return protected.server.exec(f"postqueue -p | grep -B1 anna@{dns.BOGUS}", check=False).stdout

    try:
        reason = clients.eventually(lambda: "Host or domain name not found" in waiting(), waiting(), 60)
        assert reason
    finally:
        protected.server.exec("postsuper -d ALL deferred")


def test_what_debian_copies_is_replaced(protected: Protected) -> None:
    hook = "IFACE=eth0 /etc/network/if-up.d/postfix"
    for copies in (
        "systemctl restart postfix",
        f"touch /etc/resolv.conf; {hook}",
        f"cp /etc/resolv.conf {COPY}",
    ):
        protected.server.exec(copies)
        clients.eventually(lambda: asks_itself(protected.server), f"the copy of {copies} stays")


def test_a_killed_resolver_comes_back(protected: Protected) -> None:
    server = protected.server
    before = process(server)
    server.exec("systemctl kill -s KILL unbound")
    clients.eventually(lambda: process(server) not in ("0", before), "unbound did not come back", 60)
    clients.eventually(lambda: dns.ask(server, "example.org") == (0, True), "it does not answer")


def process(server: Target) -> str:
    return server.exec("systemctl show -p MainPID --value unbound").stdout.strip()


def answers(server: Target) -> bool:
    return server.exec("bash -c '</dev/tcp/127.0.0.1/53'", check=False).returncode == 0


def test_without_it_mail_waits(protected: Protected, outside: Target) -> None:
    """What leaves waits in the queue, what arrives at its sender; users write to each other."""
    protected.server.exec("systemctl stop unbound")
    here, away = send(protected, BOB), send(protected, f"anna@{REMOTE}")
    assert signers(clients.received(protected.server, BOB, here)) != []
    sender = somebody(trust.REJECT)
    mail = letter(sender, BOB)
    with clients.smtp(protected.server) as session, pytest.raises(smtplib.SMTPDataError) as refused:
        assert session.sock
        session.sock.settimeout(PATIENCE)
        session.send_message(mail, sender, [BOB])
    assert (refused.value.smtp_code, b"The DNS does not answer" in as_bytes(refused.value)) == (451, True)
    run(protected.server, trust.data())
    clients.send(protected.server, mail, sender=sender)
    assert "spf=pass" in verdict(clients.received(protected.server, BOB, str(mail["Message-ID"])))
    message = clients.flush_to_peer(protected.server, outside, away)
    assert signers(message) == ["rsa1@example.org", "ed1@example.org"]


def as_bytes(error: smtplib.SMTPDataError) -> bytes:
    return error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()


def test_an_unbound_that_reads_no_file_of_mailstack_is_named(protected: Protected) -> None:
    """As an administrator writes one by hand."""
    server, path = protected.server, "/etc/unbound/unbound.conf"
    before = server.read(path)
    server.write(path, f"server:\n    interface: {server.ip}\n".encode())
    try:
        refused = server.pyinfra("-y", "deploy.py", data=trust.data(mail_resolver_forwarders=["192.0.2.53"]))
        assert refused.returncode
        assert "mail_resolver: unbound reads no file of" in refused.stderr + refused.stdout
        assert b"192.0.2.53" not in server.read("/etc/unbound/unbound.conf.d/mailstack.conf")
    finally:
        server.write(path, before)


def test_an_unbound_that_does_not_answer_ends_the_run(protected: Protected) -> None:
    """The file after mailstack's wins."""
    server, path = protected.server, "/etc/unbound/unbound.conf.d/zz-tests.conf"
    server.write(path, b"server:\n    access-control: 127.0.0.0/8 refuse\n")
    try:
        server.exec("systemctl stop unbound")
        failed = server.pyinfra("-y", "deploy.py", data=trust.data())
        assert failed.returncode
        assert "unbound: it does not work" in failed.stderr + failed.stdout
    finally:
        server.exec(f"rm {path}; systemctl restart unbound")


def test_another_server_at_its_address_is_named(protected: Protected) -> None:
    server = protected.server
    options = 'Listen => 5, LocalAddr => "127.0.0.1:53", ReuseAddr => 1'
    listen = f"my $other = IO::Socket::INET->new({options}); sleep 600"
    server.exec("systemctl stop unbound")
    server.exec(["systemd-run", "--quiet", "--unit=other-dns", "perl", "-MIO::Socket::INET", "-e", listen])
    try:
        clients.eventually(lambda: answers(server), "it does not listen")
        refused = server.pyinfra("-y", "deploy.py", data=trust.data(mail_resolver_forwarders=["192.0.2.53"]))
        assert refused.returncode
        assert "mail_resolver: port 53 of 127.0.0.1 belongs to" in refused.stderr + refused.stdout
        assert b"192.0.2.53" not in server.read("/etc/unbound/unbound.conf.d/mailstack.conf")
    finally:
        server.exec("systemctl stop other-dns; systemctl start unbound")
