"""`mailstack.trace` tells what became of messages: delivered, refused, Junk, forwarded, waiting, bounced."""

from __future__ import annotations

import json
import smtplib
from typing import Any

import pytest

from tests.support import clients, trust
from tests.support.sample_accounts import ALICE, BOB, REMOTE
from tests.support.trust import QUARANTINE, REJECT, SILENT, Protected, letter, somebody
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.postgresql


def call(protected: Protected, *args: str) -> PyinfraRun:
    """Run the command as a person does."""
    return protected.server.pyinfra("-y", "mailstack.trace", *args, data=trust.data())


def traced(protected: Protected, wanted: str, *what: str) -> list[dict[str, Any]]:
    """Return the messages that belong to something, once one of them has these events."""

    def look() -> list[dict[str, Any]] | None:
        # in quotes, as pyinfra makes a number of a queue ID of digits alone
        run = call(protected, json.dumps(wanted), "format=json")
        if run.returncode:
            return None
        found: list[dict[str, Any]] = json.loads(run.stdout)["messages"]
        return found if any(set(what) <= {*events(message)} for message in found) else None

    return clients.eventually(look, f"{wanted} was not {what}", 100) or []


def events(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the events of a message by their kind; the last of each."""
    return {event["what"]: event for event in message["events"]}


def test_delivered(protected: Protected) -> None:
    sender = somebody(REJECT)
    mail = letter(sender, "info@example.org")
    clients.send(protected.server, mail, sender=sender)
    (message,) = traced(protected, sender, "delivered", "done")
    found = events(message)
    assert list(found) == ["received", "checked", "alias", "delivered", "done"]
    assert str(mail["Message-ID"]) in found["received"]["text"]
    assert "no action" in found["checked"]["text"] and "points" in found["checked"]["text"]
    assert found["alias"]["text"] == f"info@example.org -> {ALICE}"
    assert found["delivered"]["text"] == f"{ALICE}: into INBOX"
    assert (message["from"], message["to"]) == (sender, ["info@example.org"])
    for wanted in (str(mail["Message-ID"]), str(mail["Message-ID"]).strip("<>"), message["queue_ids"][0]):
        assert traced(protected, wanted, "delivered") == [message]
    said = call(protected, sender).check().stdout
    assert said.startswith(f"{message['queue_ids'][0]}: from {sender} to info@example.org\n")
    assert f"delivered  {ALICE}: into INBOX" in said


def test_another_recipient_is_not_shown(protected: Protected) -> None:
    sender = somebody(REJECT)
    mail = letter(sender, ALICE)
    clients.send(protected.server, mail, ALICE, BOB, sender=sender)
    (both,) = traced(protected, sender, "delivered", "done")
    assert sum(event["what"] == "delivered" for event in both["events"]) == 2
    mine = [each for each in traced(protected, BOB, "delivered") if each["message_id"] == mail["Message-ID"]]
    assert ALICE not in json.dumps(mine) and f"{BOB}: into INBOX" in json.dumps(mine)


def test_refused_at_rcpt(protected: Protected) -> None:
    nobody = somebody("example.org")
    assert clients.replies(protected.server, nobody, somebody(REJECT)) == 550

    def refused() -> list[dict[str, Any]]:
        run = call(protected, nobody, "format=json")
        return [] if run.returncode else list(json.loads(run.stdout)["refused"])

    (event,) = clients.eventually(refused, "no refusal", 60)
    assert event["what"] == "refused" and "550 5.1.1" in event["text"]
    assert event["means"] == "No active mailbox and no alias has this address."
    assert "Refused, and in no queue:" in call(protected, nobody).check().stdout


def test_refused_by_the_filter(protected: Protected) -> None:
    sender = somebody(REJECT)
    gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    with pytest.raises(smtplib.SMTPDataError):
        clients.send(protected.server, letter(sender, BOB, body=gtube), sender=sender)
    (message,) = traced(protected, sender, "refused")
    found = events(message)
    assert "GTUBE" in found["checked"]["text"] and BOB in found["refused"]["text"]


def test_junk(protected: Protected) -> None:
    """The sender's domain wants mail without a signature to be quarantined."""
    mail = letter(somebody(QUARANTINE), BOB)
    clients.send(protected.server, mail, sender=somebody(SILENT))
    (message,) = traced(protected, str(mail["Message-ID"]), "delivered")
    assert events(message)["delivered"]["text"] == f"{BOB}: into Junk"
    assert "DMARC_POLICY_QUARANTINE" in events(message)["checked"]["text"]


def test_forwarded_by_an_alias(protected: Protected, outside: Target) -> None:
    """With the detour that rewrites the sender; the two messages are one story."""
    sender = somebody(REMOTE)
    mail = letter(sender, "away@example.org")
    clients.send(protected.server, mail, sender=sender)
    clients.wait_at_peer(outside, str(mail["Message-ID"]), 60)
    traced(protected, str(mail["Message-ID"]), "sent on", "done")
    # other tests have written to this alias, too
    found = traced(protected, "away@example.org", "sent on")
    (message,) = [each for each in found if each["message_id"] == mail["Message-ID"]]
    assert len(message["queue_ids"]) == 2
    told = [event["text"] for event in message["events"] if event["what"] == "sent on"]
    assert "127.0.0.1" in told[0] and "peer.example" in told[-1]
    assert events(message)["alias"]["text"] == f"away@example.org -> away@{REMOTE}"
    (again,) = traced(protected, message["queue_ids"][1], "sent on")
    assert again == message


def test_waiting_and_failed(protected: Protected) -> None:
    """A server that does not answer; then the administrator gives up, and the sender gets a bounce."""
    server = protected.server
    recipient = somebody("waiting.example")
    transport = "postconf -e 'default_transport = smtp:[127.0.0.1]:9' && postfix reload"
    server.exec(transport)
    try:
        mail = letter(ALICE, recipient)
        clients.send(server, mail, sender=ALICE, port=587, user=ALICE)
        (message,) = traced(protected, recipient, "waits")
        waits = events(message)["waits"]
        assert "Connection refused" in waits["text"] and waits["means"].startswith("Nothing listens there")
        assert f"logged in as {ALICE}" in events(message)["received"]["text"]
        server.exec("postconf -e 'maximal_queue_lifetime = 0' && postfix reload")

        def given_up() -> bool:
            server.exec("postqueue -f; sleep 1")  # one that comes during the reload may do nothing
            return recipient not in str(clients.queue(server))

        clients.eventually(given_up, "it still waits", 100)
        (message,) = traced(protected, str(mail["Message-ID"]), "failed", "notice", "delivered")
    finally:
        server.exec("postconf -X default_transport maximal_queue_lifetime; postfix reload")
    assert len(message["queue_ids"]) == 2
    assert "sender non-delivery notification" in events(message)["notice"]["text"]
    assert events(message)["delivered"]["text"].startswith(f"{ALICE}: into")


def test_forged_lines_and_unknown_things(protected: Protected) -> None:
    """Users of the host can write to the journal, as any program; that is not shown."""
    forged = "4F1C22E0A3: to=<forged@example.org>, relay=x, delay=1, dsn=2.0.0, status=sent (250 ok)"
    protected.server.exec(
        ["runuser", "-u", "nobody", "--", "logger", "-p", "mail.info", "-t", "postfix/smtp", forged]
    )
    for wanted in ("forged@example.org", "<nothing@example.org>", "4F1C22E0A3"):
        run = call(protected, wanted)
        assert run.returncode != 0 and run.stdout == ""
        assert f"the journals have nothing about {wanted}" in " ".join(run.stderr.split())
    run = call(protected, "nonsense")
    assert run.returncode != 0 and "must be an address, a Message-ID" in " ".join(run.stderr.split())
