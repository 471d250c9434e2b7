"""Undelivered mail in the queue of exim4, Debian's default: once Postfix replaces it, nothing delivers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra import logger

from mailstack.facts.fact import Fact, Value
from mailstack.run import current_host

_INPUT = "/var/spool/exim4/input"


@dataclass(frozen=True)
class Undelivered(Value):
    """The number of messages, and whether exim4 is still installed."""

    messages: int = 0
    exim4: bool = False


class EximQueue(Fact[Undelivered]):
    """Return the number of messages in the queue of exim4: ``Undelivered``."""

    default = Undelivered

    def command(self) -> str:
        """Count the messages."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        # a message is NAME-H and NAME-D, with split_spool_directory in a directory of one letter
        return (
            f"if [ -d {_INPUT} ]; then find {_INPUT} -name '*-H' | wc -l;"
            " if [ -x /usr/sbin/exim4 ]; then echo exim4; fi; fi"
        )

    def parse(self, output: str) -> Undelivered:
        """See ``Question.parse``."""
        number, *installed = output.split() or ["0"]
        return Undelivered(int(number), bool(installed))


EXIM_QUEUE = EximQueue.of()


def name_exim_queue(found: Undelivered) -> None:
    """Log the number of messages that Postfix will not deliver; to ``reading.require`` it is no error."""
    if found.messages == 0:
        return
    number = "1 message lies" if found.messages == 1 else f"{found.messages} messages lie"
    removed = "installing Postfix removes exim4, so try `exim4 -qff` before"
    advice = removed if found.exim4 else "nothing delivers them any more"
    current_host().log_styled(
        f"{number} in exim4's queue ({_INPUT}): {advice}; "
        "docs/troubleshooting.md says how Postfix takes them",
        fg="yellow",
        log_func=logger.warning,
    )
