"""What lines of the journal count for Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.metrics import text
from mailstack.on_host.metrics.counting import _WAITING, Counts
from mailstack.tracing.lines import entries

JOURNALS = Path(__file__).with_name("journals")


def counted(lines: Iterable[tuple[str, str]], kept: dict[str, Any] | None = None) -> dict[str, int]:
    """Return what these lines count, without those that count nothing."""
    counts = Counts({} if kept is None else kept)
    for program, line in lines:
        counts.take(program, line)
    return {name: number for name, number in counts.counted.items() if number and name != "journal_lines"}


@pytest.mark.parametrize("debian", [12, 13])
def test_a_real_journal(debian: int) -> None:
    lines = entries("mail", (JOURNALS / f"debian{debian}.txt").read_text().split("\n"))
    assert counted((line.program, line.text) for line in lines) == {
        "received_messages this_host": 3,
        "deliveries mailboxes sent": 2,
        "deliveries elsewhere bounced": 3,
        "filtered_messages no_action": 6,
        "filtered_messages soft_reject": 2,
        "filtered_messages reject": 1,
        "refusals later greylisted": 2,
        "refusals never unknown_recipient": 1,
        "refusals never relay": 1,
        "refusals never spam": 1,
        "refusals never needs_login": 1,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("imap-login: Login: user=<a@b>, method=PLAIN, rip=192.0.2.1", {"logins imap ok": 1}),
        ("imap-login: Logged in: user=<a@b>, method=PLAIN, rip=192.0.2.1", {"logins imap ok": 1}),
        (
            "pop3-login: Disconnected: Connection closed (auth failed, 3 attempts in 9 secs): user=<a>",
            {"logins pop3 failed": 3},
        ),
        (
            "managesieve-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs)"
            " (auth_failed): user=<a@b>, method=PLAIN, rip=192.0.2.1",
            {"logins sieve failed": 1},
        ),
        ("imap-login: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=::1", {}),
        ("lmtp(a@b)<1><x>: sieve: msgid=<imap-login: Login: user=<>: stored mail into mailbox 'INBOX'", {}),
        ("imap-login: Disconnected: (no auth): user=<(auth failed, 9 attempts>", {}),
    ],
)
def test_logins_by_dovecot(line: str, expected: dict[str, int]) -> None:
    assert counted([("dovecot", line)]) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ehlo=2 starttls=1 auth=1 mail=1 quit=1 commands=6", {"logins smtp ok": 1}),
        ("ehlo=2 starttls=1 auth=0/3 quit=1 commands=4/7", {"logins smtp failed": 3}),
        ("ehlo=1 auth=1/2 commands=2/3", {"logins smtp ok": 1, "logins smtp failed": 1}),
        ("ehlo=1 quit=1 commands=2", {}),
    ],
)
def test_logins_by_postfix(said: str, expected: dict[str, int]) -> None:
    assert counted([("postfix/submission/smtpd", f"disconnect from unknown[192.0.2.1] {said}")]) == expected


ARRIVES = ("postfix/smtpd", "4F1C22E0A3: client=x.example[192.0.2.1]")
QUEUED = ("postfix/qmgr", "4F1C22E0A3: from=<a@b>, size=300, nrcpt=1 (queue active)")


def test_a_message_is_received_once() -> None:
    assert counted([ARRIVES, QUEUED, QUEUED]) == {"received_messages strangers": 1}


def test_a_message_of_two_runs_is_one() -> None:
    kept: dict[str, Any] = {}
    assert counted([ARRIVES], kept) == {}
    kept = json.loads(json.dumps(kept))
    assert counted([QUEUED], kept) == {"received_messages strangers": 1}


def test_a_refused_message_is_not_received() -> None:
    refused = (
        "4F1C22E0A3: milter-reject: END-OF-MESSAGE from x[192.0.2.1]: 5.7.1 Spam message rejected; from=<a>"
    )
    lines = [ARRIVES, ("postfix/cleanup", refused), QUEUED]
    assert counted(lines) == {"refusals never spam": 1}


def test_a_refused_recipient_is_not_the_message() -> None:
    refused = "4F1C22E0A3: reject: RCPT from x[192.0.2.1]: 550 5.1.1 <x@y>: User unknown; from=<a> to=<x@y>"
    lines = [ARRIVES, ("postfix/smtpd", refused), QUEUED]
    assert counted(lines) == {"refusals never unknown_recipient": 1, "received_messages strangers": 1}


@pytest.mark.parametrize(
    ("client", "sender"),
    [
        ("x[192.0.2.1], sasl_method=PLAIN, sasl_username=a@b", "users"),
        ("localhost[127.0.0.1]", "this_host"),
        ("localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=a@b", "users"),
        ("localhost.evil.example[192.0.2.1]", "strangers"),
    ],
)
def test_from_whom_a_message_is(client: str, sender: str) -> None:
    lines = [("postfix/submissions/smtpd", f"4F1C22E0A3: client={client}"), QUEUED]
    assert counted(lines) == {f"received_messages {sender}": 1}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("554 5.7.1 <x@y>: Relay access denied", "never relay"),
        ("451 4.3.0 <a@b>: Temporary lookup failure", "later fault"),
        ("451 4.3.5 <a@b>: Recipient address rejected: Server configuration problem", "later fault"),
        ("552 5.2.2 <a@b>: Recipient address rejected: Mailbox is full", "never over_quota"),
        ("451 4.7.1 Ratelimit exceeded", "later limit"),
        ("550 5.7.1 Virus found: Eicar", "never virus"),
        ("554 5.7.1 Service unavailable; blocked using zen.example", "never blocklist"),
        ("550 5.7.26 DMARC policy", "never policy"),
        ("550 5.1.8 <a@b>: Sender address rejected: Domain not found", "never bad_sender"),
        ("553 5.7.1 <a@b>: Sender address rejected: not logged in", "never foreign_sender"),
        ("553 5.7.1 <a@b>: Sender address rejected: not owned by user c@b", "never foreign_sender"),
        ("452 4.3.1 Insufficient system storage", "later fault"),
        ("500 no words", "never other"),
        # names of strangers
        ("501 5.5.2 <4.3.1>: Helo command rejected: Invalid name", "never other"),
        ("504 5.5.2 <Internal error>: Helo command rejected: need fully-qualified hostname", "never other"),
        ("550 5.7.25 Client host rejected: cannot find your hostname, [134.3.5.6]", "never policy"),
        ("554 5.5.0 <virus.example[134.3.5.6]>: Client host rejected: Access denied", "never other"),
        ('550 5.1.1 <"x>: virus"@y>: Recipient address rejected: User unknown', "never unknown_recipient"),
        # words of another server
        (
            "450 4.1.1 <x@y>: Recipient address rejected: unverified address: host z[192.0.2.9] said: 451 "
            "4.3.0 <x@y>: Temporary lookup failure (in reply to RCPT TO command)",
            "later unknown_recipient",
        ),
    ],
)
def test_reasons_of_refusals(reply: str, expected: str) -> None:
    line = f"NOQUEUE: reject: RCPT from x[192.0.2.1]: {reply}; from=<a> to=<over quota@Relay access denied>"
    assert counted([("postfix/smtpd", line)]) == {f"refusals {expected}": 1}


def test_what_strangers_write_counts_nothing_else() -> None:
    to = 'to=<"x, relay=y, delay=1, dsn=2.0.0, status=sent ("@b>, relay=none, delay=1, dsn=4.4.1, '
    lines = [
        ("postfix/smtp", f"4F1C22E0A3: {to}status=deferred (no (status=sent ())"),
        ("postfix/cleanup", "4F1C22E0A3: message-id=<4F1C22E0A3: to=<a@b>, status=sent (>"),
        ("postfix/qmgr", "4F1C22E0A3: from=<(queue active)>, size=1"),
        ("sshd", "NOQUEUE: reject: RCPT from x: 554 Relay access denied"),
    ]
    assert set(counted(lines)) <= {"deliveries elsewhere deferred", "deliveries elsewhere sent"}
    assert sum(counted(lines).values()) == 1


def test_messages_that_never_come_are_forgotten() -> None:
    kept: dict[str, Any] = {}
    counted(
        [("postfix/smtpd", f"{number:010X}: client=x[192.0.2.1]") for number in range(_WAITING + 50)], kept
    )
    assert len(kept["arriving"]) == _WAITING


def test_all_counters_are_there_from_the_beginning() -> None:
    shown = text.exposition(Counts({}).metrics())
    assert 'mailstack_logins_total{service="imap",result="failed"} 0\n' in shown
    assert 'mailstack_filtered_messages_total{action="add_header"} 0\n' in shown
    assert re.findall(r"^mailstack_expired_messages_total 0$", shown, re.MULTILINE)
    assert all(re.fullmatch(r"# .*|\w+(\{[^ ]*\})? \d+", line) for line in shown.splitlines())


def test_labels_are_quoted() -> None:
    shown = text.exposition([text.gauge("x", "An x.", [({"file": 'a"b\\c\nd'}, 1.5)])])
    assert shown.splitlines()[2] == r'mailstack_x{file="a\"b\\c\nd"} 1.5'
