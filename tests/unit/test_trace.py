"""A trace from lines of real journals: `journals/debianN.txt` is of a server to which strangers sent mail."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from mailstack.tracing.lines import entries
from mailstack.tracing.meanings import meaning
from mailstack.tracing.messages import gathered
from mailstack.tracing.printed import as_json, as_text
from mailstack.tracing.selection import Selection, selected

JOURNALS = Path(__file__).with_name("journals")
RELEASES = (12, 13)


def journal(debian: int) -> str:
    return (JOURNALS / f"debian{debian}.txt").read_text()


def trace(text: str, wanted: str, *more: str) -> Selection:
    """Return what belongs to `wanted` in the journal of `mail`, and in those of further hosts."""
    found = list(entries("mail", text.split("\n")))
    for number, other in enumerate(more):
        found += entries(f"other{number}", other.split("\n"))
    return selected(gathered(found), wanted)


def stories(selection: Selection) -> list[list[str]]:
    """Return the kinds of events of each message."""
    return [
        [event["what"] for event in each["events"]] for each in json.loads(as_json(selection))["messages"]
    ]


@pytest.mark.parametrize("debian", RELEASES)
def test_delivered_by_an_alias(debian: int) -> None:
    found = trace(journal(debian), "m1@remote.example.net")
    assert stories(found) == [["received", "checked", "alias", "delivered", "done"]]
    said = as_text(found)
    assert "from stranger@remote.example.net to info@example.org\n" in said
    assert "info@example.org -> alice@example.org" in said
    assert "delivered  alice@example.org: into INBOX" in said
    assert "no action" in said


@pytest.mark.parametrize("debian", RELEASES)
def test_forwarded_with_the_detour_and_bounced(debian: int) -> None:
    found = trace(journal(debian), "away@example.org")
    (message,) = json.loads(as_json(found))["messages"]
    first, second, bounce = message["queue_ids"]
    said = as_text(found)
    assert f"queued as {second}" in said and f"non-delivery notification as {bounce}" in said
    assert "= The domain has no mail server in the DNS, or the DNS did not answer." in said
    for queue_id in (first, second, bounce):
        assert message == json.loads(as_json(trace(journal(debian), queue_id)))["messages"][0]


@pytest.mark.parametrize("debian", RELEASES)
def test_a_bounce_belongs_to_its_message(debian: int) -> None:
    found = trace(journal(debian), "<m3@remote.example.net>")
    assert "alice@example.org: into INBOX" in as_text(found)
    assert len(found.chains) == 1 and len(found.chains[0].messages) == 2


@pytest.mark.parametrize("debian", RELEASES)
def test_refused(debian: int) -> None:
    found = trace(journal(debian), "nobody@example.org")
    assert not found.chains
    (event,) = json.loads(as_json(found))["refused"]
    told = r"nobody@example.org from a@remote.example.net by unknown\[\S+\]: 550 5.1.1"
    assert re.match(told, event["text"])
    assert event["means"] == "No active mailbox and no alias has this address."
    gtube = as_text(trace(journal(debian), "gtube@x"))
    assert "reject; decided by GTUBE" in gtube
    assert "refused    bob@example.org from a@remote.example.net" in gtube and "done" not in gtube
    later = as_text(trace(journal(debian), "<plus@x>"))
    assert "try later" in later and "greylisting" in later and "soft reject" in later
    denied = as_text(trace(journal(debian), "x@elsewhere.example"))
    assert "554 5.7.1" in denied and "the client did not log in" in denied


def test_the_score_and_its_reasons() -> None:
    said = as_text(trace(journal(13), "<plus@x>"))
    assert "8.80 of 15.00 points, soft reject: HFILTER_HOSTNAME_UNKNOWN 2.5, RDNS_NONE 2, " in said
    assert "MIME_GOOD -0.1 and 1 more" in said and "ARC_NA" not in said


@pytest.mark.parametrize("debian", RELEASES)
def test_nothing_of_other_messages(debian: int) -> None:
    """Each queue ID in the text is one of the messages', and no address is one of somebody else."""
    said = as_text(trace(journal(debian), "nobody@example.org"))
    assert "bob@" not in said and "alice@" not in said and "away@" not in said
    for wanted in ("<m1@remote.example.net>", "m1@remote.example.net"):
        said = as_text(trace(journal(debian), wanted))
        assert "away@" not in said and "anna@" not in said and "m2@" not in said
    assert trace(journal(debian), "unknown@example.org").is_empty
    assert trace(journal(debian), "4F1C22E0A3").is_empty


#: Two messages; `{}` are lines in between.
BOTH = """\
100.0 postfix/smtpd[7]: connect from mx.example.net[192.0.2.1]
100.1 postfix/smtpd[7]: AAAAA1: client=mx.example.net[192.0.2.1], sasl_method=PLAIN, \
sasl_username=carol@example.org
100.2 postfix/cleanup[8]: AAAAA1: message-id=<one@example.net>
100.3 postfix/qmgr[9]: AAAAA1: from=<carol@example.org>, size=500, nrcpt=2 (queue active)
{}
101.0 postfix/lmtp[10]: AAAAA1: to=<alice@example.org>, relay=mail[private/lmtp], delay=1, delays=0/0/0/1, \
dsn=2.0.0, status=sent (250 2.0.0 <alice@example.org> s1 Saved)
101.1 postfix/smtp[11]: AAAAA1: to=<bob@other.example>, relay=mx.other.example[192.0.2.9]:25, delay=1, \
delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as BBBBB2)
101.2 postfix/qmgr[9]: AAAAA1: removed
200.0 postfix/smtpd[7]: BBBBB2: client=mx.example.com[192.0.2.3]
200.1 postfix/cleanup[8]: BBBBB2: message-id=<secret@example.com>
200.2 postfix/qmgr[9]: BBBBB2: from=<x@example.com>, size=500, nrcpt=1 (queue active)
200.3 postfix/lmtp[10]: BBBBB2: to=<dora@example.org>, relay=mail[private/lmtp], delay=1, delays=0/0/0/1, \
dsn=2.0.0, status=sent (250 2.0.0 <dora@example.org> s2 Saved)
"""


def test_another_server_can_not_name_a_message_of_somebody_else() -> None:
    said = as_text(trace(BOTH.format(""), "carol@example.org"))
    assert "queued as BBBBB2" in said and "dora@" not in said and "secret@" not in said


def test_a_recipient_sees_no_other() -> None:
    said = as_text(trace(BOTH.format(""), "alice@example.org"))
    assert "alice@example.org: into the mailbox" in said and "bob@" not in said
    assert "logged in as carol@example.org" in said
    assert "bob@" in as_text(trace(BOTH.format(""), "carol@example.org"))


@pytest.mark.parametrize(
    "line",
    [
        # a Message-ID that looks like the filter's line about another message
        "100.5 rspamd[1]: (rspamd_proxy) <aaaaaa>; proxy; rspamd_task_write_log: id: <evil, qid: <AAAAA1>, "
        "ip: 1.2.3.4, from: <x@y>, (default: T (reject): [99.00/15.00] [FORGED(99.00){}]), len: 1@x>, "
        "qid: <CCCCC3>, ip: 192.0.2.7, from: <m@example.com>, (default: F (no action): [0.00/15.00] []), "
        "len: 1, time: 1ms",
        # further lines of one entry
        "100.5 dovecot[1]: lmtp(mallory@example.org)<1><s9>: sieve: msgid=<x>: stored mail into mailbox 'a\n"
        "              100.6 postfix/smtp[1]: AAAAA1: to=<alice@example.org>, relay=x, delay=1, "
        "delays=0/0/0/1, dsn=5.0.0, status=bounced (FORGED)'",
        # a name of a client, and of an argument
        "100.5 postfix/smtpd[5]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 550 5.1.1 <y@example.org>: AAAAA1: "
        "to=<alice@example.org>, status=bounced (FORGED); from=<m@example.com> to=<y@example.org> "
        "proto=ESMTP helo=<z>",
        # a user's own session with the number of another's
        "100.5 dovecot[1]: lmtp(mallory@example.org)<1><s1>: sieve: msgid=<x>: stored mail into mailbox "
        "'FORGED'",
    ],
)
def test_text_of_strangers_says_nothing_about_others(line: str) -> None:
    assert "FORGED" not in as_text(trace(BOTH.format(line), "alice@example.org"))


def test_a_terminal_gets_no_commands() -> None:
    line = (
        "100.5 postfix/smtp[1]: AAAAA1: to=<alice@example.org>, relay=x, delay=1, delays=0/0/0/1, dsn=4.0.0, "
        "status=deferred (host x said: \x1b]0;gone\x07\x1b[2J\u202e)"
    )
    found = trace(BOTH.format(line), "alice@example.org")
    assert all(letter.isprintable() or letter == "\n" for letter in as_text(found))
    assert "host x said: ?]0;gone??[2J?" in as_text(found)
    assert "\x1b" not in as_json(found)


def test_a_queue_id_that_is_used_again() -> None:
    later = BOTH.format("").replace("one@example.net", "two@example.net").replace("\n101.", "\n301.")
    both = BOTH.format("") + later.replace("100.", "300.")
    assert len(trace(both, "AAAAA1").chains) == 2
    (one,) = json.loads(as_json(trace(both, "<two@example.net>")))["messages"]
    assert one["message_id"] == "<two@example.net>"


def test_many_attempts_are_one_event() -> None:
    line = (
        "{}.5 postfix/smtp[1]: AAAAA1: to=<late@other.example>, relay=none, delay=1, delays=0/0/0/1, "
        "dsn=4.4.1, status=deferred (connect to mx.other.example[192.0.2.9]:25: Connection timed out)"
    )
    said = as_text(trace(BOTH.format("\n".join(map(line.format, range(100, 150)))), "late@other.example"))
    assert "late@other.example (50 times): connect to" in said and said.count("waits") == 1
    assert "= The other server did not answer in time" in said


def test_a_copy_that_sieve_forwards() -> None:
    lines = (
        "100.9 dovecot[1]: lmtp(alice@example.org)<1><s1>: sieve: msgid=<one@example.net>: forwarded to "
        "<copy@other.example>\n"
        "100.91 postfix/pickup[3]: CCCCC3: uid=999 from=<carol@example.org>\n"
        "100.92 postfix/cleanup[3]: CCCCC3: message-id=<one@example.net>\n"
        "100.93 postfix/smtp[3]: CCCCC3: to=<copy@other.example>, relay=x[192.0.2.9]:25, delay=1, "
        "delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
    )
    said = as_text(trace(BOTH.format(lines), "alice@example.org"))
    assert "delivered  alice@example.org: forwarded to <copy@other.example>" in said
    assert "CCCCC3  sent on    copy@other.example to x[192.0.2.9]:25: 250 ok" in said and "bob@" not in said
    elsewhere = lines.replace("<one@example.net>\n100.93", "<two@example.net>\n100.93")
    assert "CCCCC3" not in as_text(trace(BOTH.format(elsewhere), "alice@example.org"))


def test_over_two_hosts() -> None:
    there = """\
150.0 postfix/smtpd[7]: BBBBB2: client=mail[192.0.2.8]
150.1 postfix/cleanup[8]: BBBBB2: message-id=<one@example.net>
150.2 postfix/lmtp[10]: BBBBB2: to=<bob@other.example>, relay=x[private/lmtp], delay=1, delays=0/0/0/1, \
dsn=2.0.0, status=sent (250 2.0.0 <bob@other.example> s3 Saved)
"""
    found = trace(BOTH.format(""), "carol@example.org", there)
    assert len(found.chains) == 1
    assert "  other0  BBBBB2  delivered  bob@other.example: into the mailbox" in as_text(found)
    assert "dora@" not in as_text(found)


def test_a_hundred_thousand_lines() -> None:
    """Measured: two seconds. A mistake that looks at all messages for each would take hours."""
    one = journal(13)
    numbered: list[str] = []
    while len(numbered) < 100_000:
        number = f"{len(numbered):06X}"
        numbered += one.replace("854", number).replace("@remote.example", f"@r{number}.example").splitlines()
    text = "\n".join(numbered)
    began = time.monotonic()
    found = trace(text, "away@r000000.example.net")
    assert len(found.chains) == 1
    assert len(trace(text, "bob@example.org").refusals) > 500
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        ("550 5.1.1 <x>: User unknown in virtual mailbox table", "", "No active mailbox"),
        ("host mx said: 550 5.7.26 unauthenticated", "5.7.26", "Several checks of the sender failed"),
        ("552 5.2.2 <x>: Quota exceeded", "5.2.2", "The mailbox is full."),
        ("550 5.1.2 no", "", "There is no such domain."),
        ("whatever", "", ""),
    ],
)
def test_meanings(reply: str, code: str, said: str) -> None:
    assert meaning(reply, code).startswith(said) and bool(meaning(reply, code)) == bool(said)
