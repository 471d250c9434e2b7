"""A user sends mail: logged in on 587 or 465, from their address, to any recipient (RFC 6409, RFC 8314)."""

from __future__ import annotations

import smtplib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, ERIN, REMOTE
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

PORTS = (587, 465)
ACTIVE = (ALICE, BOB, CAROL)


def from_and_to(server: Target, user: str, sender: str, recipient: str, port: int = 587) -> tuple[int, int]:
    """Return the codes that `user` gets for MAIL FROM and RCPT TO; nothing is sent."""
    with clients.smtp(server, port, user) as session:
        return session.mail(sender)[0], session.rcpt(recipient)[0]


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("user", ACTIVE)
def test_each_user_sends_to_a_colleague(server: Target, user: str, port: int) -> None:
    recipient = BOB if user == ALICE else ALICE
    mail = clients.message(user, recipient)
    clients.send(server, mail, sender=user, port=port, user=user)
    copy = clients.received(server, recipient, str(mail["Message-ID"]))
    assert copy.startswith(f"Return-Path: <{user}>\r\n".encode())


@pytest.mark.parametrize("port", PORTS)
def test_mail_to_other_servers_arrives(server: Target, peer: Target, port: int) -> None:
    recipients = [f"someone@{REMOTE}", f"Some.One+tag@{REMOTE}"]
    mail = clients.message(ALICE, ", ".join(recipients))
    clients.send(server, mail, *recipients, sender=ALICE, port=port, user=ALICE)
    copies = clients.eventually(
        lambda: found if len(found := clients.peer_find(peer, str(mail["Message-ID"]))) == 2 else [],
        "both copies",
    )
    assert all(f"Return-Path: <{ALICE}>\n".encode() in copy for copy in copies)
    for recipient in recipients:
        assert any(f"\nDelivered-To: {recipient}\n".encode() in copy for copy in copies), recipient


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_other_clients_log_in_as_well(server: Target, peer: Target, mechanism: str) -> None:
    for option in ("--tls", "--tls-on-connect"):
        port = "587" if option == "--tls" else "465"
        login = ("--auth", mechanism, "--auth-user", BOB, "--auth-password", sample_accounts.PASSWORDS[BOB])
        envelope = ("--from", BOB, "--to", ALICE)
        run = clients.swaks(peer, server, option, "--port", port, *login, *envelope)
        assert run.returncode == 0, run.stdout
        assert 235 in clients.codes(run.stdout.replace("<~*", "<~"))


def test_curl_sends(server: Target, peer: Target) -> None:
    mail = clients.message(CAROL, ALICE)
    clients.introduce(peer, server)
    upload = ("--upload-file", "-", "--mail-from", CAROL, "--mail-rcpt", ALICE)
    login = ("--user", f"{CAROL}:{sample_accounts.PASSWORDS[CAROL]}")
    url = f"smtps://{sample_accounts.HOSTNAME}/{REMOTE}"
    peer.exec(["curl", "-sS", "--cacert", clients.CERTIFICATE, *login, *upload, url], input=mail.as_string())
    assert clients.received(server, ALICE, str(mail["Message-ID"]))


def test_no_password_without_tls(server: Target) -> None:
    with clients.smtp(server, 587, starttls=False) as session:
        assert not session.has_extn("auth")
        assert session.has_extn("starttls")
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            clients.login(session, ALICE, sample_accounts.PASSWORDS[ALICE])
        assert refused.value.smtp_code == 530
        assert session.mail(ALICE)[0] == 530


def test_no_logins_on_25(server: Target) -> None:
    for starttls in (False, True):
        with clients.smtp(server, 25, starttls=starttls) as session:
            assert not session.has_extn("auth")
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                clients.login(session, ALICE, sample_accounts.PASSWORDS[ALICE])
            assert refused.value.smtp_code == 503


@pytest.mark.parametrize("port", PORTS)
def test_logins_that_are_refused(server: Target, port: int) -> None:
    attempts = {
        ALICE: sample_accounts.PASSWORDS[BOB],
        BOB: sample_accounts.PASSWORDS[BOB] + " ",
        DAVE: sample_accounts.PASSWORDS[DAVE],
        ERIN: sample_accounts.PASSWORDS[ERIN],
        "unknown@example.org": sample_accounts.PASSWORDS[ALICE],
        "info@example.org": sample_accounts.PASSWORDS[ALICE],
        "alice": sample_accounts.PASSWORDS[ALICE],
        "root": "",
        "' OR 1=1 --": "x",
    }

    def code(user: str) -> int:
        with clients.smtp(server, port) as session, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            clients.login(session, user, attempts[user])
        return refused.value.smtp_code

    with ThreadPoolExecutor(len(attempts)) as pool:  # each answer is delayed by 2 s
        assert set(pool.map(code, attempts)) == {535}


@pytest.mark.parametrize("port", PORTS)
def test_clients_without_a_login_send_nothing(server: Target, port: int) -> None:
    with clients.smtp(server, port) as session:
        session.mail(ALICE)
        assert session.rcpt(BOB)[0] // 100 == 5
        assert session.rcpt(f"someone@{REMOTE}")[0] // 100 == 5


def test_users_send_in_their_own_name(server: Target) -> None:
    mine = [ALICE, "Alice@Example.ORG", "alice+tag@example.org", "info@example.org", "team@example.org"]
    mine.append("")  # of receipts, by which no name is claimed (RFC 5321, 4.5.5)
    assert {sender: from_and_to(server, ALICE, sender, BOB) for sender in mine} == dict.fromkeys(
        mine, (250, 250)
    )


@pytest.mark.parametrize("port", PORTS)
def test_users_do_not_send_in_the_name_of_others(server: Target, port: int) -> None:
    others = [
        BOB,
        CAROL,
        DAVE,
        "both@example.org",
        "old@example.org",
        "unknown@example.org",
        "postmaster@example.org",
        f"stranger@{REMOTE}",
    ]
    found = {sender: from_and_to(server, ALICE, sender, CAROL, port)[1] for sender in others}
    assert found == dict.fromkeys(others, 553)


def test_missing_recipients_are_refused_during_submission(server: Target) -> None:
    addresses = ["unknown@example.org", DAVE, ERIN, "old@example.org", "unknown@disabled.example"]
    found = {address: from_and_to(server, ALICE, ALICE, address)[1] for address in addresses}
    assert found == dict.fromkeys(addresses, 550)


def test_a_login_counts_for_its_own_session_only(server: Target) -> None:
    with clients.smtp(server, 587, ALICE) as session:
        assert session.mail(ALICE)[0] == 250
    assert clients.replies(server, f"someone@{REMOTE}") == 554


def test_nothing_stays_in_the_queue(server: Target, peer: Target) -> None:
    clients.wait_for_empty_queue(server)
