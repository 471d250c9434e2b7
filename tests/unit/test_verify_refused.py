"""What must fail on a host: which answers prove it, and which only say that it could not be tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailstack.on_host.verify import refused, sockets
from mailstack.on_host.verify.lines import Session
from mailstack.on_host.verify.refused import Refused
from mailstack.on_host.verify.results import Problem, Report, Result, Skip
from mailstack.on_host.verify.sockets import Listener
from tests.support.smtp_server import smtp

PLAN: dict[str, Any] = {
    "address": "127.0.0.1",
    "loopback_only": False,
    "networks": ["127.0.0.0/8", "::1/128"],
    "clear_ports": [],
    "mail_ports": [25, 587, 465],
    "catch_all": False,
    "domain": "example.org",
    "user": "user@example.org",
    "other": "other@example.org",
    "nobody": "nobody@example.org",
    "password": "none",
}


def tried(**plan: Any) -> dict[str, Result]:
    """Return the results of all checks by their titles."""
    report = Report()
    checks = Refused({**PLAN, **plan}, report)
    checks.without_accounts()
    checks.with_accounts()
    return {each.title: each for each in report.results}


RELAY, CLEAR = "a stranger can't relay", "no password in clear on 587 (submission)"
ELSE, UNKNOWN = "a user can't send as somebody else", "mail to an unknown recipient is refused"
FULL = "mail to a full mailbox is refused"


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the host an address of a stranger, which is one of this machine."""
    monkeypatch.setattr(refused.Refused, "_strangers", lambda self: ["127.0.0.1"])
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.parametrize("server", ["closed", "ends", "busy"])
def test_a_server_that_is_down_is_no_open_relay(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"": ""} if server == "ends" else {"": "421 too busy"}
    ports = [{"number": 587, "name": "submission", "how": "smtp"}]
    with smtp(monkeypatch, answers) as listening:
        if server == "closed":
            listening.socket.close()
        found = tried(clear_ports=ports, mail_ports=[587])
    put_off = "warning" if server == "busy" else "failed"  # such a server has not refused to relay
    assert found.pop(RELAY).state == put_off
    assert {each.state for each in found.values()} == {"failed"}
    for title, each in found.items():
        assert each.text.startswith(("it can't be tried: ", "it does not greet: ")), (title, each)
        assert each.advice == refused._OTHERS, (title, each)


def test_what_postfix_says_if_it_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    with smtp(monkeypatch, {"RCPT": "554 5.7.1 Relay access denied"}):
        assert tried(mail_ports=[])[RELAY].state == "ok"
    with smtp(monkeypatch, {"RCPT": "550 5.1.1 User unknown"}):
        assert tried(mail_ports=[])[UNKNOWN].state == "ok"
    with smtp(monkeypatch, {"RCPT": "552 5.2.2 Quota exceeded"}):
        assert tried(mail_ports=[])[FULL].state == "ok"


@pytest.mark.parametrize("answer", ["250 ok", "450 4.3.0 lookup", "550 5.3.0 other"])
def test_other_answers_fail(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with smtp(monkeypatch, {"RCPT": answer}):
        found = tried(mail_ports=[])
    for title in (RELAY, UNKNOWN, FULL):
        later = title == RELAY and answer[0] == "4"
        assert found[title].state == ("warning" if later else "failed") and answer in found[title].text
        assert found[title].advice
    assert ("open relay" in found[RELAY].advice) == (answer == "250 ok")


@pytest.mark.parametrize("command", ["", "EHLO", "MAIL", "RCPT"])
def test_a_stranger_who_must_come_again_comes_again(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With mail_postscreen_deep_tests, a client that has passed the tests gets 450 4.3.2 once."""
    passed = {"RCPT": "554 5.7.1 Relay access denied"}
    answers = {"": "220 mx ESMTP", "EHLO": "250 mx", "MAIL": "250 ok", **passed}
    with smtp(monkeypatch, {**passed, command: "450 4.3.2 Service currently unavailable"}) as server:
        monkeypatch.setattr("time.sleep", lambda _: server.answers.update(answers))
        found = tried(mail_ports=[])[RELAY]
    assert (found.state, found.text) == ("ok", "554 5.7.1 Relay access denied")


def test_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class User:
        """A session of smtplib."""

        answer = (553, b"5.7.1 Sender address rejected: not owned by user")

        def __init__(self, *given: object, **more: object) -> None:
            self.mail = self.login = lambda *given: (250, b"ok")

        def __enter__(self) -> User:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def rcpt(self, address: str) -> tuple[int, bytes]:
            return self.answer

    monkeypatch.setattr("smtplib.SMTP_SSL", User)
    monkeypatch.setattr(Session, "__init__", _down)
    assert tried()[ELSE].state == "ok"
    for answer in ((250, b"2.1.5 Ok"), (450, b"4.7.1 later"), (550, b"5.1.1 unknown")):
        monkeypatch.setattr(User, "answer", answer)
        assert tried()[ELSE].state == "failed"


def _down(*given: object, **more: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_somebody_else_without_465(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the declared ports are asked."""
    asked: list[int] = []

    def connect(address: str, port: int, *given: object, **more: object) -> None:
        asked.append(port)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("smtplib.SMTP_SSL", connect)
    monkeypatch.setattr("smtplib.SMTP", connect)
    monkeypatch.setattr(Session, "__init__", _down)
    assert tried(mail_ports=[25, 587])[ELSE].state == "failed" and asked == [587]
    assert tried(mail_ports=[25])[ELSE].state == "skipped" and asked == [587]


@pytest.mark.parametrize(
    ("offered", "size"),
    [
        ("SIZE 52428800", 3_000_000),
        ("SIZE 0", 3_000_000),
        ("SIZE 2000000", 2_000_000),
        ("8BITMIME", 3_000_000),
    ],
)
def test_the_size_of_a_message_for_a_full_mailbox(
    offered: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postfix itself refuses a size above its limit, at MAIL."""
    with smtp(monkeypatch, {"EHLO": f"250-mx\n250-{offered}\n250 DSN", "RCPT": "552 5.2.2 full"}) as server:
        assert tried(mail_ports=[])[FULL].state == "ok"
    assert f"MAIL FROM:<> SIZE={size}" in server.seen


def test_no_message_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    with smtp(monkeypatch, {"EHLO": "250-mx\n250 SIZE 65536", "RCPT": "552 5.2.2 full"}):
        found = tried(mail_ports=[])[FULL]
    assert found.state == "skipped" and "65536" in found.text


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[str]], list[str]]:
    """Return the addresses by which a host is a stranger to itself."""
    monkeypatch.undo()

    def strange(addresses: str, listening: list[str], **plan: Any) -> list[str]:
        monkeypatch.setattr(refused, "run", lambda command: (0, addresses, ""))
        found = [Listener(address, 25, "1") for address in listening] + [Listener("10.0.0.5", 22, "2")]
        monkeypatch.setattr(sockets, "listeners", lambda: found)
        return Refused({**PLAN, **plan}, Report())._strangers()

    return strange


def test_a_stranger_is_an_address_on_which_postfix_listens(
    strangers: Callable[[str, list[str]], list[str]],
) -> None:
    all_of_them = "10.0.0.5 198.51.100.5 2001:db8::5 fe80::1"
    assert strangers(all_of_them, ["0.0.0.0", "::"]) == ["10.0.0.5", "2001:db8::5"]
    assert strangers(all_of_them, ["127.0.0.1", "198.51.100.5"]) == ["198.51.100.5"]
    with pytest.raises(Skip):
        strangers(all_of_them, ["127.0.0.1"])
    with pytest.raises(Problem, match="nothing listens on 25"):
        strangers(all_of_them, [])
