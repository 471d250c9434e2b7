"""What mailboxes have, asked from the host with the mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailstack.accounts.listed import Used
from mailstack.facts.fact import Question
from mailstack.shell import script
from mailstack.text import lines_of

_FIELDS = {"STORAGE": 0, "MESSAGE": 1}


class Mailbox(NamedTuple):
    """A user, and the directory of the mail."""

    email: str
    home: str


class QuotasUsed(Question["dict[str, Used]"]):
    """Return what the mailboxes have, by user; nothing for those that Dovecot can't tell.

    Dovecot opens each mailbox for that, which takes a few milliseconds. A user without a directory has no
    mail, and Dovecot is not asked, as it would create the directory.
    """

    def command(self, mailboxes: Iterable[Mailbox]) -> str:
        """Ask for these."""
        return self.asking(mailboxes)

    @staticmethod
    def ask(about: Sequence[Mailbox]) -> str:
        """See ``Question.ask``."""
        return script("quotas_used", *(part for mailbox in about for part in mailbox))

    def parse(self, output: str) -> dict[str, Used]:
        """See ``Question.parse``: a line with names of columns, and one for each user and limit."""
        lines = [line.split("\t") for line in lines_of(output)]
        known = {email for email, _ in self.about}
        found = {row[1]: [0, 0] for row in lines if row[0] == "empty" and len(row) == 2}
        head = next((row for row in lines if "Username" in row), [])
        for row in lines:
            if len(row) != len(head) or row == head:
                continue
            cells = dict(zip(head, row, strict=True))
            place = _FIELDS.get(cells.get("Type", ""))
            if place is not None and cells.get("Value", "").isdigit():
                found.setdefault(cells["Username"], [0, 0])[place] = int(cells["Value"])
        return {email: Used(*values) for email, values in found.items() if email in known}
