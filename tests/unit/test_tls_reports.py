"""Reports on TLS (RFC 8460): those that this server sends, and those that it gets."""

from __future__ import annotations

import gzip
import json
import signal
import smtplib
from base64 import b64encode
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailstack import Settings
from mailstack.components.tls_reports import TLS_REPORTS, problem
from mailstack.facts import TlsReports
from mailstack.facts.platform import RELEASES
from mailstack.facts.tls_reports import TlsReport
from mailstack.templates import render
from tests.support.sites import site

RECORD = "v=TLSRPTv1; rua=mailto:tls%26co@a.example,https://a.example/x, mailto:b@a.example!10m"
TLSA = {"policy-type": 1, "policy-domain": "mx.a.example", "policy-string": ["3 1 1 ab"]}
FAILURE = {"c": 203, "r": "192.0.2.1", "n": "mx.a.example"}


@pytest.fixture
def reporter() -> SimpleNamespace:
    """Return the functions of the service."""
    found: dict[str, Any] = {"__name__": "tls_reports"}
    contact = "postmaster@mail.example.org"
    exec(render("tls_reports/tls-reports", hostname="mail.example.org", contact=contact), found)
    return SimpleNamespace(**found)


def session(
    domain: str = "a.example", policies: dict[str, Any] | None = None, record: object = RECORD
) -> bytes:
    given = {**TLSA, "t": 0, "f": 0, **(policies or {})}
    return json.dumps({"d": domain, "pr": record, "policies": [given]}).encode()


class Postfix:
    """Take mail in place of smtplib's SMTP, or raise what `answers` has for a recipient or for all."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.answers: dict[str, Exception] = {}

    def __call__(self, *_: object, **__: object) -> Postfix:
        if "all" in self.answers:
            raise self.answers["all"]
        return self

    def __enter__(self) -> Postfix:
        return self

    def __exit__(self, *_: object) -> None: ...

    def send_message(self, mail: EmailMessage, sender: str, recipients: list[str]) -> None:
        (recipient,) = recipients
        assert not sender
        if recipient in self.answers:
            raise self.answers[recipient]
        self.taken.append((mail["TLS-Report-Domain"], recipient))


@pytest.fixture
def postfix(reporter: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postfix:
    """Return what takes the mail of the service, whose counts are in a directory of the test."""
    reporter.Counts.__init__.__globals__["STATE"] = tmp_path
    stands_in = Postfix()
    monkeypatch.setattr(smtplib, "SMTP", stands_in)
    return stands_in


def refused(recipient: str, code: int) -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused({recipient: (code, b"no")})


def counts_of(reporter: SimpleNamespace, *domains: str, day: str = "") -> Any:
    """Return the counts of a session with each domain, which wants reports at two addresses in it."""
    counts = reporter.Counts()
    for domain in domains:
        record = f"v=TLSRPTv1; rua=mailto:tls@{domain},mailto:more@{domain}"
        reporter.count(counts.days.setdefault(day or reporter.today(), {}), session(domain, record=record))
    return counts


def received(mail: EmailMessage) -> list[TlsReport]:
    """Return what the fact makes of a message, as doveadm(1) prints it."""
    fact = TlsReports.of("postmaster@a.example")
    text = b"text:\n" + mail.as_bytes(policy=policy.SMTP) + b"\n\f\n"
    return fact.parse(f"postmaster@a.example {b64encode(text).decode()}\n")


def test_what_is_counted_is_what_the_receiver_reads(reporter: SimpleNamespace) -> None:
    day: dict[str, Any] = {}
    for datagram in (
        session(),
        session("A.example"),
        session(policies={"f": 1, "failure-details": [FAILURE]}),
    ):
        reporter.count(day, datagram)
    mail = reporter.message("2026-01-31", "a.example", day["a.example"], "tls@a.example")
    assert received(mail) == [
        TlsReport(
            "mx.a.example", "mail.example.org", "2026-01-31", "tlsa", 2, 1, {"certificate-not-trusted": 1}
        )
    ]


def test_the_form_of_a_report(reporter: SimpleNamespace) -> None:
    day: dict[str, Any] = {}
    reporter.count(day, session())
    sent = reporter.message("2026-01-31", "a.example", day["a.example"], "tls@a.example")
    mail = message_from_bytes(sent.as_bytes(), _class=EmailMessage, policy=policy.default)
    assert mail.get_content_type() == "multipart/report"
    assert mail["Content-Type"].params["report-type"] == "tlsrpt"
    assert (mail["TLS-Report-Domain"], mail["TLS-Report-Submitter"]) == ("a.example", "mail.example.org")
    _, report = mail.iter_parts()
    assert report.get_content_type() == "application/tlsrpt+gzip"
    assert report.get_filename() == "mail.example.org!a.example!1769817600!1769903999!001.json.gz"
    payload = report.get_payload(decode=True)
    assert isinstance(payload, bytes)
    data = json.loads(gzip.decompress(payload))
    assert data["policies"][0]["policy"]["policy-string"] == ["3 1 1 ab"]
    assert data["date-range"]["start-datetime"] == "2026-01-31T00:00:00Z"


def test_of_the_answer_to_ehlo_the_name_stays(reporter: SimpleNamespace) -> None:
    day: dict[str, Any] = {}
    details = [{**FAILURE, "h": "250-mx.a.example\r\n250-PIPELINING\r\n250 DSN"}]
    reporter.count(day, session(policies={"f": 1, "failure-details": details}))
    (policy,) = reporter.report("2026-01-31", "a.example", day["a.example"])["policies"]
    assert policy["failure-details"][0]["receiving-mx-helo"] == "mx.a.example"


def test_who_gets_it(reporter: SimpleNamespace) -> None:
    assert reporter.recipients(RECORD) == ["tls&co@a.example"]
    assert reporter.recipients("v=TLSRPTv1; rua=mailto:a%0Ab@x.example, mailto:x") == []


@pytest.mark.parametrize(
    "junk",
    [b"", b"{", b"[]", b"\xff", b"1", b'{"d": 1}', b'{"d": "a.example"}', b"[" * 60000, session("a b"),
     b'{"d": "a.example", "pr": "v=TLSRPTv1"}', session(record=None), session(record={}),
     session(record="x" * 2001), session(policies={"policy-type": 7}), session("x/../y"),
     session(policies={"policy-domain": [1]}), session(policies={"failure-details": ["x"]}),
     session(policies={"failure-details": [FAILURE, {"c": 1}]}), session(policies={"policy-type": [1]})],
)  # fmt: skip
def test_of_junk_nothing_is_counted(reporter: SimpleNamespace, junk: bytes) -> None:
    day: dict[str, Any] = {}
    with pytest.raises(reporter.JUNK):
        reporter.count(day, junk)
    assert not day


def test_counts_are_bounded(reporter: SimpleNamespace) -> None:
    day: dict[str, Any] = {}
    for number in range(300):
        details = [{**FAILURE, "a": f"{number} {'x' * 5000}"}]
        reporter.count(day, session(policies={"f": 1, "failure-details": details}))
    assert len(json.dumps(day)) < reporter.ROOM * 2
    (entry,) = day["a.example"]["policies"].values()
    assert entry["failed"] == 300
    for number in range(reporter.DOMAINS + 5):
        reporter.count(day, session(f"{number}.example"))
    assert len(day) == reporter.DOMAINS


def test_counts_survive_a_restart(reporter: SimpleNamespace, tmp_path: Path) -> None:
    reporter.Counts.__init__.__globals__["STATE"] = tmp_path
    counts = reporter.Counts()
    reporter.count(counts.days.setdefault("2026-01-31", {}), session())
    counts.changed.add("2026-01-31")
    counts.save()
    assert reporter.Counts().days == counts.days
    (tmp_path / "2026-02-01.json").write_text("half of a fi")
    assert set(reporter.Counts().days) == {"2026-01-31"}


ALL_OF_B_AND_C = [(f"{name}.example", f"{to}@{name}.example") for name in "bc" for to in ("tls", "more")]


def test_counts_that_could_not_be_saved_are_saved_later(
    reporter: SimpleNamespace, postfix: Postfix, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = counts_of(reporter, "b.example", day="2026-01-31")
    counts.changed.add("2026-01-31")
    reporter.Counts.__init__.__globals__["STATE"] = tmp_path / "later"
    counts.save()
    assert "not saved: " in capsys.readouterr().out
    (tmp_path / "later").mkdir()
    counts.save()
    assert reporter.Counts().days == counts.days


def test_mail_waits_while_postfix_is_away(
    reporter: SimpleNamespace, postfix: Postfix, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = counts_of(reporter, "b.example", "c.example")
    counts.days["2026-01-31"] = json.loads(json.dumps(counts.days[reporter.today()]))
    postfix.answers = {"all": ConnectionRefusedError("nobody")}
    counts.mail("9999")
    assert set(counts.days) == {reporter.today()}, "what is older than some days is dropped"
    assert capsys.readouterr().out == (
        f"2 reports of {reporter.today()} wait: nobody\n2 reports of 2026-01-31 are dropped: nobody\n"
    )
    postfix.answers = {}
    counts.mail("9999")
    assert postfix.taken == ALL_OF_B_AND_C
    assert not counts.days and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error",
    [refused("tls@a.example", 451), refused("tls@a.example", 421), smtplib.SMTPDataError(451, b"later")],
)
def test_a_refusal_for_now_delays_that_recipient_alone(
    reporter: SimpleNamespace, postfix: Postfix, error: Exception, tmp_path: Path
) -> None:
    counts = counts_of(reporter, "a.example", "b.example", "c.example")
    postfix.answers = {"tls@a.example": error}
    counts.mail("9999")
    assert postfix.taken == [("a.example", "more@a.example"), *ALL_OF_B_AND_C]
    postfix.taken, postfix.answers = [], {}
    # also if the service has started again
    reporter.Counts().mail("9999")
    assert postfix.taken == [("a.example", "tls@a.example")], "nobody gets a report twice"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [refused("tls@a.example", 550), smtplib.SMTPDataError(554, b"never")])
def test_a_refusal_for_ever_ends_that_report_alone(
    reporter: SimpleNamespace, postfix: Postfix, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = counts_of(reporter, "a.example", "b.example", "c.example")
    postfix.answers = {"tls@a.example": error}
    counts.mail("9999")
    assert postfix.taken == [("a.example", "more@a.example"), *ALL_OF_B_AND_C]
    assert not counts.days
    assert "no report on a.example for tls@a.example: " in capsys.readouterr().out


def test_a_stop_is_not_delayed_by_mail(reporter: SimpleNamespace, postfix: Postfix) -> None:
    counts = counts_of(reporter, "b.example", "c.example", day="2026-01-31")
    reporter.signals.append(signal.SIGTERM)
    counts.mail("9999")
    assert not postfix.taken and len(reporter.Counts().days["2026-01-31"]) == 2


def test_damaged_counts_of_a_domain_stop_no_other(
    reporter: SimpleNamespace, postfix: Postfix, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they were saved of a datagram that is no session."""
    counts = counts_of(reporter, "b.example", "c.example")
    counts.days[reporter.today()] = {"a.example": {"policies": {}}, **counts.days[reporter.today()]}
    counts.mail("9999")
    assert postfix.taken == ALL_OF_B_AND_C
    assert not counts.days and not list(tmp_path.iterdir())
    assert capsys.readouterr().out == "no report on a.example: KeyError('record')\n"


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"{}",
        b'{"policies": [1]}',
        b"\x1f\x8bjunk",
        gzip.compress(b"[]", mtime=0),
        gzip.compress(b" " * 60_000_000, mtime=0),
    ],
)
def test_a_report_that_is_none_is_left_out(report: bytes) -> None:
    mail = EmailMessage()
    mail.add_attachment(report, maintype="application", subtype="tlsrpt+gzip")
    assert received(mail) == []


def test_only_where_postfix_can_report() -> None:
    here = site(Settings(mail_hostname="mail.example.org", mail_smtp_tls_reports=True))
    assert TLS_REPORTS.is_wanted(here)
    old, new = RELEASES
    assert "Debian 12" in (problem(old) or "") and problem(new) is None
    assert TLS_REPORTS.postfix(here, old).parameters == {}
    assert TLS_REPORTS.postfix(here, new).parameters["smtp_tlsrpt_enable"] == "yes"
    assert not TLS_REPORTS.is_wanted(site(Settings(mail_hostname="mail.example.org")))
