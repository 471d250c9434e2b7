"""What the arguments of the operations have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec

from pyinfra.api.arguments_typed import PyinfraOperation
from pyinfra.api.deploy import deploy
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta

P = ParamSpec("P")


def command(function: Callable[P, OperationMeta]) -> PyinfraOperation[P]:
    """Make a function an operation, for the command line and for deploys.

    Called with arguments that it does not have, it raises ``OperationValueError`` with those that it has.
    """

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> OperationMeta:
        try:
            signature(function).bind(*args, **kwargs)
        except TypeError as error:
            raise OperationValueError(f"mailstack.accounts.{_usage(function)}: {error}") from None
        return function(*args, **kwargs)

    return deploy("Accounts")(checked)


def _usage(function: Callable[..., object]) -> str:
    """How it is called: ``user EMAIL [password_from=…] …``."""
    words = [function.__name__]
    for name, parameter in signature(function).parameters.items():
        if parameter.default is Parameter.empty and parameter.kind is not Parameter.VAR_KEYWORD:
            words.append(name.upper())
        elif parameter.kind is not Parameter.VAR_KEYWORD:
            words.append(f"[{name}=…]")
    return " ".join(words)


def true_or_false(**values: object) -> None:
    """Raises ``OperationValueError`` for what is neither."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise OperationValueError(f"{name} = {value!r}: must be true or false")


def given(**values: object) -> dict[str, Any]:
    """Only what was said: a model tells what is enforced from what is a default."""
    return {name: value for name, value in values.items() if value is not None}


def refusal(refused: Mapping[str, object]) -> str:
    """What to say of arguments that there are not."""
    if "password" in refused:
        return (
            "password: never as an argument, because others can see it in the process list, the shell's "
            "history and the output; allowed: password_from=env:NAME, password_from=file:PATH or "
            "password_from=prompt"
        )
    return f"there is no argument {', '.join(sorted(refused))}"
