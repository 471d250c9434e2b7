"""Users' scripts on real mail, without loss."""

from __future__ import annotations

import imaplib
import uuid
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message

import pytest

from tests.support import clients
from tests.support.managesieve import install
from tests.support.sample_accounts import REMOTE, STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

ELSEWHERE = f"elsewhere@{REMOTE}"
PROTECTED = ("Received", "Return-Path", "Delivered-To", "Auto-Submitted")
SCRIPT = f"""
require ["body", "copy", "editheader", "enotify", "envelope", "fileinto", "imap4flags", "mailbox", "regex",
    "subaddress", "variables"];
if header "subject" "file" {{ fileinto :create "Lists/One"; }}
elsif header "subject" "nowhere" {{ fileinto "There is none"; }}
elsif header "subject" "up" {{ fileinto :create "../up"; }}
elsif header "subject" "flag" {{ addflag ["\\\\Flagged", "$Label1"]; }}
elsif header "subject" "header" {{
    addheader "X-Filtered" "yes"; deleteheader "X-Unwanted";
    deleteheader "Subject"; addheader "Subject" "new";
}}
elsif header "subject" "protected" {{
    {" ".join(f'deleteheader "{field}";' for field in PROTECTED)}
    addheader "Return-Path" "<forged@example.org>"; addheader "X-Sieve-Redirected-From" "filter@example.org";
}}
elsif header "subject" "redirect" {{ redirect "{ELSEWHERE}"; }}
elsif header "subject" "copy" {{ redirect :copy "{ELSEWHERE}"; }}
elsif header :matches "subject" "notify *" {{ notify :message "Note ${{1}}" "mailto:{ELSEWHERE}"; }}
elsif header "subject" "discard" {{ discard; }}
elsif header "subject" "many" {{
    redirect "1@{REMOTE}"; redirect "2@{REMOTE}"; redirect "3@{REMOTE}";
    redirect "4@{REMOTE}"; redirect "5@{REMOTE}";
}}
elsif header "subject" "a thousand" {{ {" ".join(f'redirect "{each}@{REMOTE}";' for each in range(1000))} }}
elsif envelope :detail "to" "tag" {{ addheader "X-Detail" "yes"; }}
elsif body :contains "needle" {{ addheader "X-Body" "yes"; }}
elsif header :regex "subject" "^r([0-9]+)$" {{ addheader "X-Regex" "${{1}}"; }}
"""


@pytest.fixture(scope="module")
def user(server: Target) -> Iterator[str]:
    """Yield a user with that script."""
    with guests(server, "filter") as (email,):
        install(server, email, SCRIPT)
        yield email


@pytest.fixture
def mailbox(server: Target, user: str) -> Iterator[imaplib.IMAP4]:
    """Yield the user's INBOX."""
    with clients.imap(server, user, password=PASSWORD) as session:
        yield session


def deliver(
    server: Target, to: str, subject: str, sender: str = STRANGER, body: str = "x\n", **headers: str
) -> str:
    """Send a message from outside, and return its Message-ID."""
    mail = clients.message(STRANGER, to, subject, body)
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    return clients.send(server, mail, sender=sender)


def received(mailbox: imaplib.IMAP4, message_id: str) -> Message:
    """Return the message with that Message-ID, once it is in the selected mailbox."""
    return message_from_bytes(clients.wait_for_mail(mailbox, message_id))


def at_peer(peer: Target, message_id: str) -> Message:
    """Return the message with that Message-ID, or in reply to it, once the outside world has it."""
    return message_from_bytes(clients.wait_at_peer(peer, message_id))


def test_fileinto(server: Target, user: str, mailbox: imaplib.IMAP4) -> None:
    sent = deliver(server, user, "file")
    clients.eventually(lambda: mailbox.select("Lists/One")[0] == "OK", "no folder")
    assert received(mailbox, sent)


def test_a_missing_folder(server: Target, user: str, mailbox: imaplib.IMAP4) -> None:
    assert received(mailbox, deliver(server, user, "nowhere"))
    assert "There is none" not in str(mailbox.list())


def test_dots_lead_out_of_no_mailbox(server: Target, user: str, mailbox: imaplib.IMAP4) -> None:
    """Dots are part of a name, here of the user's own folder."""
    sent = deliver(server, user, "up")
    clients.eventually(lambda: "../up" in str(mailbox.list()), "there is no such folder")
    mailbox.select('"../up"')
    assert received(mailbox, sent)
    mailbox.select("INBOX")
    (folder,) = server.exec(["find", "/var/vmail", "-name", "up", "-printf", "%p"]).stdout.split()
    assert folder == f"{clients.mail_root(server, user)}/mailboxes/\x7f2e./up"


def test_imap4flags(server: Target, user: str, mailbox: imaplib.IMAP4) -> None:
    sent = deliver(server, user, "flag")
    received(mailbox, sent)
    number = mailbox.search(None, "HEADER", "Message-ID", f'"{sent}"')[1][0].decode()
    flags = mailbox.fetch(number, "(FLAGS)")[1][0]
    assert isinstance(flags, bytes)
    assert b"\\Flagged" in flags and b"$Label1" in flags


def test_editheader(server: Target, user: str, mailbox: imaplib.IMAP4) -> None:
    mail = received(mailbox, deliver(server, user, "header", X_Unwanted="1"))
    assert (mail["X-Filtered"], mail["X-Unwanted"], mail.get_all("Subject")) == ("yes", None, ["new"])


def test_fields_for_delivery_and_loop_detection_stay(
    server: Target, user: str, mailbox: imaplib.IMAP4
) -> None:
    mail = received(mailbox, deliver(server, user, "protected", Auto_Submitted="no"))
    assert [len(mail.get_all(field) or []) for field in PROTECTED] == [2, 1, 1, 1]
    assert (mail["Return-Path"], mail["X-Sieve-Redirected-From"]) == (f"<{STRANGER}>", None)


def test_tests_of_several_kinds(server: Target, user: str, mailbox: imaplib.IMAP4) -> None:
    tagged = deliver(server, user.replace("@", "+tag@"), "a")
    body = deliver(server, user, "b", body="hay\nneedle\n")
    regex = deliver(server, user, "r42")
    assert received(mailbox, tagged)["X-Detail"] == "yes"
    assert received(mailbox, body)["X-Body"] == "yes"
    assert received(mailbox, regex)["X-Regex"] == "42"


def test_redirect_sends_as_the_user(server: Target, user: str, peer: Target, mailbox: imaplib.IMAP4) -> None:
    moved, copied, bounce = (
        deliver(server, user, "redirect"),
        deliver(server, user, "copy"),
        deliver(server, user, "redirect", sender=""),
    )
    for message_id, sender in ((moved, user), (copied, user), (bounce, "")):
        mail = at_peer(peer, message_id)
        assert mail["Return-Path"] == f"<{sender}>"
        assert mail["Delivered-To"] == ELSEWHERE
        assert mail["X-Sieve-Redirected-From"] == user
        assert (mail["From"], mail["To"]) == (STRANGER, user)
    assert received(mailbox, copied)
    assert clients.find(mailbox, moved) == clients.find(mailbox, bounce) == []


def test_enotify(server: Target, user: str, peer: Target, mailbox: imaplib.IMAP4) -> None:
    number = uuid.uuid4()
    assert received(mailbox, deliver(server, user, f"notify {number}"))
    note = at_peer(peer, f"Note {number}")
    assert (note["Return-Path"], note["Delivered-To"]) == (f"<{user}>", ELSEWHERE)
    assert note["Auto-Submitted"].startswith("auto-notified")


def test_discard(server: Target, user: str, mailbox: imaplib.IMAP4) -> None:
    sent = deliver(server, user, "discard")
    received(mailbox, deliver(server, user, "next"))
    assert clients.find(mailbox, sent) == []


@pytest.mark.parametrize("subject", ["many", "a thousand"])
def test_too_many_redirects(
    server: Target, user: str, peer: Target, mailbox: imaplib.IMAP4, subject: str
) -> None:
    sent = deliver(server, user, subject)
    assert received(mailbox, sent)
    clients.wait_for_empty_queue(server)
    assert clients.peer_find(peer, sent) == []


def test_vacation_answers_people_once(server: Target, peer: Target) -> None:
    with guests(server, "holiday") as (user,):
        install(server, user, 'require "vacation"; vacation :subject "Away" "Back in May.";')
        first = deliver(server, user, "Hello")
        answer = at_peer(peer, first)
        assert answer["Return-Path"] == f"<{user}>"
        assert (answer["Delivered-To"], answer["To"]) == (STRANGER, f"<{STRANGER}>")
        assert (answer["From"], answer["Subject"]) == (f"<{user}>", "Away")
        assert answer["In-Reply-To"] == first
        assert answer["Auto-Submitted"].startswith("auto-replied")
        other = f"other@{REMOTE}"
        quiet = [
            deliver(server, user, "again"),
            deliver(server, user, "from nobody", sender=""),
            deliver(server, user, "of a list", sender=other, List_Id="<list.example>"),
            deliver(server, user, "from a machine", sender=other, Auto_Submitted="auto-generated"),
            deliver(server, user, "bulk", sender=other, Precedence="bulk"),
            deliver(server, user, "from a daemon", sender=f"mailer-daemon@{REMOTE}"),
            blind_copy(server, user, other),
        ]
        with clients.imap(server, user, password=PASSWORD) as mailbox:
            for message_id in (first, *quiet):
                assert received(mailbox, message_id)
        clients.wait_for_empty_queue(server)
        assert [clients.peer_find(peer, message_id) for message_id in quiet] == [[]] * len(quiet)
        assert at_peer(peer, deliver(server, user, "from another", sender=other))["Delivered-To"] == other


def test_vacation_answers_for_aliases(server: Target, peer: Target) -> None:
    with guests(server, "absent") as (user,):
        install(server, user, 'require "vacation"; vacation :subject "Away" "Back in May.";')
        clients.sql(
            server,
            f"""
INSERT INTO mail_alias (source_email, destination_email) VALUES
    ('office@example.org', 'desk@example.org'), ('desk@example.org', '{user}');
INSERT INTO mail_alias_domain (alias_domain, domain_name) VALUES ('other.example', 'example.org');
""",
        )
        try:
            other = f"other@{REMOTE}"
            for address in ("office@example.org", "absent@other.example", "Desk+x@other.example"):
                sender = f"for-{address.partition('@')[0].lower()}@{REMOTE}"
                answer = at_peer(peer, deliver(server, address, "Hello", sender))
                assert (answer["Delivered-To"], answer["From"]) == (sender, f"<{address}>")
                assert answer["Return-Path"].lower() == f"<{address}>".lower()
            quiet = [
                deliver(server, "office@example.org", "of a list", other, List_Id="<list.example>"),
                deliver(server, "office@example.org", "bulk", other, Precedence="bulk"),
                deliver(server, "office@example.org", "from nobody", ""),
                blind_copy(server, "office@example.org", other),
                blind_copy(server, "absent@other.example", other),
                blind_copy(server, "office@example.org", other, X_Original_To=f"all@{REMOTE}"),
            ]
            with clients.imap(server, user, password=PASSWORD) as mailbox:
                for message_id in quiet:
                    assert received(mailbox, message_id)
            clients.wait_for_empty_queue(server)
            assert [clients.peer_find(peer, message_id) for message_id in quiet] == [[]] * len(quiet)
        finally:
            clients.sql(
                server,
                "DELETE FROM mail_alias WHERE source_email IN ('office@example.org', 'desk@example.org');"
                "DELETE FROM mail_alias_domain WHERE alias_domain = 'other.example'",
            )


def blind_copy(server: Target, user: str, sender: str, **headers: str) -> str:
    """Send a message that does not name the user."""
    mail = clients.message(sender, f"all@{REMOTE}")
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    return clients.send(server, mail, user, sender=sender)


def test_a_loop_ends_and_the_mail_arrives(server: Target, peer: Target) -> None:
    with guests(server, "ping", "pong", "echo") as (ping, pong, echo):
        for user, target in ((ping, pong), (pong, ping), (echo, echo)):
            install(server, user, f'redirect "{target}";')
        for start, users in ((ping, (ping, pong)), (echo, (echo,))):
            sent = deliver(server, start, "round and round")
            clients.wait_for_empty_queue(server)
            clients.eventually(lambda: copies(server, users, sent), "lost")  # noqa: B023
            assert copies(server, users, sent) == 1
            assert clients.peer_find(peer, sent) == [], "nobody outside hears of it"


def copies(server: Target, users: tuple[str, ...], message_id: str) -> int:
    """Return how often a message is in the INBOXes of these users."""
    count = 0
    for user in users:
        with clients.imap(server, user, password=PASSWORD) as mailbox:
            count += len(clients.find(mailbox, message_id))
    return count


@pytest.mark.parametrize(
    "harm",
    [
        "echo 'frobnicate;' > main.sieve",
        "printf '\\0\\377' > main.sieve",
        ": > main.sieve",
        "rm main.sieve",
        "rm main.sieve; mkdir main.sieve",
        "chmod 0 main.sieve",
        "echo garbage > main.svbin; touch -d tomorrow main.svbin",
        "rm -r ../sieve; : > ../sieve",
    ],
)
def test_mail_arrives_whatever_becomes_of_a_script(server: Target, harm: str) -> None:
    with guests(server, "broken") as (user,):
        install(server, user, "keep;")
        home = f"{clients.home(server, user)}/sieve"
        server.exec(["runuser", "-u", "vmail", "--", "sh", "-c", f"cd {home}; rm -f *.svbin; {harm}"])
        sent = deliver(server, user, "still here")
        assert clients.received(server, user, sent, PASSWORD)
