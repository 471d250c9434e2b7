"""Real messages go through the server, and come out of IMAP byte for byte as they went in."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.support import clients, real_messages, sample_accounts
from tests.support.sample_accounts import CAROL
from tests.targets.containers import Target


@pytest.fixture(scope="module")
def messages(peer: Target) -> dict[str, bytes]:
    """Return the corpus."""
    return real_messages.messages(peer)


def test_the_corpus_has_hard_messages(messages: dict[str, bytes]) -> None:
    real = [mail for name, mail in messages.items() if name.startswith("msg_")]
    assert len(real) >= 30
    assert sum(b"multipart/" in mail for mail in real) >= 10
    assert any(b"message/rfc822" in mail for mail in real), "nested"
    assert sum(not well_formed(mail) for mail in real) >= 2, "broken headers"
    assert sum(bool(re.search(rb"[\x80-\xff]", mail)) for mail in messages.values()) >= 10, "8-bit"
    assert sum(max(map(len, mail.splitlines())) > 998 for mail in messages.values()) >= 3, "long lines"


def well_formed(mail: bytes) -> bool:
    """Return whether every line of the header is a field or goes on with one."""
    header = mail.partition(b"\r\n\r\n")[0].splitlines()
    return all(real_messages.FIELD.match(line) or line[:1] in (b" ", b"\t") for line in header)


@pytest.mark.parametrize("port", [25, 587])
def test_messages_come_out_as_they_went_in(server: Target, messages: dict[str, bytes], port: int) -> None:
    run = uuid.uuid4().hex[:8]
    addresses = {f"carol+{run}-{name}@example.com": mail for name, mail in messages.items()}
    user = CAROL if port == 587 else None
    with clients.smtp(server, port, user) as session:
        for address, mail in addresses.items():
            session.sendmail(user or sample_accounts.STRANGER, address, mail, ["BODY=8BITMIME"])
    copies = received(server, run, len(addresses))
    assert set(copies) == set(addresses)
    for address, mail in addresses.items():
        below = real_messages.expected(mail)
        assert copies[address].endswith(below), address
        trace = copies[address].removesuffix(below)
        assert real_messages.TRACE.fullmatch(trace), (address, trace)
        fields = re.findall(rb"^([\w-]+):", trace, re.MULTILINE)
        assert fields == [b"Return-Path", b"Delivered-To", b"Received", b"X-Original-To", b"Received"], (
            address
        )


def received(server: Target, run: str, count: int) -> dict[str, bytes]:
    """Return the messages of a run in Carol's INBOX by their recipient, once all `count` have arrived."""
    with clients.imap(server, CAROL) as session:

        def numbers() -> list[str]:
            to = clients.fields(session, "Delivered-To")
            return [number for number, address in to.items() if address.startswith(f"carol+{run}")]

        clients.eventually(lambda: len(numbers()) >= count, f"{count} messages", timeout=60)
        _, parts = session.fetch(",".join(numbers()), "(BODY.PEEK[])")
        session.store(",".join(numbers()), "+FLAGS", "\\Deleted")
    mails = [part[1] for part in parts if isinstance(part, tuple)]
    assert len(mails) == count
    return {delivered_to(mail): mail for mail in mails}


def delivered_to(mail: bytes) -> str:
    found = re.search(rb"^Delivered-To: <?(.*?)>?\r\n", mail, re.MULTILINE)
    assert found
    return found[1].decode()
