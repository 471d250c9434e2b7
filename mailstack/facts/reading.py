"""Read a host's state: everything that the operations of a run need, in one command.

A round trip costs more than the data, so operations don't ask pyinfra for one fact after the other. Each
operation *announces* its questions while the deploy is prepared. The first one that is executed reads all
announced questions at once, and the others find their answers there. Answers are dropped when any operation
has changed the host, also one from outside mailstack. The next operation that needs an answer reads
everything that it and the following ones have announced.

Questions of several operations by the same fact, such as the files of all components, become one question.
So they cost no further processes.

Conditions for any change are read in the same way: see ``require``.

A run that lost its connection may still be moving files into place, so the reading waits for that.

Answers may contain secrets, so they are never printed, at any ``-v``.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import FactProcessError, OperationError

from mailstack import run
from mailstack.facts.fact import Question
from mailstack.operation import reason
from mailstack.run import Moment, Turn, connector_arguments, current_host, run_script

if TYPE_CHECKING:
    from pyinfra.api.host import Host

A = TypeVar("A")

LOCK = "/var/lib/mailstack/lock"
"""The lock that ``apply.sh`` holds while it replaces files."""

_NOT_ROOT = (
    "mailstack needs root, and pyinfra runs as the user with the number {} on this host: connect as root, or "
    'give the host `"_sudo": True` in the inventory, or `--sudo` on the command line'
)
_NOT_ROOTS = (
    "mailstack needs root, and pyinfra runs as the user with the number {} on this host, because of {} = {!r}"
    "; allowed: 'root', or no {}"
)
_Ask = Callable[[Sequence[Any]], str]
"""See ``Question.ask``: questions with the same function are asked by one command."""


class _Requirement(NamedTuple):
    """A question, and the function that returns the error for a bad answer."""

    question: Question[Any]
    problem: Callable[[Any], str | None]


class _Answer(NamedTuple):
    """The output of a command, and its subjects."""

    ask: _Ask
    about: frozenset[Any]
    output: str


@dataclass
class _Readings:
    """The answers of one host."""

    announced: Counter[Question[Any]] = field(default_factory=Counter)
    answers: list[_Answer] = field(default_factory=list)
    moment: Moment = field(default_factory=lambda: Moment(executing=False, changes=0))
    required: list[_Requirement] = field(default_factory=list)
    checked: tuple[bool, int] = (False, 0)
    """The phase, and the number of requirements that were checked in it."""
    turn: Turn = field(default_factory=Turn)
    """Held while the host is asked: hundreds of others may want to know something of it at once, and sshd(8)
    has ten sessions for a connection (``MaxSessions``)."""
    refused: str | None = None
    """The error of a requirement, kept because with pyinfra's ``_ignore_errors`` operations go on reading."""

    def output_for(self, question: Question[Any]) -> str | None:
        """Return the output that covers all subjects of ``question``, if there is one."""
        for answer in self.answers:
            if answer.ask == question.ask and answer.about.issuperset(question.about):
                return answer.output
        return None

    def unchecked(self) -> list[_Requirement]:
        """Return the requirements that were not checked in this phase, and count them as checked."""
        executing, before = self.moment.executing, self.checked
        start = before[1] if before[0] == executing else 0
        self.checked = (executing, len(self.required))
        return self.required[start:]


_of_hosts: WeakKeyDictionary[Host, _Readings] = WeakKeyDictionary()


def announce(*questions: Question[Any], of: Host | None = None) -> None:
    """Announce that an operation of this run will need these answers.

    + of: the host that has them, by default the current one
    """
    readings = _of_hosts.setdefault(of or current_host(), _Readings())
    readings.announced.update(questions)


def require(question: Question[A], problem: Callable[[A], str | None]) -> None:
    """Check something before any operation of this run changes the current host.

    + question: the question, announced here, so that it costs no command of its own
    + problem: a function that returns the error for the answer, or ``None``

    The first reading of the run checks all requirements. If one is not met, each reading of this run raises
    ``OperationError``, so that the host stays unchanged.
    """
    announce(question)
    _of_hosts[current_host()].required.append(_Requirement(question, problem))


def read(question: Question[A], host: Host | None = None) -> A:
    """Return the answer to ``question``, from the current host or from the one given.

    Raises ``OperationError`` if the host can't be asked or its answer can't be parsed, with the name of
    another host. Raises it too if the current host does not meet a requirement.
    """
    host = host or current_host()
    readings = _now(host)
    if host.name == current_host().name:
        _check(host, readings, question)
        return _answer(host, readings, question)
    try:
        return _answer(host, readings, question)
    except Exception as error:
        raise OperationError(f"{host.name} could not be asked: {reason(error)}") from None


@contextmanager
def together() -> Iterator[None]:
    """Read all that is announced inside by one command, at the end, also while the run is prepared.

    Raises ``OperationError`` if the current host can't be asked.
    """
    host = current_host()
    readings = _now(host)
    before, readings.announced = readings.announced, Counter()
    try:
        yield
        _know(host, readings, readings.announced)
    finally:
        readings.announced = before


def _now(host: Host) -> _Readings:
    """Return the readings of a host, without answers from before its last change."""
    readings = _of_hosts.setdefault(host, _Readings())
    moment = run.moment(host)
    if readings.moment != moment:
        if readings.moment.executing != moment.executing:
            readings.refused = None
        readings.answers.clear()
        readings.moment = moment
    return readings


def forget() -> None:
    """Drop the answers of the current host, which the operation that runs has changed."""
    _of_hosts[current_host()].answers.clear()


def was_checked(host: Host) -> bool:
    """Return whether all requirements of ``host`` were checked in this phase of the run."""
    readings = _of_hosts.get(host, _Readings())
    return readings.checked == (run.moment(host).executing, len(readings.required))


def _check(host: Host, readings: _Readings, wanted: Question[Any]) -> None:
    """Raise ``OperationError`` if a requirement is not met; ``wanted`` is read along with them."""
    if readings.refused:
        raise OperationError(readings.refused)
    if not (unchecked := readings.unchecked()):
        return
    _know(host, readings, [*(requirement.question for requirement in unchecked), wanted])
    wrong = [requirement.problem(_answer(host, readings, requirement.question)) for requirement in unchecked]
    if problems := "; ".join(dict.fromkeys(filter(None, wrong))):
        readings.refused = problems
        raise OperationError(problems)


def _know(host: Host, readings: _Readings, questions: Iterable[Question[Any]]) -> None:
    """Read those that are not known, and in an operation all announced questions too."""
    with readings.turn:
        if unknown := [each for each in questions if readings.output_for(each) is None]:
            announced = readings.announced if readings.moment.executing else ()
            readings.answers += _ask(host, [*announced, *unknown])


def _answer(host: Host, readings: _Readings, question: Question[A]) -> A:
    _know(host, readings, [question])
    if readings.moment.executing:
        readings.announced -= Counter([question])  # later operations may have announced it too
    try:
        return question.answer(readings.output_for(question) or "")
    except FactProcessError as error:
        raise OperationError(str(error)) from None


def _ask(host: Host, questions: Iterable[Question[Any]]) -> list[_Answer]:
    """Ask everything in one command, which prints one line of base64; packed, as it may be megabytes."""
    asked: dict[_Ask, dict[Any, None]] = {}
    for question in questions:
        asked.setdefault(question.ask, {}).update(dict.fromkeys(question.about))
    script = _all_at_once(ask(tuple(about)) for ask, about in asked.items())
    undisturbed = f"if [ -e {LOCK} ]; then flock -s -w 300 {LOCK} true; fi"
    done = run_script(
        host, f"{{ id -u; printf '\\0'; {undisturbed}; {script}; }} 2>/dev/null | gzip -1 | base64 -w0; echo"
    )
    answers = _decoded(done.output).split("\0")
    if not done.succeeded or len(answers) != len(asked) + 2:
        silent = "its answer is not complete" if done.succeeded else "the command failed and printed no error"
        raise OperationError(
            f"could not read the state of the host: {' '.join(done.errors.split()) or silent}"
        )
    if (uid := answers[0].strip()) != "0":
        raise OperationError(_not_root(uid, connector_arguments(host)))
    return [
        _Answer(ask, frozenset(about), answer)
        for (ask, about), answer in zip(asked.items(), answers[1:-1], strict=True)
    ]


def _decoded(output: str) -> str:
    """Return the text in a line of base64, nothing if the line is cut off."""
    try:
        return gzip.decompress(base64.b64decode(output)).decode(errors="surrogateescape")
    except (EOFError, OSError, binascii.Error, zlib.error):
        return ""


def _not_root(uid: str, arguments: Mapping[str, Any]) -> str:
    """Return the error message, without a hint to ``_sudo`` if another user was named."""
    for name in ("_sudo_user", "_doas_user", "_dzdo_user", "_su_user"):
        if arguments.get(name) not in (None, "root"):
            return _NOT_ROOTS.format(uid, name, arguments[name], name)
    return _NOT_ROOT.format(uid)


def _all_at_once(commands: Iterable[str]) -> str:
    """Return a script that runs all commands in parallel, and prints each output in order, with a NUL."""
    script = ""
    for command in commands:
        one = f"{{ ( {command}\n); printf '\\0'; }} </dev/null"
        # the output waits in the pipe until the commands before it have printed theirs
        script = f"{one} | {{ {script}; cat; }}" if script else one
    return script
