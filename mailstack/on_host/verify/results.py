"""The results of checks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

OK, FAILED, WARNING, SKIPPED = "ok", "failed", "warning", "skipped"


class Problem(Exception):  # noqa: N818  it is no error of this program
    """The reason why a check failed, and what a person can do."""

    state = FAILED

    def __init__(self, text: str, advice: str = "") -> None:
        super().__init__(text)
        self.text, self.advice = text, advice


class Doubt(Problem):
    """A state that works, but that a person should know."""

    state = WARNING


class Skip(Problem):
    """The reason why a check makes no sense on this host."""

    state = SKIPPED


@dataclass
class Result:
    """What a check found.

    + group: the kind of check: ``maps``, ``mail``, …
    + title: the statement that it proves
    + state: ``ok``, ``failed``, ``warning`` or ``skipped``
    + text: what was seen
    + advice: what a person can do
    + seconds: how long it took
    """

    group: str
    title: str
    state: str
    text: str = ""
    advice: str = ""
    seconds: float = 0.0


class Report:
    """The results so far. Checks run in several threads."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._lock = threading.Lock()

    def check(self, group: str, title: str, run: Callable[[], str | None], advice: str = "") -> bool:
        """Run a check, record what it found, and return whether it passed.

        + run: returns what was seen, or raises ``Problem``
        + advice: what a person can do if it fails, unless the problem says it
        """
        start = time.monotonic()
        result = Result(group, title, OK)
        try:
            result.text = run() or ""
        except Problem as problem:
            result.state, result.text = problem.state, problem.text
            result.advice = "" if problem.state == SKIPPED else problem.advice or advice
        except Exception as error:  # whatever it is, the other checks go on
            result.state, result.text, result.advice = FAILED, shown(error), advice
        result.seconds = round(time.monotonic() - start, 3)
        with self._lock:
            self.results.append(result)
        return result.state != FAILED

    def failed(self, group: str, title: str, error: Exception, advice: str) -> None:
        """Note that a check ended with an error."""

        def ended() -> str:
            raise error

        self.check(group, title, ended, advice)

    def guarded(self, group: str, task: Callable[[], object]) -> None:
        """Do several checks. What ends them early is a failure of theirs alone: all others go on."""
        try:
            task()
        except Exception as error:
            module = getattr(task, "func", task).__module__.rpartition(".")[2]
            advice = "if you can't fix that, please report it as a fault of mailstack"
            self.failed(group, f"the checks of {module} come to an end", error, advice)


def shown(error: BaseException) -> str:
    """Return an error as one line."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(said.split()) or type(error).__name__
