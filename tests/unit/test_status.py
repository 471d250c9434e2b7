"""The sections of `mailstack.status`: what they say, and when a person is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailstack import __version__
from mailstack.accounts.listed import Used, User
from mailstack.facts.acme import AcmeCertificate
from mailstack.facts.bans import Ban
from mailstack.facts.certificates import CertificateState
from mailstack.facts.dkim import DkimKey
from mailstack.facts.units import Units
from mailstack.operations.units import Unit
from mailstack.overview import database, queue, screen, services, storage, traffic, trust
from mailstack.overview.host import Disk, HostState, Key, Signing
from mailstack.overview.screen import Screen, Section, Trouble
from mailstack.tracing.lines import entries

NOW = 1_800_000_000
POSTFIX = Unit("postfix", program="/usr/lib/postfix/sbin/master", listens=("25",))


def texts(section: Section) -> str:
    """Return all troubles of a section, each with its advice."""
    assert all(trouble.advice for trouble in section.troubles)
    return "; ".join(trouble.text for trouble in section.troubles)


def unit_state(state: str = "active", pid: str = "7", **more: str) -> Units:
    values = {"ActiveState": state, "MainPID": pid, "ActiveEnterTimestamp": f"@{NOW - 7200}", **more}
    return Units({"postfix": values}, listeners=frozenset({"25"}))


def test_a_service_that_runs() -> None:
    section = services.services(NOW, [(POSTFIX, unit_state())], [])
    assert not section.troubles
    assert section.lines == ["postfix  runs      since 2027-01-15 06:00 (2 h)"]
    assert section.data[0]["state"] == "runs" and section.data[0]["since"] == "2027-01-15T06:00:00Z"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (unit_state("failed", Result="signal"), "postfix: it does not run: failed (signal)"),
        (unit_state("inactive", Result="success"), "postfix: it does not run: inactive"),
        (Units(), "postfix: it does not run: missing"),
        (unit_state(pid="0"), "postfix: its master is dead"),
        (Units(unit_state().properties), "postfix: it does not listen on 25"),
    ],
)
def test_a_service_that_does_not_work(found: Units, expected: str) -> None:
    assert texts(services.services(NOW, [(POSTFIX, found)], [])) == expected


def test_a_service_that_never_ran_has_no_time() -> None:
    never = unit_state("inactive", ActiveExitTimestamp="@0")
    section = services.services(NOW, [(POSTFIX, never)], [])
    assert section.lines == ["postfix  inactive"] and section.data[0]["since"] is None


def test_other_units_that_failed_are_named_once() -> None:
    failed = ["postfix.service", "mailstack-web.service"]
    section = services.services(NOW, [(POSTFIX, unit_state("failed"))], failed)
    assert texts(section) == "postfix: it does not run: failed; mailstack-web has failed"
    # no deploy starts it
    assert "systemctl reset-failed mailstack-web; systemctl start" in section.troubles[1].advice


def test_a_service_that_is_switched_off_needs_nobody() -> None:
    unit = Unit("mailstack-dkim", unit_file="/x")
    masked = Units({"mailstack-dkim": {"UnitFileState": "masked", "ActiveState": "inactive"}})
    section = services.services(NOW, [(unit, masked)], [])
    assert not section.troubles and "masked" in section.lines[0]


def test_what_a_deploy_would_change() -> None:
    assert services.deploy([], []).lines == ["would change nothing"]
    section = services.deploy([], [f"/etc/{number}: content" for number in range(12)])
    assert section.lines[0] == "would make 12 changes:" and section.lines[-1] == "  and 2 more"
    assert texts(section) == "the host differs from the inventory: 12 changes"
    assert texts(services.deploy(["x = 1: no"], [])) == "a deploy is refused: x = 1: no"
    assert services.deploy([], [], "db was not reached").lines == ["not known: db was not reached"]


def queued(
    age: int, reason: str = "", name: str = "deferred", sender: str = "a@example.org"
) -> dict[str, Any]:
    recipient = {"address": "x@remote.example", **({"delay_reason": reason} if reason else {})}
    return {
        "queue_name": name,
        "queue_id": f"Q{age}",
        "arrival_time": NOW - age,
        "sender": sender,
        "recipients": [recipient],
    }


REMOTE = "connect to remote.example[192.0.2.1]:25: Connection refused"


def test_the_queue_by_age_and_reason() -> None:
    messages = [
        queued(60, REMOTE),
        queued(7200, REMOTE),
        queued(200_000, "451 4.3.0 no"),
        queued(1, "", "active"),
    ]
    section = queue.queue(NOW, messages)
    assert section.lines == [
        "4 messages: 1 in delivery, 3 to be tried again",
        "they wait up to an hour: 2, up to a day: 1, longer: 1; the oldest 2 days",
        "    2  remote.example: Nothing listens there: the server is down, or the address is wrong.",
        "    1  remote.example: 451 4.3.0 no",
    ]
    assert section.data["by_age"] == {"up to an hour": 2, "up to a day": 1, "longer": 1}
    assert not section.troubles
    assert queue.queue(NOW, []).lines == ["empty"]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([queued(60, "", "hold")], "1 message on hold: Q60"),
        (
            [queued(3600, "connect to mail[private/dovecot-lmtp]: No such file or directory")],
            "1 recipient wait for this server itself: connect to mail[private/dovecot-lmtp]: No such file or"
            " directory",
        ),
        ([queued(60, "connect to mail[private/dovecot-lmtp]: No such file or directory")], ""),
        ([queued(60, REMOTE, sender="bob@example.org")] * 500, "500 messages from bob@example.org wait"),
        (None, "postqueue does not answer"),
    ],
)
def test_a_queue_that_needs_a_person(messages: Sequence[Mapping[str, Any]] | None, expected: str) -> None:
    assert texts(queue.queue(NOW, messages)) == expected


def test_mail_that_a_killed_rescue_has_left_in_no_queue() -> None:
    state = HostState.of("/var/vmail", "", ["/"]).parse("\fqueue\nwhole\n\frescued\n2\n")
    section = queue.queue(NOW, state.queue, state.rescued)
    assert section.lines == ["empty"]
    assert texts(section) == "2 messages in /var/spool/postfix/mailstack-rescue, and in no queue"


LMTP = "relay=mail.example.org[private/dovecot-lmtp], delay=1, dsn=2.0.0, status=sent (250 2.0.0 <x> s Saved)"
JOURNAL = f"""\
1.0 postfix/smtpd[1]: 4F1C22E0A1: client=stranger.example[192.0.2.1]
1.0 postfix/submission/smtpd[1]: 4F1C22E0A2: client=home[192.0.2.9], sasl_method=PLAIN, sasl_username=a@b
1.0 postfix/smtpd[1]: 4F1C22E0A3: client=localhost[127.0.0.1], orig_queue_id=4F1C22E0A1
1.0 postfix/pickup[1]: 4F1C22E0A4: uid=0 from=<root>
1.0 postfix/lmtp[1]: 4F1C22E0A1: to=<a@example.org>, {LMTP}
1.0 postfix/smtp[1]: 4F1C22E0A1: to=<b@x>, relay=127.0.0.1[127.0.0.1]:10, delay=1, dsn=2.0.0, status=sent (ok)
1.0 postfix/smtp[1]: 4F1C22E0A3: to=<b@x>, relay=mx[192.0.2.7]:25, delay=1, dsn=2.0.0, status=sent (250 ok)
1.0 postfix/smtp[1]: 4F1C22E0A2: to=<c@x>, relay=mx[192.0.2.7]:25, delay=1, dsn=5.1.1, status=bounced (550 no)
1.0 postfix/smtp[1]: 4F1C22E0A2: to=<d@x>, relay=none, delay=1, dsn=4.4.1, status=deferred (timed out)
1.0 postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.3]: 550 5.1.1 <n@example.org>: User unknown; \
from=<z@y> to=<n@example.org> proto=ESMTP helo=<h>
1.0 postfix/cleanup[1]: 4F1C22E0A5: milter-reject: END-OF-MESSAGE from x[192.0.2.3]: 4.7.1 Try again later; \
from=<z@y> to=<n@example.org> proto=ESMTP helo=<h>
1.0 rspamd_proxy[1]: <a>; task; rspamd_task_write_log: id: <m>, qid: <4F1C22E0A1>, ip: 1.2.3.4, \
(default: T (add header): [7.00/15.00] [X(7.00)]), len: 5
1.0 dovecot[1]: lmtp(a@example.org)<1><x>: something
"""


def test_the_mail_of_a_day() -> None:
    day = traffic.counted_day(entries("mail", JOURNAL.splitlines()))
    assert (day.strangers, day.users, day.host) == (1, 1, 1)
    assert (day.delivered, day.sent_on, day.failed) == (1, 1, 1)
    assert day.refused == {"No active mailbox and no alias has this address.": 1}
    assert day.later == {"The filter asks doubtful mail to come back (greylisting).": 1}
    assert day.filter == {"add header": 1}
    lines = traffic.traffic(day).lines
    assert lines[0] == "in 24 h: 3 messages (1 from others, 1 from users, 1 from the host itself)"
    assert "spam: of 1 checked 1 add header" in lines
    assert not traffic.traffic(traffic.Day()).troubles


def disk(free: int, free_files: int = 50, mounted: str = "/") -> Disk:
    return Disk(mounted, 100 * 2**30, free * 2**30, 100, free_files)


def test_disks() -> None:
    section = storage.disks([disk(50), disk(60, mounted="/var/vmail")], 3 * 2**20, "/var/vmail")
    assert section.lines[-1] == "mail in /var/vmail: 3.0 MiB"
    assert section.lines[0] == "/: 50 % of 100.0 GiB used, 50.0 GiB free" and not section.troubles
    assert texts(storage.disks([disk(10)], None, "")) == "/ is 90 % full"
    assert texts(storage.disks([disk(90, 5)], None, "")) == "/ is 95 % full"  # of files
    assert "more than 5 s" in storage.disks([], None, "/var/vmail").lines[-1]


def user(name: str, used: int) -> User:
    return User(f"{name}@example.org", True, 100, 0, None, None, [], Used(used * 1024, 1))


def test_quotas() -> None:
    section = storage.quotas(3, [user("a", 50), user("b", 81), user("c", 99)])
    assert section.lines == ["3 users with one, 2 above 80 %: c@example.org 99 %, b@example.org 81 %"]
    assert texts(section) == "full, or nearly: c@example.org"
    section = storage.quotas(2, [user("a", 50), user("b", 50)._replace(used=None)])
    assert section.lines == [
        "2 users with one, none above 80 %",
        "of 1 it is not known what they have",
    ]
    assert storage.quotas(9000, []).data == {"users_with_quota": 9000, "above": None}
    none = storage.quotas(0, [])
    assert none.lines == ["0 users with one, none above 80 %"] and not none.troubles


def certificate(days: int, **more: bool) -> CertificateState:
    end = datetime.fromtimestamp(NOW, UTC) + timedelta(days=days, hours=1)
    return CertificateState(more.get("name", True), more.get("key", True), end, more.get("own", False))


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (certificate(40), ""),
        (certificate(14), ""),
        (certificate(13), "that of mail has 13 days left"),
        (certificate(-1), "that of mail has expired"),
        (CertificateState(), "mail has no certificate"),
        (certificate(40, name=False), "it is not for mail"),
        (certificate(40, key=False), "it does not belong to the key beside it"),
    ],
)
def test_certificates(own: CertificateState, expected: str) -> None:
    assert texts(trust.certificates(NOW, "mail", own, {}, "Do it")) == expected


def test_certificates_of_a_ca() -> None:
    kept = {"example.org": AcmeCertificate(("www",), None, {"www": "is elsewhere"}, None, None)}
    section = trust.certificates(NOW, "mail", certificate(40, own=True), kept, "Do it")
    assert section.lines == ["mail: 40 days left (self-signed)"]
    assert texts(section) == "example.org: www is elsewhere"


def test_dkim_keys() -> None:
    keys = [
        DkimKey("example.org", "rsa1", "", True),
        DkimKey("example.org", "rsa2", "", False),
        DkimKey("example.com", "rsa10", "", True),
        DkimKey("example.com", "rsa9", "", False),
    ]
    made = [Key("example.org", "rsa1", NOW - 86400 * 400), Key("example.com", "rsa10", NOW - 86400)]
    current = [
        Signing("example.org", "rsa1", True),
        Signing("example.com", "rsa10", True),
        Signing("own.example", "mail", True),  # of an administrator, with another signer before
    ]
    section = trust.dkim(NOW, keys, made, current, ("example.org", "example.com", "own.example"))
    assert section.lines == [
        "3 domains with keys that sign; the oldest is that of example.org: 400 days",
        "the next keys of example.org wait in the DNS for mailstack.dkim.switch",
    ]
    assert not section.troubles
    assert texts(trust.dkim(NOW, keys, made, current, ("new.example",))) == "no key signs for new.example"
    assert not trust.dkim(NOW, keys, made, current, None).troubles
    hidden = [*current[1:], Signing("example.org", "rsa1", readable=False)]
    section = trust.dkim(NOW, keys, made, hidden, ("example.org", "example.com"))
    assert texts(section).startswith("rspamd can't read example.org/rsa1.key in /var/lib/rspamd/dkim")
    assert section.lines[0].startswith("2 domains with keys that sign")


def test_results_of_earlier_commands() -> None:
    assert trust.last("dns", NOW, {}, "check").lines == ["never"]
    assert trust.last("dns", NOW, {"at": NOW - 7200, "failed": []}, "check").lines == [
        "2027-01-15 06:00, 2 h ago: all was right"
    ]
    checks = [
        {"state": "ok", "title": "Postfix runs", "text": ""},
        {"state": "failed", "title": "a login", "text": "no answer in time"},
    ]
    section = trust.last("verify", NOW, {"at": NOW, "checks": checks}, "verify")
    assert texts(section) == "the last one failed: a login: no answer in time"
    left_out = {"state": "skipped", "title": "messages and maps", "text": "no host has the database"}
    section = trust.last("verify", NOW, {"at": NOW, "checks": [checks[0], left_out]}, "verify")
    assert not section.troubles
    assert section.lines == [
        "2027-01-15 08:00, 0 s ago: all was right, 1 left out",
        "  left out: messages and maps: no host has the database",
    ]
    for at, changed, old in (
        (NOW - 60, NOW - 60, None),
        (NOW - 60, NOW - 59, "a deploy has changed this host since, 2027-01-15 07:59, 59 s ago"),
        (NOW - 7 * 86400, 0, None),
        (NOW - 7 * 86400 - 1, 0, "more than 7 days"),
    ):
        section = trust.last("verify", NOW, {"at": at, "checks": checks[:1]}, "verify", changed)
        assert section.data["old"] == old and not section.troubles
        assert section.lines[1:] == ([f"  old: {old}; verify looks again"] if old else [])
    section = trust.last("dns", NOW, {"at": NOW, "failed": ["example.org: 1 missing"]}, "check")
    assert texts(section) == "the last one failed: example.org: 1 missing"


def test_bans() -> None:
    until = datetime.fromtimestamp(NOW, UTC)
    banned = [Ban(f"192.0.2.{number}", "", until, until) for number in range(4)]
    section = trust.bans(banned)
    assert section.lines[0].startswith("4: 192.0.2.0 until 2027-01-15 08:00, ")
    assert section.lines[0].endswith(" and 1 more") and len(section.data) == 4
    assert trust.bans([]).lines == ["none"]
    assert not section.troubles
    away = trust.bans([*banned, replace(banned[0], address="192.0.2.9", in_force=False)])
    assert texts(away) == "the rules of nftables do not have 1 ban: 192.0.2.9"
    assert [each["in_force"] for each in away.data] == [True] * 4 + [False]
    unwatched = trust.bans(None)
    assert "does not watch" in unwatched.lines[0]
    assert texts(unwatched) == "fail2ban does not watch the mail server, so nobody is shut out"


HEALTHY = {"version": "PostgreSQL 17.6", "bytes": 2**23, "connections": 5, "limit": 100}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ""),
        ({"connections": 80}, ""),
        ({"connections": 81}, "81 of 100 connections are in use"),
        ({"idle_slots": ["gone"]}, "nothing reads the replication slot gone, and its WAL fills the disk"),
        (
            {"replicas": [{"name": "r", "address": None, "state": "catchup", "behind": 5}]},
            "the replica r at this host is behind",
        ),
        ({"replicas": [{"name": "r", "address": None, "state": "streaming", "behind": 5}]}, ""),
        ({"replicas": [{"name": "r", "address": None, "state": "backup", "behind": None}]}, ""),
        ({"replicas": [{"name": "r", "address": None, "state": "streaming", "behind": 2**28}]}, ""),
        (
            {"replicas": [{"name": "r", "address": "192.0.2.7", "state": "streaming", "behind": 2**28 + 1}]},
            "the replica r at 192.0.2.7 is behind",
        ),
    ],
)
def test_the_database(more: dict[str, Any], expected: str) -> None:
    assert texts(database.server({**HEALTHY, **more}, "postgresql")) == expected


def test_a_database_that_is_away() -> None:
    assert texts(database.server(None, "postgresql")) == "it does not answer"
    assert texts(database.client("192.0.2.5", answers=False)) == "the database at 192.0.2.5 does not answer"
    assert not database.client("192.0.2.5", answers=True).troubles


SAID = f"""\
\fnow
{NOW}
\ffailed
mailstack-web.service loaded failed failed A page
\fdisks
1000  100 10 5 /
1000  100 10 5 /
 500  250  - - /a mount
? ? ? ? /away
\fstore
20
\fqueue
{{"queue_id": "1"}}
whole
\fkeys
{NOW} ./example.org/rsa1.key
\fsigning
yes ./example.org/rsa1.key
no ./example.com/mail.key
\fdns-check
{{"at": {NOW}, "failed": []}}
\fverify
damaged
\fdeployed
{NOW}
"""


def test_what_a_host_says() -> None:
    question = HostState.of("/var/vmail", "/keys", ["/"])
    found = question.parse(SAID)
    assert (found.now, found.failed) == (NOW, ["mailstack-web.service"])
    away = Disk("/away", 0, 0, 0, 0, answers=False)
    assert found.disks == [Disk("/", 1000, 100, 10, 5), Disk("/a mount", 500, 250, 0, 0), away]
    assert texts(storage.disks([away], None, "")) == "/away does not answer"
    assert (found.disks[0].used, found.disks[1].used) == (90, 50)
    assert (found.store, found.queue) == (20480, [{"queue_id": "1"}])
    assert found.keys == [Key("example.org", "rsa1", NOW)]
    assert found.signing == [Signing("example.org", "rsa1", True), Signing("example.com", "mail", False)]
    assert found.records == {"dns-check": {"at": NOW, "failed": []}}
    assert found.deployed == NOW


def test_the_answer_of_another_server_ends_no_line() -> None:
    said = json.dumps({"delay_reason": "451 hi\u2028there\x85you"}, ensure_ascii=False)
    found = HostState.of("/var/vmail", "", ["/"]).parse(f"\fqueue\n{said}\nwhole\n")
    assert found.queue == [{"delay_reason": "451 hi\u2028there\x85you"}]
    damaged = HostState.of("/var/vmail", "", ["/"]).parse(f"\fqueue\n{said[:9]}\n{said}\nwhole\n")
    assert damaged.queue is None


def test_a_host_that_says_little() -> None:
    found = HostState.of("/var/vmail", "", ["/"]).parse("\fnow\n5\n\fqueue\n\fstore\n")
    assert (found.queue, found.store, found.disks) == (None, None, [])
    nothing = HostState.of("", "", []).parse("")
    assert (nothing.now, nothing.deployed) == (0, 0)


def test_one_screen() -> None:
    trouble = Trouble("it is \x1b[2J bad", "Repair it")
    shown = Screen(
        "mail", NOW, [Section("disk", ["one", "two"], {"a": 1}), Section("dns", ["x"], None, [trouble])]
    )
    assert shown.text() == (
        f"mail, 2027-01-15 08:00 UTC, mailstack {__version__}\n\n"
        "disk  one\n      two\ndns   x\n\n"
        "One thing needs a person\n  dns: it is ?[2J bad\n    = Repair it\n"
    )
    found = json.loads(shown.json())
    assert (found["host"], found["at"], found["ok"]) == ("mail", "2027-01-15T08:00:00Z", False)
    assert (found["mailstack"], found["disk"]) == (__version__, {"a": 1})
    assert found["troubles"] == [{"section": "dns", "text": "it is \x1b[2J bad", "advice": "Repair it"}]
    assert Screen("mail", NOW, []).text().endswith("Nothing needs a person.\n")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5, "5 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 days")]
)
def test_spans(seconds: int, expected: str) -> None:
    assert screen.lasting(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(5, "5 B"), (2048, "2.0 KiB"), (3 * 2**30, "3.0 GiB"), (2**42, "4.0 TiB")]
)
def test_sizes(count: int, expected: str) -> None:
    assert screen.size(count) == expected
