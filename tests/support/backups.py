"""A user with all that a backup must bring back, and what a host has of it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import clients, managesieve, sample_accounts
from tests.support.sample_accounts import ALICE, CAROL, STRANGER
from tests.targets.containers import Target

REPOSITORY = "/srv/backup"
#: Mail for other servers waits in the queue.
DATA = sample_accounts.data(mail_backup_repository=REPOSITORY, mail_postfix_main={"defer_transports": "smtp"})
#: Of a user whose password, folders, flags, filter and quota differ from what a deploy makes.
PASSWORD = "another than declared"
SCRIPT = 'require "fileinto";\r\nif header :contains "Subject" "lists" { fileinto "Lists"; }\r\n'


@dataclass(frozen=True)
class Mail:
    """A message in a folder of a user."""

    uid: int
    flags: frozenset[str]
    received: str
    content: str


@dataclass(frozen=True)
class Lost:
    """What the lost host had, and what came while the backup was made."""

    before: dict[str, dict[int, Mail]]
    after: dict[str, dict[int, Mail]]
    quiet: dict[str, dict[int, Mail]]
    files: dict[str, str]
    password: str
    repository: bytes


def mailboxes(target: Target, user: str, password: str | None = None) -> dict[str, dict[int, Mail]]:
    """Return all messages of a user, by folder with its UIDVALIDITY, and by UID."""
    found = {}
    with clients.imap(target, user, password=password) as session:
        _, listed = session.list()
        for line in listed:
            assert isinstance(line, bytes)
            if b"\\Noselect" in line:  # it only has folders in it
                continue
            name = line.decode().rpartition('" ')[2].strip('"')
            session.select(f'"{name}"', readonly=True)
            _, (validity,) = session.response("UIDVALIDITY")
            assert isinstance(validity, bytes)
            found[f"{name} {validity.decode()}"] = _messages(session)
    return found


def _messages(session: Any) -> dict[int, Mail]:
    _, answers = session.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
    found = {}
    for answer in answers or ():
        if not isinstance(answer, tuple):
            continue
        head = answer[0].decode()
        uid, date = re.search(r"UID (\d+)", head), re.search(r'INTERNALDATE "([^"]*)"', head)
        flags = re.search(r"FLAGS \(([^)]*)\)", head)
        assert uid and date and flags, head
        kept = frozenset(flags[1].split()) - {"\\Recent"}
        found[int(uid[1])] = Mail(int(uid[1]), kept, date[1], hashlib.sha256(answer[1]).hexdigest())
    return found


def fill(target: Target, data: dict[str, Any] = DATA, version: Path | None = None) -> None:
    """Give a user all that a backup must bring back; with another version of mailstack, which is there."""
    of = {"PYTHONPATH": str(version)} if version else {}
    command = ["-y", "mailstack.accounts.user", CAROL, "password_from=env:NEW", "quota_mb=77"]
    target.pyinfra(*command, data=data, env={"NEW": PASSWORD, **of}).check()
    target.pyinfra("-y", "mailstack.accounts.alias", "sales@example.com", CAROL, data=data, env=of).check()
    with clients.imap(target, CAROL, password=PASSWORD) as session:
        for folder in ("Lists", "Empty", "Archive/2026"):
            session.create(folder)
            session.subscribe(folder)
        for number in range(1, 8):
            mail = clients.message(STRANGER, CAROL, f"kept {number}").as_bytes()
            flags = (r"(\Seen)", r"(\Seen \Answered $label)", "", r"(\Flagged)")[number % 4]
            date = f'"0{number}-Jan-2026 10:00:00 +0100"'
            session.append("Lists" if number > 4 else "INBOX", flags, date, mail)
        session.select("INBOX")
        session.store("2", "+FLAGS", r"(\Deleted)")
        session.expunge()  # so UIDs have a gap
    sieve = managesieve.Session(target)
    sieve.starttls()
    assert sieve.login(CAROL, PASSWORD).status == "OK"
    assert sieve.put("mine", SCRIPT).status == "OK"
    assert sieve.command('SETACTIVE "mine"').status == "OK"
    target.exec("printf 'Subject: to root\\n\\n' | sendmail -f root root")
    clients.wait_for_local_mail(target, "Subject: to root")


def waiting(target: Target) -> str:
    """Put a message into the queue that stays there, and return its queue ID."""
    target.exec(f"printf 'Subject: waits\\n\\nstill here\\n' | sendmail -f {ALICE} x@waiting.example")

    def found() -> str:
        queued = map(json.loads, target.exec(["postqueue", "-j"]).stdout.splitlines())
        # one that is just being delivered may have no recipient left
        addresses = ((each, [to["address"] for to in each["recipients"]]) for each in queued)
        waits = [each for each, to in addresses if to == ["x@waiting.example"]]
        return str(waits[0]["queue_id"]) if waits and waits[0]["queue_name"] == "deferred" else ""

    return clients.eventually(found, "nothing waits")


def sums(target: Target) -> dict[str, str]:
    """Return the checksums of keys and secrets, by path."""
    places = "/etc/ssl/mailstack /var/lib/mailstack/secrets /var/mail/root"
    lines = target.exec(f"find {places} -type f -exec sha256sum {{}} +").stdout.splitlines()
    return {line[66:]: line[:64] for line in lines}


def backup(target: Target, data: dict[str, Any] = DATA) -> dict[str, Any]:
    """Make a backup, and return its result."""
    target.pyinfra("-y", "mailstack.backup.now", data=data, timeout=300).check()
    result: dict[str, Any] = json.loads(target.read("/var/lib/mailstack/backup.json"))
    assert result["failed"] == []
    return result
