"""`mail_full_text_search`: different results with an index, and folders that move."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, multilingual_mail, sample_accounts
from tests.support.multilingual_mail import Query
from tests.support.sample_accounts import BOB, CAROL, STRANGER
from tests.targets.containers import Target

FOLDER = "Search"
ON = sample_accounts.data(mail_full_text_search=True)
#: By release: an option that takes the index from one imap process.
WITHOUT = {12: "mail_plugins=quota", 13: "fts_search=no"}
DOCS = Path(__file__).parents[3] / "docs" / "mailboxes.md"
SAME = "as without"
#: How often a folder moves; on Debian 13 with an indexer in it, 2 of 100 such moves took two minutes.
ROUNDS = 60


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server with the setting; bob has the letters in a folder."""
    target = module_clone("indexed")
    deploys.run(target, ON)
    deploys.assert_converged(target, ON)
    with clients.imap(target, BOB) as session:
        session.create(FOLDER)
        for mail in multilingual_mail.messages():
            session.append(FOLDER, "", "", mail)
    return target


@pytest.fixture
def session(host: Target) -> Iterator[imaplib.IMAP4]:
    """Yield a session of bob's in that folder."""
    with clients.imap(host, BOB) as session:
        session.select(FOLDER)
        yield session


def answers(host: Target, queries: list[Query], *options: str) -> list[str]:
    """Return what SEARCH answers, as a set of numbers, in an imap process of bob's with these options."""
    script = [b"select SELECT Search\r\n"]
    for number, query in enumerate(queries):
        keys, values = multilingual_mail.split(query.text)
        strings = [b"{%d+}\r\n%s" % (len(value.encode()), value.encode()) for value in values]
        parts = [part for pair in zip(keys, [*strings, b""], strict=True) for part in pair]
        line = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
        script.append(b"q%d SEARCH RETURN (ALL) CHARSET UTF-8 %s\r\n" % (number, line))
    script.append(b"end LOGOUT\r\n")
    program = ["/usr/lib/dovecot/imap", "-u", BOB, *(word for name in options for word in ("-o", name))]
    said = host.exec(program, input=b"".join(script).decode(), timeout=120).stdout
    pattern = r'^\* ESEARCH \(TAG "q(\d+)"\)(?: ALL (\S+))?'
    found = {int(match[1]): match[2] or "" for match in re.finditer(pattern, said, re.MULTILINE)}
    return [found[number] for number in range(len(queries))]


def documented(debian: int) -> dict[str, str]:
    """Return what the docs say of each kind of search on that release."""
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \|$", DOCS.read_text(), re.MULTILINE)
    return {kind: {12: on_12, 13: on_13}[debian] for kind, on_12, on_13 in rows[1:] if "---" not in kind}


def test_the_index_answers_as_the_mail_does_or_the_docs_say_how(host: Target) -> None:
    queries = multilingual_mail.queries()
    assert len(queries) >= 200
    assert len(multilingual_mail.messages()) >= 60
    host.exec(["doveadm", "index", "-u", BOB, FOLDER])
    mail, index = answers(host, queries, WITHOUT[host.debian]), answers(host, queries)
    said = documented(host.debian)
    assert {query.kind for query in queries} == set(said)
    wrong = [
        (query, there, here)
        for query, there, here in zip(queries, mail, index, strict=True)
        if there != here and said[query.kind] == SAME
    ]
    assert wrong == []
    differs = {query.kind for query, there, here in zip(queries, mail, index, strict=True) if there != here}
    assert differs == {kind for kind, what in said.items() if what != SAME}


def test_the_first_search_builds_the_index_and_the_next_ones_use_it(host: Target) -> None:
    """The word on disk is changed after the first search."""
    message_id = clients.send(host, clients.message(STRANGER, BOB, body="unmistakable zanzibar\n"))
    with clients.imap(host, BOB) as session:
        clients.wait_for_mail(session, message_id)
        lookup = ["doveadm", "fts", "lookup", "-u", BOB, "mailbox", "INBOX", "body", "zanzibar"]
        assert "zanzibar" not in host.exec(lookup, check=False).stdout
        assert len(session.search(None, "BODY", "zanzibar")[1][0].split()) == 1
        mail = f"{clients.mail_root(host, BOB)}/mailboxes/INBOX/dbox-Mails"
        path = host.exec(f"grep -lF '{message_id}' {mail}/u.*").stdout.strip()
        host.exec(["sed", "-i", "s/zanzibar/botswana/", path])
        (number,) = session.search(None, "BODY", "zanzibar")[1][0].split()
        session.store(number.decode(), "+FLAGS", "\\Deleted")
        session.expunge()
        assert session.search(None, "BODY", "zanzibar")[1] == [b""]


def test_a_lost_index_is_rebuilt(host: Target, session: imaplib.IMAP4) -> None:
    before = session.search(None, "BODY", "invoice")[1]
    host.exec(["doveadm", "fts", "rescan", "-u", BOB])
    assert session.search(None, "BODY", "invoice")[1] == before != [b""]


def test_an_index_that_cannot_be_written_does_not_harm_the_mail(host: Target) -> None:
    index = "xapian-indexes" if host.debian == 12 else "mailboxes/INBOX/dbox-Mails/fts-flatcurve"
    mail = clients.mail_root(host, BOB)
    host.exec(f"cd {mail} && rm -rf {index} && touch {index} && chmod 0 {index}")
    try:
        message_id = clients.send(host, clients.message(STRANGER, BOB, body="number7 and so on\n"))
        with clients.imap(host, BOB) as session:
            assert clients.wait_for_mail(session, message_id)
            assert len(session.search(None, "BODY", "number7")[1][0].split()) == 1
    finally:
        host.exec(f"rm -rf {mail}/{index}")


def test_folders_that_move_are_left_alone(host: Target) -> None:
    """imapsync and mbsync make a folder, fill it and rename it, over several connections."""
    mails = multilingual_mail.messages()[:5]
    with clients.imap(host, CAROL) as one, clients.imap(host, CAROL) as two:
        for number in range(ROUNDS):
            names = [f"{letter}{number}" for letter in "abc"]
            said = [one.create(names[0]), *(one.append(names[0], "", "", mail) for mail in mails)]
            said += [two.rename(*names[:2]), two.rename(*names[1:]), two.delete(names[2])]
            assert {status for status, _ in said} == {"OK"}
    assert clients.log(host, "signal 11|mailboxes.lock|deleted under us|Panic") == []


def test_off_again_the_mail_answers(host: Target) -> None:
    """This test is the last, as it changes the host. The index only leaves files."""
    deploys.run(host, sample_accounts.data())
    deploys.assert_converged(host, sample_accounts.data())
    assert len(answers(host, [Query("", 'NOT FROM "Person 2"')])[0].split(",")) == 2
    assert answers(host, [Query("", 'BODY "c=d"')]) == ["69"]
