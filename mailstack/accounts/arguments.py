"""Checks of the arguments of account operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypeVar, cast

from pyinfra.api.deploy import deploy
from pyinfra.api.exceptions import OperationValueError

from mailstack.settings.errors import nearest

P = ParamSpec("P")
R = TypeVar("R")
Function = Callable[..., object]


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function a command about accounts: an operation, or one that prints."""
    return arguments_checked("mailstack.accounts", "Accounts")(function)


def arguments_checked(package: str, title: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a command, for the command line and for deploys.

    Called with unknown arguments, it raises ``OperationValueError`` that lists the known ones. pyinfra
    removes its own arguments before it calls the function. They are in the signature for type checkers only:
    pyinfra's own type of an operation takes no argument by position.

    + package: the package in which the command line finds it
    + title: the title in pyinfra's output
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                if problem := _problem(function, args, kwargs):
                    raise TypeError(problem)
                signature(function).bind(*args, **kwargs)
            except TypeError as error:
                raise OperationValueError(f"{package}.{_usage(function)}: {error}") from None
            return function(*args, **kwargs)

        return cast("Callable[P, R]", deploy(title)(checked))

    return decorate


def _problem(function: Function, args: Sequence[object], kwargs: Mapping[str, object]) -> str | None:
    """Return the problem with the arguments, for those where the message of ``bind`` does not help."""
    parameters = _parameters(function)
    positional = [one for one in parameters if one.kind is not Parameter.KEYWORD_ONLY]
    names = [one.name for one in parameters]
    if "password" in kwargs and "password_from" in names:
        return (
            "password: never as an argument, because others can see it in the process list, the shell's "
            "history and the output; allowed: option password_from with env:NAME, file:PATH, stdin or prompt"
        )
    if unknown := sorted(kwargs.keys() - set(names)):
        close = nearest(unknown[0], names)
        no_name = not unknown[0].isidentifier() or not args
        if positional and no_name and not close:  # SRS0=x@example.org: pyinfra divides at the sign
            close = f"; for a value with = in it write {positional[0].name}={unknown[0]}=…"
        return f"there is no argument {unknown[0]}{close}"
    if len(args) <= len(positional):
        return None
    message = "too many arguments without a name"  # not quoted, as one of them may be a password
    if "list[" in str(positional[-1].annotation):
        listed = json.dumps([str(address) for address in args[len(positional) - 1 :]])
        message += (
            f"; several {positional[-1].name} are one list: {listed}, in single quotes on the command line"
        )
    return message


def _parameters(function: Function) -> list[Parameter]:
    """Return the operation's own parameters, without pyinfra's."""
    return [one for one in signature(function).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]


def _usage(function: Function) -> str:
    """Return the synopsis of a command: ``user EMAIL [password_from=…] …``."""
    return " ".join(
        [
            function.__name__,
            *(
                one.name.upper() if one.default is Parameter.empty else f"[{one.name}=…]"
                for one in _parameters(function)
            ),
        ]
    )


def true_or_false(**values: object) -> None:
    """Raise ``OperationValueError`` for a value that is neither true, false nor ``None``."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise OperationValueError(f"{name} = {value!r}: must be true or false")


def given(**values: object) -> dict[str, Any]:
    """Return the arguments that are not ``None``: a model enforces only the fields that it was given."""
    return {name: value for name, value in values.items() if value is not None}
