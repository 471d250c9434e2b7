"""Whether an unbound that is on a host before can be the resolver of mailstack."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.facts.fact import Question
from mailstack.shell import script
from mailstack.text import lines_of


class UnboundConfiguration(Question[str]):
    """Ask why the unbound of a host can't answer: text, empty if it can or there is none."""

    def command(self) -> str:
        """Check its configuration, with a file of that name."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"( unset stage; {script('validate_unbound')}\n) 2>&1"

    def parse(self, output: str) -> str:
        """See ``Question.parse``: the last line."""
        return "".join(lines_of(output)[-1:])


UNBOUND_CONFIGURATION = UnboundConfiguration.of()


def problem(found: str) -> str | None:
    """Return the error for such an unbound, or ``None``."""
    return f"mail_resolver: {found}; or set it to False" if found else None
