"""Operations whose errors fail the current host with one line, and no other host.

pyinfra ends the run of every host, with a traceback, if a generator of commands raises an error.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from pyinfra import logger
from pyinfra.api.command import FunctionCommand, PyinfraCommand
from pyinfra.api.exceptions import OperationError, OperationValueError, PyinfraError
from pyinfra.api.operation import operation as pyinfra_operation
from pyinfra.context import host

from mailstack import run

if TYPE_CHECKING:
    from pyinfra.api.arguments_typed import PyinfraOperation
    from pyinfra.api.host import Host
    from pyinfra.api.state import State

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parent
_warned: WeakKeyDictionary[Host, set[str]] = WeakKeyDictionary()


def operation(function: Callable[P, Generator[PyinfraCommand]]) -> PyinfraOperation[P]:
    """Make a pyinfra operation from a generator of commands. Any error in it fails the current host.

    While the run is prepared (``--dry``, or without ``-y``), it raises ``OperationError`` with the host's
    name, which ends the run before anything is changed.
    """

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Generator[PyinfraCommand]:
        try:
            with naming_the_host():
                _check_arguments(function, args, kwargs)
                yield from function(*args, **kwargs)
        except Exception as error:
            if not run.is_executing():
                raise
            yield _failure(reason(error))

    return pyinfra_operation()(guarded)


def refused_by(check: Callable[..., object]) -> Callable[[F], F]:
    """Check the arguments of an operation as it is called, before a host is asked.

    With ``-y``, pyinfra runs the operation itself only as it is executed: a refusal would be a failed host.

    + check: takes the operation's own arguments, and raises ``OperationValueError`` for those it refuses
    """

    def decorate(made: F) -> F:
        own = signature(check)

        @wraps(made)
        def called(*args: Any, **given: Any) -> Any:
            try:
                bound = own.bind(
                    *args, **{name: given[name] for name in given.keys() & own.parameters.keys()}
                )
            except TypeError:  # the operation says what it takes
                return made(*args, **given)
            check(*bound.args, **bound.kwargs)
            return made(*args, **given)

        return cast("F", called)

    return decorate


def only_looks(function: F) -> F:
    """Mark a command that changes nothing: the console command asks no question before it."""
    return _mark(function, "only_looks")


def needs_no_host(function: F) -> F:
    """Mark a command that only looks, from the machine that runs pyinfra: it needs no inventory."""
    return _mark(only_looks(function), "needs_no_host")


def _mark(function: F, mark: str) -> F:
    vars(function)[mark] = True  # `wraps` copies it
    return function


def marked(function: Callable[..., object], mark: str) -> bool:
    """Return whether a command has a mark: ``only_looks`` or ``needs_no_host``."""
    return bool(getattr(function, mark, False))


def _check_arguments(
    function: Callable[..., object], args: Sequence[object], given: dict[str, object]
) -> None:
    """Raise ``OperationValueError`` for arguments that a function does not take."""
    try:
        signature(function).bind(*args, **given)
    except TypeError as error:
        command = f"{function.__module__.removesuffix('.commands')}.{function.__name__}"
        usage = [
            each.name.upper() if each.default is each.empty else f"[{each.name}=…]"
            for each in signature(function).parameters.values()
        ]
        raise OperationValueError(f"{' '.join([command, *usage])}: {error}") from None


def warn_once(text: str) -> None:
    """Say once in a run why an operation leaves something undone: pyinfra shows a noop only with ``-v``."""
    said = _warned.setdefault(run.current_host(), set())
    if text not in said:
        said.add(text)
        host.log_styled(text, fg="yellow", log_func=logger.warning)


@contextmanager
def naming_the_host() -> Iterator[None]:
    """Add the host's name to an error while the run is prepared, as pyinfra does not."""
    try:
        yield
    except Exception as error:
        if run.is_executing():
            raise
        raise OperationError(f"{run.current_host().name}: {reason(error)}") from None


def reason(error: Exception) -> str:
    """Return the error as one line.

    For an unexpected error it gives only the kind and the place, as its text may contain a secret.
    """
    if isinstance(error, PyinfraError):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    inner = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)] or frames
    place = f"{Path(inner[-1].filename).name}, line {inner[-1].lineno}"
    return f"unexpected {type(error).__name__} in {place}: please report this as a fault of mailstack"


def _failure(text: str) -> PyinfraCommand:
    def fail() -> None:
        raise OperationError(text)

    return local_command(fail)


def local_command(function: Callable[[], None]) -> FunctionCommand:
    """Return the command that calls ``function`` on the machine that runs pyinfra.

    An error in it fails the host with one line: pyinfra itself would print a traceback.
    """

    def call(state: State, host: Host) -> bool:  # pyinfra passes these by name
        try:
            function()
        except Exception as error:
            host.log_styled(reason(error), fg="red", log_func=logger.error)
            return False
        return True

    return FunctionCommand(call, (), {})
