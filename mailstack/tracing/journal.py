"""The journal of a host with the mail server."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence

from pyinfra.api.exceptions import OperationError

from mailstack.facts.fact import Question
from mailstack.shell import script


class MailJournal(Question["list[str]"]):
    """Return the lines of Postfix, Dovecot and rspamd in the journal. They name users, so it is no fact."""

    def command(self, since: str, pattern: str = "^") -> str:
        """Ask for the lines since a time, as journalctl(1) takes it.

        + pattern: an extended regular expression of grep(1), by default all lines
        """
        return self.asking([(since, pattern)])

    @staticmethod
    def ask(about: Sequence[tuple[str, str]]) -> str:
        """See ``Question.ask``."""
        ((since, pattern),) = about
        return script("mail_journal", since, pattern)

    def parse(self, output: str) -> list[str]:
        """See ``Question.parse``."""
        try:
            packed = base64.b64decode(output.strip(), validate=True)
            unpacked = gzip.decompress(packed or b"?")
        except (EOFError, OSError, ValueError):
            raise OperationError("the journal could not be read: its text is not complete") from None
        return unpacked.decode(errors="replace").split("\n")
