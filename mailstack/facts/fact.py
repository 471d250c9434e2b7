"""The base classes of mailstack's facts: pyinfra runs each alone, and a deploy reads many at once.

A question whose answer may contain a secret is not a fact, because pyinfra prints facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from mailstack.operation import reason

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Names = str | int | Iterable[str | int]
"""One name or several."""


def listed(names: Names) -> tuple[str, ...]:
    """Return the names as text; pyinfra's command line converts digits to a number."""
    return tuple(map(str, [names] if isinstance(names, str | int) else names))


class Question(Generic[T_co]):
    """A question to a host. ``facts.reading`` asks all questions with the same ``ask`` by one command.

    A subclass also has a method ``command``, which takes the arguments and calls ``asking``.

    + about: the subjects, such as paths or names of units, which ``command`` makes from its arguments
    """

    about: tuple[Any, ...] = ()
    command: Callable[..., str]

    @staticmethod
    def ask(about: Sequence[Any]) -> str:
        """Return a shell command that reads the state of these subjects, on a host in any state."""
        raise NotImplementedError

    def parse(self, output: str) -> T_co:
        """Return the answer for ``about`` from the command's standard output, which may have more."""
        raise NotImplementedError

    def asking(self, about: Iterable[Any]) -> str:
        """Store the subjects, and return the shell command that asks this question alone.

        The command succeeds on every host: pyinfra drops a host on which the command of a fact fails.
        """
        self.about = tuple(about)
        return f"( {self.ask(self.about)}\n) 2>/dev/null </dev/null; true"

    @classmethod
    def of(cls, *args: Any, **kwargs: Any) -> Self:
        """Return the question with these arguments of ``command``."""
        question = cls()
        question.command(*args, **kwargs)
        return question

    def answer(self, output: str) -> T_co:
        """Return the answer in the command's standard output."""
        return self.parse(output)

    def __eq__(self, other: object) -> bool:
        """Return whether both ask the same, even if they parse the answer differently."""
        return isinstance(other, Question) and (self.ask, self.about) == (other.ask, other.about)

    def __hash__(self) -> int:
        """Return the same hash for questions that ask the same."""
        return hash((self.ask, self.about))


class Fact(Question[T], FactBase[T]):
    """A question that is a fact of pyinfra too: ``host.get_fact(UnitStates, units=["postfix"])``."""

    abstract = True

    def answer(self, output: str) -> T:
        """Return the answer. Raises ``FactProcessError``, the only error of facts that pyinfra handles."""
        try:
            return self.parse(output)
        except FactProcessError:
            raise
        except Exception as error:
            raise FactProcessError(reason(error)) from None

    def process(self, output: list[str]) -> T:
        """Return the answer in these lines, for pyinfra."""
        return self.answer("".join(f"{line}\n" for line in output))


@dataclass(frozen=True)
class Value:
    """The base of frozen dataclasses that facts return. ``pyinfra HOST fact …`` prints them as JSON."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields by their names, for pyinfra."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()
        }
