"""Full-text search, as a fresh server has it: words in any script, in every part, out of the index."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from tests.integration import clients
from tests.integration.world import BOB, STRANGER
from tests.targets.containers import Target

FOLDER = "Search"
#: By the word: the text that has it, and the charset that it is sent in.
TEXTS = {
    "Übergabe": ("Zur Übergabe fährt sie.", "iso-8859-1"),
    "проверка": ("Это проверка связи.", "koi8-r"),
    "καλημέρα": ("Λοιπόν, καλημέρα σας!", "utf-8"),
    "日本語": ("これは日本語の文章です。", "iso-2022-jp"),
    "العربية": ("هذه رسالة باللغة العربية.", "utf-8"),
    "bahnhof": ("Am Hauptbahnhof.", "us-ascii"),
}


def letters() -> list[EmailMessage]:
    """A message for each text, the last two with it in a part that is not the first."""
    made = []
    for number, (text, charset) in enumerate(TEXTS.values()):
        mail = clients.message(STRANGER, BOB, subject=f"letter no{number}", body="nothing here\n")
        if number < len(TEXTS) - 2:
            mail.set_content(text, charset=charset, cte="base64")
        else:
            mail.add_alternative(f"<html><body><p><b>{text}</b></p></body></html>", "html", cte="base64")
            mail.add_attachment(b"\\x00\\xff" * 999, "application", "octet-stream", filename="x.bin")
        made.append(mail)
    return made


@pytest.fixture(scope="module")
def session(server: Target) -> Iterator[imaplib.IMAP4]:
    """A session of bob's, in a folder with these letters, gone afterwards."""
    with clients.imap(server, BOB) as session:
        session.create(FOLDER)
        for mail in letters():
            session.append(FOLDER, "", "", mail.as_bytes())
        session.select(FOLDER)
        yield session
        session.select()
        session.delete(FOLDER)


def found(session: imaplib.IMAP4, word: str, key: str = "BODY") -> list[int]:
    """The numbers of the messages that a search for the word returns."""
    session.literal = word.encode()  # type: ignore[assignment]
    answer = session.search("UTF-8", key)[1][0]
    return [int(number) for number in answer.split()]


@pytest.mark.parametrize("word", TEXTS)
def test_words_are_found(session: imaplib.IMAP4, word: str) -> None:
    number = list(TEXTS).index(word) + 1
    assert found(session, word) == [number]
    assert found(session, word, "TEXT") == [number]
    assert found(session, word.swapcase()) == [number]


def test_other_words_are_not(session: imaplib.IMAP4) -> None:
    for word in ("nowhere", "Übergaben", "中文"):
        assert found(session, word) == []


def test_two_words_and_headers(session: imaplib.IMAP4) -> None:
    assert found(session, "Übergabe fährt") == [1]
    assert found(session, "日本") == found(session, "no3", "TEXT") == [4]
    assert found(session, "letter no3", "SUBJECT") == [4]
    assert found(session, "letter no3", "TEXT") == [4]


def test_mail_is_indexed_as_it_comes(server: Target) -> None:
    """And found in the index alone: on disk the word is another one by then."""
    message_id = clients.send(server, clients.message(STRANGER, BOB, body="unmistakable zanzibar\n"))
    with clients.imap(server, BOB) as session:
        clients.wait_for_mail(session, message_id)
        lookup = ["doveadm", "fts", "lookup", "-u", BOB, "mailbox", "INBOX", "body", "zanzibar"]

        def indexed() -> str:
            return server.exec(lookup, check=False).stdout

        clients.eventually(indexed, "it is not indexed")
        maildir = f"{clients.home(server, BOB)}/Maildir"
        path = server.exec(f"grep -rlF '{message_id}' {maildir}/cur {maildir}/new").stdout.strip()
        server.exec(["sed", "-i", "s/zanzibar/botswana/", path])
        assert len(found(session, "zanzibar")) == 1
        (number,) = found(session, "unmistakable")
        session.store(str(number), "+FLAGS", "\\Deleted")
        session.expunge()
        assert found(session, "zanzibar") == []


def test_an_index_that_was_lost_is_made_again(server: Target, session: imaplib.IMAP4) -> None:
    server.exec(["doveadm", "fts", "rescan", "-u", BOB])
    server.exec(["doveadm", "index", "-u", BOB, "*"])
    for number, word in enumerate(TEXTS, 1):
        assert found(session, word) == [number]
