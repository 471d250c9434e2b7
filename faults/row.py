"""A row of docs/reliability.md: a fault, declared; and what was seen as it happened."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from faults import resources
from faults.resources import Growth, Processes
from tests.support import clients, faults, tally
from tests.support.numbered_traffic import Answer, Watch, traffic
from tests.support.tally import Tally
from tests.support.trust import Protected
from tests.targets.containers import Target

#: The sessions that send at once, and the seconds that each waits before its next message.
SESSIONS, PAUSE = 10, 0.4
#: Seconds that a server has to serve again, and to deliver what is in its queue.
PATIENCE = 90
#: Seconds of load before a fault, and after all is well again.
CALM = 2.0
#: A login that says that the password is wrong: a client would ask its user, or be banned.
_WRONG_PASSWORD = re.compile(r"^535|AUTHENTICATIONFAILED")
#: What a login may hear whose session had begun before: docs/troubleshooting.md.
_BEGUN_BEFORE = re.compile(r"^535 .*\(reason unavailable\)")
_FINAL = re.compile(r"^5\d\d ")


@dataclass
class Case:
    """A row that is under way: the server, its settings, and its traffic."""

    protected: Protected
    data: Mapping[str, Any]
    watching: Watch

    @property
    def host(self) -> Target:
        """The server."""
        return self.protected.server


#: A script of sh(1) as root on the host, or a function. The script has `$postfix` and `$database`: the units
#: with the processes of these.
Action = str | Callable[[Case], None]


@dataclass(frozen=True)
class Row:
    """A fault.

    + name: what `python -m faults` calls it
    + what: what happens, for the page
    + do: how its cause begins
    + seconds: how long that lasts
    + undo: how it ends; also if ``do`` failed. Nothing for a cause that ends by itself
    + doubles: how messages may be doubled, `SENT_AGAIN` or `DELIVERED_AGAIN`
    + stops: `dovecot` or `database`, if it stops, so that a login whose session by SMTP had begun before may
      be called wrong; for the database on Debian 12 alone
    + after: what must be true afterwards; raises an error if it is not
    """

    name: str
    what: str
    do: Action
    seconds: float = 0
    undo: Action = ""
    doubles: Sequence[str] = ()
    stops: str = ""
    after: Action = ""


@dataclass
class Outcome:
    """What was seen of a row, on one Debian."""

    row: Row
    debian: int
    #: Empty if the mailboxes could not be read.
    tally: Tally = field(default_factory=lambda: Tally(frozenset(), {}))
    #: Seconds until the first good answer after the cause was gone, by port.
    back: Mapping[str, float] = field(default_factory=dict)
    answers: Sequence[Answer] = ()
    grown: Growth = field(default_factory=Growth)
    problems: list[str] = field(default_factory=list)

    @property
    def refusals(self) -> list[Answer]:
        """All that was not good."""
        return [answer for answer in self.answers if not answer.good]

    def judge(self) -> None:
        """Add what breaks the promises to the problems."""
        counted = self.tally
        for kind in ("lost", "damaged"):
            if numbers := getattr(counted, kind):
                self.problems.append(f"{kind}: {numbers}")
        if unexplained := {n: how for n, how in counted.doubled.items() if how not in self.row.doubles}:
            self.problems.append(f"doubled without a reason: {unexplained}")
        self.problems += sorted({answer.text[:200] for answer in self.refusals if self._wrong(answer)})
        if counted.queued:
            self.problems.append(f"in the queue after {PATIENCE} s: {len(counted.queued)}")
        self.problems += self.grown.leaks

    def _wrong(self, answer: Answer) -> bool:
        """Whether it is a refusal that a client takes for final."""
        stops = self.row.stops == "dovecot" or (self.row.stops, self.debian) == ("database", 12)
        if stops and _BEGUN_BEFORE.search(answer.text) and self._ran_until(answer.began):
            return False
        final = _WRONG_PASSWORD if answer.kind != "25" else _FINAL
        return bool(final.search(answer.text))

    def _ran_until(self, moment: float) -> bool:
        """Whether logins worked until a moment: the last one by IMAP, which the same thread asks."""
        before = [answer for answer in self.answers if answer.kind == "993" and answer.moment <= moment]
        return bool(before) and before[-1].good

    @property
    def codes(self) -> Counter[str]:
        """How often port 25 refused with which code, or did not answer."""
        answers = [answer.text.partition(" ")[0] for answer in self.refusals if answer.kind == "25"]
        return Counter(code if re.fullmatch(r"\d{3}", code) else "no answer" for code in answers)

    @property
    def doubled(self) -> Counter[str]:
        """How many messages were doubled, by reason."""
        return Counter(self.tally.doubled.values())


def run(row: Row, protected: Protected, data: Mapping[str, Any]) -> Outcome:
    """Let a row happen to a server, and return what was seen; an error on the way is a problem of the row."""
    outcome = Outcome(row, protected.server.debian)
    case: Case | None = None
    before: Processes = {}
    with _noted(outcome.problems):
        before = resources.read(protected.server)
    with _noted(outcome.problems), traffic(protected.server, PAUSE, SESSIONS) as watching:
        case = Case(protected, data, watching)
        time.sleep(CALM)
        gone = _happen(case, row)
        outcome.back = watching.recovered(gone, PATIENCE)
        time.sleep(CALM)
        _act(case, row.after)
    if case:
        outcome.answers = case.watching.answers
        with _noted(outcome.problems):
            outcome.tally = tally.take(protected.server, case.watching.accepted, PATIENCE)
            outcome.grown = resources.growth(before, resources.read(protected.server))
    outcome.judge()
    return outcome


@contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    """Add an error of the block to the problems."""
    try:
        yield
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}"[:2000])


def _happen(case: Case, row: Row) -> float:
    """Do it and undo it; return when the cause was gone, in seconds of `time.monotonic`."""
    try:
        _act(case, row.do)
        time.sleep(row.seconds)
    finally:
        _act(case, row.undo)
    return time.monotonic()


def _act(case: Case, action: Action) -> None:
    if callable(action):
        action(case)
    elif action:
        case.host.exec(f"set -e; {_units(case.host)}; {action}", timeout=300)


def _units(host: Target) -> str:
    """Return the assignments of sh(1) of the units with the processes of Postfix and of the database."""
    return f"postfix={faults.postfix(host)} database={faults.cluster(host)}"


def wait_for_more(case: Case, number: int, timeout: float = PATIENCE) -> None:
    """Wait until so many more messages are accepted."""
    wanted = len(case.watching.accepted) + number
    clients.eventually(lambda: len(case.watching.accepted) >= wanted, "no mail is accepted", timeout)
