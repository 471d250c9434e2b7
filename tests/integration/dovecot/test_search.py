"""SEARCH without an index: Dovecot reads the mail, so each result is correct, in any script."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator

import pytest

from tests.support import clients, multilingual_mail
from tests.support.multilingual_mail import SCRIPTS
from tests.support.sample_accounts import BOB
from tests.targets.containers import Target

FOLDER = "Search"
ALL = set(range(1, len(multilingual_mail.messages()) + 1))
_SIX = 6 * len(SCRIPTS)
_MARKED = {subject: _SIX + place for place, subject in enumerate(multilingual_mail.MARKED, 1)}
_PERSON = {number: _SIX + len(_MARKED) + number for number in range(1, 13)}
_LISTED = len(ALL)
#: Searches with wrong results of an index on at least one release, and the correct results.
KNOWN = {
    'FROM "Person 2"': {_PERSON[2]},
    'NOT FROM "Person 2"': ALL - {_PERSON[2]},
    'NOT FROM "anna"': ALL
    - {n for n in ALL if n > _SIX and n not in _PERSON.values()}
    - {6 * place + letter for place in range(len(SCRIPTS)) for letter in (4, 5, 6)},
    'UNDELETED NOT SUBJECT "invoice"': ALL - {_MARKED["invoice"]},
    'OR FLAGGED NOT BODY "invoice"': ALL - {_MARKED["invoice"]},
    'HEADER Received "relay"': ALL,
    'HEADER X-Spam-Status "score=-1.9"': {_LISTED},
    'HEADER X-Empty ""': {_LISTED},
    'HEADER List-Id "dev.lists"': {_LISTED},
    'BODY "c=d"': {_MARKED["equation"]},
    'BODY "C++"': {_MARKED["hash"]},
    'BODY "€"': {_MARKED["euro"]},
    'BODY "2024-0815"': {_MARKED["invoice"]},
    'BODY "+49-89-1234567"': {_MARKED["phone"]},
    f'BODY "{multilingual_mail.UUID}"': {_MARKED["uuid"]},
    f'BODY "{multilingual_mail.URL}"': {_MARKED["url"]},
    'BODY "loudly quite"': set(),
    'BODY "quite loudly"': {_MARKED["quoted"]},
    f'BODY "{multilingual_mail.KEY[8:30]}"': {_LISTED - 1},
}


@pytest.fixture(scope="module")
def session(server: Target) -> Iterator[imaplib.IMAP4]:
    """Yield a session of bob's, in a folder with the letters, gone afterwards."""
    with clients.imap(server, BOB) as session:
        session.create(FOLDER)
        for mail in multilingual_mail.messages():
            session.append(FOLDER, "", "", mail)
        session.select(FOLDER)
        yield session
        session.select()
        session.delete(FOLDER)


def found(session: imaplib.IMAP4, query: str) -> set[int]:
    """Return the numbers of the messages that a search returns; its strings go as literals."""
    keys, values = multilingual_mail.split(query)
    session.literal = values[0].encode()  # type: ignore[assignment]
    assert len(values) == 1
    answer = session.search("UTF-8", keys[0].rstrip())[1][0]
    return {int(number) for number in answer.split()}


@pytest.mark.parametrize("query", KNOWN)
def test_searches_that_an_index_gets_wrong(session: imaplib.IMAP4, query: str) -> None:
    assert found(session, query) == KNOWN[query]


@pytest.mark.parametrize("name", SCRIPTS)
def test_words_in_any_script_and_in_any_part(session: imaplib.IMAP4, name: str) -> None:
    first = 6 * list(SCRIPTS).index(name) + 1
    script, six = SCRIPTS[name], set(range(first, first + 6))
    for text in (script.word, script.part, script.long, script.text):
        if len(text) < 80:  # a longer one is folded in an attached message
            assert found(session, f'BODY "{text}"') == six
            assert found(session, f'NOT BODY "{text}"') == ALL - six
        assert found(session, f'TEXT "{text}"') >= found(session, f'BODY "{text}"')
    with_word = {first, first + 1, first + 2} | ({first + 3} if script.word in script.long else set())
    assert found(session, f'SUBJECT "{script.word}"') == with_word
    assert found(session, f'FROM "{script.name}"') == {first, first + 1, first + 2}
    assert found(session, f'BODY "{script.word}x"') == set()
