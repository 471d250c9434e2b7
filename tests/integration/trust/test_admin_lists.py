"""What the administrator forbids or allows: senders, networks, attachments, and users' `From`."""

from __future__ import annotations

import io
import re
import smtplib
import textwrap
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from tests.support import clients, trust
from tests.support.deploys import run
from tests.support.managesieve import install, logged_in
from tests.support.sample_accounts import ALICE, BOB, CAROL
from tests.support.temporary_users import PASSWORD, guests
from tests.support.trust import QUARANTINE, REJECT, SILENT, Protected, folder_of, letter, somebody
from tests.targets.shell import ROOT

pytestmark = pytest.mark.postgresql

FRIEND = f"friend@{REJECT}"
#: As in docs/sieve.md.
SHOP, LETTER = "shop.example", "newsletter.example"
#: Without a policy, so that DMARC says nothing of who wrote it.
UNKNOWN = "unknown.example"


def lists(protected: Protected) -> dict[str, object]:
    """Return settings: this machine is in a blocked network by IPv6, and in none by IPv4."""
    return {
        "mail_spam_blocked_senders": [f"spammer@{REJECT}", SILENT],
        # a block wins
        "mail_spam_allowed_senders": [FRIEND, QUARANTINE, SILENT, UNKNOWN],
        "mail_spam_blocked_networks": [f"[{protected.server.network.subnet6}]"],
        "mail_forbidden_attachments": ["scr", "js"],
        "mail_encrypted_archives": False,
        "mail_own_from_only": True,
    }


@pytest.fixture(scope="module")
def strict(protected: Protected) -> Iterator[Protected]:
    """Yield the server with lists of its administrator."""
    run(protected.server, trust.data(**lists(protected)))
    protected.server.exec("systemctl restart rspamd")  # a reload takes some seconds
    yield protected
    run(protected.server, trust.data())
    protected.server.exec("systemctl restart rspamd")


def refused(protected: Protected, mail: EmailMessage, sender: str, text: str, *, ipv6: bool = False) -> None:
    """Assert that a message is refused with this text."""
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        clients.send(protected.server, mail, sender=sender, ipv6=ipv6)
    assert refusal.value.smtp_code == 554
    assert text in str(refusal.value)


def with_file(sender: str, name: str, content: bytes) -> EmailMessage:
    """Return a message with an attachment."""
    mail = letter(sender, BOB)
    mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail


def archive(name: str) -> bytes:
    """Return a zip archive with a file of that name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(name, "text")
    return stream.getvalue()


def encrypted() -> bytes:
    """Return a zip archive whose only file has a password: bit 0 of its flags (APPNOTE 4.4.4) says so."""
    content = bytearray(archive("letter.txt"))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    return bytes(content)


def greylisted(protected: Protected, mail: EmailMessage, sender: str) -> None:
    """Assert that the filter holds something against a message: its sender is to come again."""
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        clients.send(protected.server, mail, BOB, sender=sender)
    assert (refusal.value.smtp_code, refusal.value.smtp_error) == (451, b"4.7.1 Try again later")


def suspicious(sender: str) -> EmailMessage:
    """Return a message that is spam by its score: a program that claims to be a document."""
    mail = with_file(sender, "invoice.pdf.exe", b"MZ" + bytes(100))
    del mail["Date"], mail["To"], mail["Subject"]
    return mail


def test_blocked_senders_are_refused(strict: Protected) -> None:
    text = "Mail of this sender is not accepted here"
    spammer, below = f"Spammer@{REJECT.upper()}", f"anna@news.{SILENT}"
    for envelope, author in ((spammer, spammer), (somebody(REJECT), spammer), (below, below)):
        refused(strict, letter(author, BOB), envelope, text)
    # other addresses of the domain, and a domain that only ends alike
    for sender in (somebody(REJECT), f"anna@not{SILENT}"):
        message_id = clients.send(strict.server, letter(sender, BOB), sender=sender)
        assert folder_of(strict.server, BOB, message_id) == "INBOX"


def test_blocked_networks_are_refused(strict: Protected) -> None:
    sender = somebody(REJECT)
    refused(strict, letter(sender, BOB), sender, "Mail from your address is not accepted here", ipv6=True)
    # a user may be there
    mail = letter(BOB, BOB)
    message_id = clients.send(strict.server, mail, sender=BOB, port=587, user=BOB, ipv6=True)
    assert clients.received(strict.server, BOB, message_id)


def test_allowed_senders_are_not_filtered_if_it_is_them(strict: Protected) -> None:
    mail = suspicious(FRIEND)
    message_id = clients.send(strict.server, mail, BOB, sender=FRIEND)
    assert folder_of(strict.server, BOB, message_id) == "INBOX"
    other = somebody(REJECT)
    greylisted(strict, suspicious(other), other)
    # another sender than the one in From: SPF passes, but not for it
    mail = letter(somebody(QUARANTINE), BOB)
    message_id = clients.send(strict.server, mail, sender=somebody(REJECT))
    assert folder_of(strict.server, BOB, message_id) == "Junk"
    greylisted(strict, suspicious(f"anna@{UNKNOWN}"), somebody(REJECT))


def test_forbidden_attachments_are_refused(strict: Protected) -> None:
    sender, text = somebody(REJECT), "Attachments of this type are not accepted here"
    for mail in (
        with_file(sender, "saver.SCR", b"text"),
        with_file(sender, "files.zip", archive("a folder/run.js")),
    ):
        refused(strict, mail, sender, text)
    refused(strict, with_file(sender, "files.zip", encrypted()), sender, "Encrypted archives")
    message_id = clients.send(strict.server, with_file(sender, "files.zip", archive("a.txt")), sender=sender)
    assert folder_of(strict.server, BOB, message_id) == "INBOX"


def by_alice(strict: Protected, authors: str, sender: str = ALICE, **fields: str) -> str:
    """Send a message of Alice's with this `From`; return "" or how it is refused."""
    mail = letter(ALICE, BOB)
    mail.replace_header("From", authors)
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    try:
        clients.send(strict.server, mail, BOB, sender=sender, port=587, user=ALICE)
    except smtplib.SMTPDataError as refusal:
        return f"{refusal.smtp_code} {refusal.smtp_error!r}"
    return ""


def test_users_write_their_own_from_alone(strict: Protected) -> None:
    named = (f"Bob <{ALICE}>", f'"{BOB}" <{ALICE}>', f'"Bob (\\"work\\")" <{ALICE}>')
    for own in (ALICE, *named, "ALICE@Example.org", "alice+list@example.org"):
        assert by_alice(strict, own) == "", own
    assert by_alice(strict, ALICE, sender="") == "", "a receipt"
    for other in (BOB, CAROL, f'"{ALICE}" <{BOB}>', f"{ALICE}, {BOB}", f"{BOB} <{ALICE}>, x@b.example"):
        assert by_alice(strict, other).startswith("554 "), other
    # programs show the first address
    for first in (f"{BOB} <{ALICE}>", f'{BOB} "" <{ALICE}>', f"{BOB} (Alice) <{ALICE}>"):
        assert by_alice(strict, first).startswith("554 "), first
    assert by_alice(strict, BOB, Sender=ALICE).startswith("554 ")
    assert by_alice(strict, BOB, Resent_From=ALICE).startswith("554 ")
    assert by_alice(strict, BOB, sender="").startswith("554 ")
    assert f"From must be {ALICE}" in by_alice(strict, BOB)


def test_allowed_networks_are_not_filtered(protected: Protected) -> None:
    network = f"[{protected.server.network.subnet6}]"
    run(protected.server, trust.data(mail_spam_allowed_networks=[network]))
    protected.server.exec("systemctl restart rspamd")
    try:
        mail = suspicious(somebody(REJECT))
        message_id = clients.send(protected.server, mail, BOB, sender=somebody(SILENT), ipv6=True)
        assert folder_of(protected.server, BOB, message_id) == "INBOX"
        with pytest.raises(smtplib.SMTPDataError):
            clients.send(protected.server, mail, BOB, sender=somebody(SILENT))
    finally:
        run(protected.server, trust.data())
        protected.server.exec("systemctl restart rspamd")


def documented(beginning: str) -> str:
    """Return the script of docs/sieve.md whose first lines match."""
    page = (ROOT / "docs/sieve.md").read_text()
    (script,) = re.findall(rf"^(    {beginning}.*\n(?:    .+\n)*)", page, re.MULTILINE)
    return textwrap.dedent(str(script))


def test_a_users_own_block_list(protected: Protected) -> None:
    server = protected.server
    with guests(server, "choosy") as (user,):
        install(server, user, documented('require "fileinto";\n    if address :is '))
        sent = {}
        for author in (f"ads@{SHOP}", f"anna@{SHOP}", f"daily@{LETTER}"):
            mail = letter(author, user)
            sent[author] = clients.send(server, mail, sender=somebody(SILENT))
        with clients.imap(server, user, password=PASSWORD) as session:
            assert clients.wait_for_mail(session, sent[f"anna@{SHOP}"])
            clients.wait_for_empty_queue(server)
            assert clients.find(session, sent[f"ads@{SHOP}"]) == []
            session.select("Junk")
            assert clients.find(session, sent[f"daily@{LETTER}"])


def test_a_users_own_allow_list(protected: Protected) -> None:
    """It runs before spam is filed, and is not the active script, which nothing of Junk reaches."""
    server = protected.server
    listed, other = "anna@letters.example", somebody(QUARANTINE)
    script = documented('require "editheader";').replace("letters.example", QUARANTINE)
    with guests(server, "fond", "other") as users:
        with logged_in(server, users[0], PASSWORD) as session:
            assert session.put("allow-list", script).status == "OK"
        for author, user, folder in (
            (listed.replace("letters.example", QUARANTINE), users[0], "INBOX"),
            (listed.replace("letters.example", QUARANTINE), users[1], "Junk"),
            (other, users[0], "Junk"),
        ):
            message_id = clients.send(server, letter(author, user), sender=somebody(SILENT))
            assert folder_of(server, user, message_id, PASSWORD) == folder


def test_a_broken_allow_list_loses_nothing(protected: Protected) -> None:
    server = protected.server
    with guests(server, "careless") as (user,):
        install(server, user, 'require "fileinto"; fileinto "Drafts";')
        script = f"{clients.home(server, user)}/sieve/allow-list.sieve"
        server.write(script, b"nothing of Sieve\n")
        server.exec(["chown", "vmail:vmail", script])
        message_id = clients.send(server, letter(somebody(SILENT), user), sender=somebody(SILENT))
        assert clients.received(server, user, message_id, password=PASSWORD)
