"""What others see of a server: which answers of the DNS and of the server prove something."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.dns.asking import Answer, Asker
from mailstack.on_host.verify.results import Problem, Report, Result
from mailstack.verify import outside, seen
from tests.support.smtp_server import smtp

RECORDS = {
    ("mx.example.org", "A"): ("192.0.2.1",),
    ("mx.example.org", "AAAA"): ("2001:db8::1",),
    ("example.org", "MX"): ("10 mx.example.org.", "5 first.example.org."),
    ("null.example.org", "MX"): ("0 .",),
    ("both.example.org", "MX"): ("0 .",),
    ("both.example.org", "A"): ("192.0.2.2",),
    ("number.example.org", "MX"): ("10 192.0.2.1.", "20 mx.example.org."),
    ("alias.example.org", "MX"): ("10 www.example.org.",),
}


class Names(Asker):
    """A DNS of records; ``broken`` says which questions get no answer but SERVFAIL."""

    def __init__(self, *broken: tuple[str, str]) -> None:
        super().__init__("192.0.2.53")
        self.broken = broken

    def ask(self, name: str, kind: str, *given: object, **more: object) -> Answer:
        """See ``Asker``."""
        if (name, kind) in self.broken:
            return Answer(code="SERVFAIL")
        if name == "www.example.org":
            return Answer(RECORDS.get(("mx.example.org", kind), ()), "mx.example.org.", "NOERROR")
        data = RECORDS.get((name, kind), ())
        return Answer(data, code="NOERROR" if data else "NXDOMAIN")


def look(name: str, *broken: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Result]:
    """Return the checks of a server to which nothing has a way."""
    monkeypatch.setattr(seen, "_reaches", lambda address: False)
    return {each.title: each for each in seen.look(Names(*broken), name)}


def test_the_servers_of_a_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look("example.org", monkeypatch=monkeypatch)
    assert found["the mail servers of example.org"].text == "first.example.org, mx.example.org"
    assert found["mx.example.org has addresses"].text == "192.0.2.1, 2001:db8::1"
    assert found["first.example.org has addresses"].text == "it has none"
    server = look("mx.example.org", monkeypatch=monkeypatch)
    assert "the mail servers of mx.example.org" not in server
    assert server["192.0.2.1 has the name mx.example.org"].text == "it has no PTR record"


def test_a_null_mx(monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain takes no mail; its name may be that of a server even so."""
    found = look("null.example.org", monkeypatch=monkeypatch)
    assert {title: each.state for title, each in found.items()} == {
        "the mail servers of null.example.org": "skipped",
    }
    server = look("both.example.org", monkeypatch=monkeypatch)
    assert server["the mail servers of both.example.org"].state == "skipped"
    assert server["both.example.org has addresses"].text == "192.0.2.2"
    unknown = look("null.example.org", ("null.example.org", "A"), monkeypatch=monkeypatch)
    assert "SERVFAIL" in unknown["null.example.org has addresses"].text


def test_an_mx_must_name_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look("number.example.org", monkeypatch=monkeypatch)
    wrong = found["the mail servers of number.example.org"]
    assert wrong.state == "failed" and "names 192.0.2.1, an address" in wrong.text
    assert "192.0.2.1 has addresses" not in found and found["mx.example.org has addresses"].state == "ok"
    alias = look("alias.example.org", monkeypatch=monkeypatch)["the mail servers of alias.example.org"]
    assert alias.state == "warning" and "www.example.org is an alias of mx.example.org" in alias.text


def test_a_dns_that_fails_is_not_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    of_mx = look("example.org", ("example.org", "MX"), monkeypatch=monkeypatch)
    assert [(each.state, each.text) for each in of_mx.values()] == [
        ("failed", "the DNS does not say its MX records: SERVFAIL")
    ]
    both = [("mx.example.org", "A"), ("mx.example.org", "AAAA")]
    none = look("mx.example.org", *both, monkeypatch=monkeypatch)["mx.example.org has addresses"]
    assert (none.state, none.text) == ("failed", "the DNS does not say its A records: SERVFAIL")
    half = look("mx.example.org", both[1], monkeypatch=monkeypatch)["mx.example.org has addresses"]
    assert half.state == "warning" and half.text.startswith("192.0.2.1; the DNS does not say its AAAA")
    pointer = ("1.2.0.192.in-addr.arpa", "PTR")
    reverse = look("mx.example.org", pointer, monkeypatch=monkeypatch)
    assert "SERVFAIL" in reverse["192.0.2.1 has the name mx.example.org"].text


@pytest.mark.parametrize(
    ("answers", "state", "text"),
    [
        ({"RCPT": "554 5.7.1 Relay access denied"}, "ok", "554 5.7.1"),
        ({"RCPT": "454 4.7.1 Relay access denied"}, "ok", "454 4.7.1"),
        ({"RCPT": "550 relay not permitted"}, "ok", "550"),
        ({"RCPT": "250 ok"}, "failed", "to verify@mailstack-verify.example: 250 ok"),
        ({"RCPT": "450 4.2.0 Greylisted"}, "warning", "it can't be tried: 450"),
        ({"RCPT": "503 need MAIL", "MAIL": "451 4.3.0 lookup"}, "warning", "it can't be tried: 451"),
        ({"RCPT": "250 ok", "EHLO": "421 busy"}, "warning", "it can't be tried: 421"),
        ({"": "554 5.7.1 banned"}, "failed", "it can't be tried: 554"),
        ({"EHLO": "", "RCPT": "554 5.7.1 no"}, "failed", "it can't be tried: the connection ended"),
    ],
)
def test_only_an_answer_to_the_recipient_proves_that_nobody_relays(
    answers: dict[str, str], state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report()
    with smtp(monkeypatch, answers):
        report.check("refused", "relays", lambda: seen._relays("127.0.0.1"), "an open relay is found")
    (found,) = report.results
    assert found.state == state and found.text.startswith(text)
    assert ("open relay" in found.advice) == (" 250 ok" in found.text)


@pytest.mark.parametrize("answers", [{"": "554 5.7.1 banned"}, {"EHLO": "421 busy"}])
def test_a_server_that_turns_away_does_not_prove_that_it_takes_no_password(
    answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with smtp(monkeypatch, answers), pytest.raises(Problem, match="it can't be tried"):
        seen._offers_auth("127.0.0.1", 587, True)
    with smtp(monkeypatch, {"EHLO": "250-mx\n250 STARTTLS"}):
        assert seen._offers_auth("127.0.0.1", 587, True) == ""
    with smtp(monkeypatch, {"EHLO": "250-mx\n250 AUTH PLAIN"}), pytest.raises(Problem, match="it does"):
        seen._offers_auth("127.0.0.1", 587, True)


@pytest.mark.parametrize(
    ("resolver", "taken"),
    [
        ("192.0.2.53", "192.0.2.53"),
        ("2001:DB8::53", "2001:db8::53"),
        ("dns.example.org", None),
        ("", None),
        (9, None),
    ],
)
def test_a_resolver_is_an_address(
    resolver: str | int, taken: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def looked(server: str, resolver: str | None) -> dict[str, object]:
        asked.append((server, resolver))
        return {"host": server, "seconds": 0.1, "checks": []}

    monkeypatch.setattr(outside, "_is_first", lambda: True)
    monkeypatch.setattr(outside, "looked", looked)
    monkeypatch.setattr(outside, "answer", lambda text: None)
    monkeypatch.setattr("mailstack.run.is_executing", lambda: True)
    call = inspect.unwrap(outside.from_outside)
    if taken is None:
        with pytest.raises(OperationValueError, match=rf"^resolver = '{resolver}': allowed: an IP address"):
            call("mx.example.org", resolver=resolver)
    else:
        call("MX.example.org.", resolver=resolver)
    assert asked == ([("mx.example.org", taken)] if taken else [])


def test_the_first_host_of_a_run_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--limit`` leaves others out, which are not connected."""
    inventory = [SimpleNamespace(name=name, connected=name != "mx1") for name in ("mx1", "mx2", "mx3")]
    looks = []
    for each in inventory:
        monkeypatch.setattr(outside, "host", SimpleNamespace(name=each.name, inventory=inventory))
        looks += [each.name] if outside._is_first() else []
    assert looks == ["mx2"]
