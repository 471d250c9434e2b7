"""The kit of the fault tests: numbered messages, a continuous probe, and the results of both.

A fault must end when its cause ends; the tests print how long that took.
"""

from __future__ import annotations

import imaplib
import itertools
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.support import clients, sample_accounts, tally
from tests.support.sample_accounts import ALICE, REMOTE
from tests.targets.containers import Target

#: Room for a loaded machine: the goals are a third of the allowed times.
ROOM = 3
_FAULTS = (smtplib.SMTPException, imaplib.IMAP4.error, OSError, EOFError)


class Answer(NamedTuple):
    """An answer to the probe, and its time: seconds of `time.monotonic`."""

    began: float
    moment: float
    kind: str
    text: str

    @property
    def good(self) -> bool:
        """Whether it is the answer of a healthy server."""
        return self.text == "good"


@dataclass
class Watch:
    """Threads that send numbered messages, each until it is accepted, and one that probes services."""

    host: Target
    #: Seconds before each message of a thread.
    pause: float = 0.3
    #: Threads that send: every other one names a fresh sender each time.
    senders: int = 2
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    accepted: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def send_all_the_while(self, fresh: bool) -> None:
        """Send messages from one sender, or each from a fresh one."""
        while not self.stopping.is_set():
            number = next(self.numbers)
            sender = f"fresh{number}@{REMOTE}" if fresh else sample_accounts.STRANGER
            while not self.stopping.wait(self.pause):
                if self._good("25", lambda: _send(self.host, sender, number)):  # noqa: B023
                    self.accepted.append(number)
                    break

    def ask_all_the_while(self) -> None:
        """Log in by SMTP and by IMAP every half second."""
        while not self.stopping.wait(0.5):
            self._good("587", lambda: _log_in(self.host))
            self._good("993", lambda: _read(self.host))

    def _good(self, kind: str, ask: Callable[[], None]) -> bool:
        began = time.monotonic()
        try:
            ask()
        except _FAULTS as error:
            code = _code(error) or type(error).__name__
            self.answers.append(Answer(began, time.monotonic(), kind, f"{code} {error}"))
            return False
        self.answers.append(Answer(began, time.monotonic(), kind, "good"))
        return True

    def recovered(self, since: float, timeout: float) -> dict[str, float]:
        """Wait until all kinds get good answers again; return the seconds until each did."""

        def all_well() -> dict[str, float]:
            first: dict[str, float] = {}
            for answer in [answer for answer in self.answers if answer.good and answer.began >= since]:
                first.setdefault(answer.kind, answer.moment - since)
            return first if first.keys() == {"25", "587", "993"} else {}

        return clients.eventually(all_well, f"not well: {self.answers[-6:]}", timeout)

    def refusals(self, since: float) -> list[Answer]:
        """Return the bad answers from a moment on."""
        return [answer for answer in self.answers if not answer.good and answer.began >= since]

    def assert_well_from(self, moment: float) -> None:
        """Wait for five seconds of answers of all kinds after ``moment``, or after now; none is a refusal."""
        settled = max(moment, time.monotonic())
        time.sleep(settled + 5 - time.monotonic())

        def kinds() -> bool:  # on a loaded machine it takes longer
            answers = [answer.kind for answer in self.answers if answer.began >= settled]
            return set(answers) == {"25", "587", "993"}

        clients.eventually(kinds, f"not all answer: {self.answers[-6:]}", 180)
        assert self.refusals(settled) == []

    def report(self, case: str, host: Target, gone: float) -> None:
        """Print the figures of a case: ``gone`` is when its cause was gone."""
        last = {
            kind: round(max(answer.moment - gone for answer in self.refusals(gone) if answer.kind == kind), 1)
            for kind in {answer.kind for answer in self.refusals(gone)}
        }
        longest = {kind: round(self.gap(kind), 1) for kind in ("25", "587", "993")}
        print(f"FIGURES Debian {host.debian}, {sample_accounts.ENGINE}, {case}:")
        print(f"FIGURES   longest without a success {longest},")
        print(f"FIGURES   last refusals {last or 'none'} s after the cause was gone")

    def gap(self, kind: str) -> float:
        """Return the longest time without a good answer of a kind."""
        moments = [answer.moment for answer in self.answers if answer.kind == kind and answer.good]
        moments.append(time.monotonic())
        return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0)


@contextmanager
def traffic(host: Target, pause: float = 0.3, senders: int = 2) -> Iterator[Watch]:
    """Send and probe while the block runs, which begins when all is well."""
    watching = Watch(host, pause, senders)
    jobs = [
        *(
            threading.Thread(target=watching.send_all_the_while, args=[bool(number % 2)])
            for number in range(senders)
        ),
        threading.Thread(target=watching.ask_all_the_while),
    ]
    for job in jobs:
        job.start()
    try:
        watching.recovered(time.monotonic(), timeout=180)
        yield watching
    finally:
        watching.stopping.set()
        for job in jobs:
            job.join(3 * clients.TIMEOUT)


@contextmanager
def watch(host: Target, pause: float = 0.3) -> Iterator[Watch]:
    """Send and probe while the block runs; then assert that no accepted message is lost, or damaged."""
    with traffic(host, pause) as watching:
        yield watching
    counted = tally.take(host, watching.accepted, timeout=180)
    print(f"accepted {len(counted.accepted)}, lost {counted.lost}, doubled {counted.doubled}")
    assert counted.accepted
    assert not counted.queued
    assert not counted.lost
    assert not counted.damaged


def _send(host: Target, sender: str, number: int) -> None:
    clients.send(host, tally.message(sender, number), sender=sender)


def _log_in(host: Target) -> None:
    with clients.smtp(host, 587, ALICE):
        pass


def _read(host: Target) -> None:
    with clients.imap(host, ALICE):
        pass


def _code(error: Exception) -> int | None:
    """Return the code of an answer of SMTP; nothing if there was no answer."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values())
    code: int | None = getattr(error, "smtp_code", None)
    return code
