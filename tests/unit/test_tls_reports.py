"""Reports on TLS (RFC 8460): those that this server sends, and those that it gets."""

from __future__ import annotations

import gzip
import json
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


def session(domain: str = "a.example", policies: dict[str, Any] | None = None) -> bytes:
    given = {**TLSA, "t": 0, "f": 0, **(policies or {})}
    return json.dumps({"d": domain, "pr": RECORD, "policies": [given]}).encode()


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
    [b"", b"{", b"[]", b"\xff", b"1", b'{"d": 1}', b"[" * 60000, session("a b"),
     session(policies={"policy-type": 7}), session("x/../y"),
     session(policies={"policy-domain": [1]}), session(policies={"failure-details": ["x"]})],
)  # fmt: skip
def test_junk_is_an_error_that_the_service_expects(reporter: SimpleNamespace, junk: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError, RecursionError)):
        reporter.count({}, junk)


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


def test_mail_that_postfix_does_not_take_waits(
    reporter: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter.Counts.__init__.__globals__["STATE"] = tmp_path
    counts, taken = reporter.Counts(), []
    today = reporter.today()
    for day in ("2026-01-31", today):
        reporter.count(counts.days.setdefault(day, {}), session())

    class Down:
        def __init__(self, *_: Any, **__: Any) -> None:
            raise ConnectionRefusedError

    class Up:
        def __init__(self, *_: Any, **__: Any) -> None: ...
        def __enter__(self) -> Up:
            return self

        def __exit__(self, *_: object) -> None: ...
        def send_message(self, mail: EmailMessage, sender: str, recipients: list[str]) -> None:
            taken.append((mail["TLS-Report-Domain"], sender, *recipients))

    smtplib = reporter.send.__globals__["smtplib"]
    monkeypatch.setattr(smtplib, "SMTP", Down)
    counts.mail("9999")
    assert set(counts.days) == {today}, "what is older than some days is dropped"
    monkeypatch.setattr(smtplib, "SMTP", Up)
    counts.mail("9999")
    assert taken == [("a.example", "", "tls&co@a.example")]
    assert not counts.days and not list(tmp_path.iterdir())


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
