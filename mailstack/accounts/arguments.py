"""What the arguments of the operations have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyinfra.api.exceptions import OperationValueError


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
