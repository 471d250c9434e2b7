"""Pydantic's errors in the terms of the inventory.

A message names the setting, its value (unless it is or may contain a secret) and the allowed values.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pyinfra.api.exceptions import OperationValueError

_PLAIN = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "tuple_type": "must be a list",
    "dict_type": "must be a dictionary",
    "model_type": "must be a dictionary",
    "too_short": "must not be empty",
}


class Allowed(NamedTuple):
    """Metadata of a field's type: the values that it accepts, for error messages and for the reference."""

    text: str


class Problem(NamedTuple):
    """One problem of the settings. ``location`` is a path like ``("mail_users", 2, "email")``."""

    location: tuple[int | str, ...]
    text: str

    def __str__(self) -> str:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{_line(step)}" for step in self.location)
        return f"{path.lstrip('.')}{self.text}" if path else self.text


def _line(key: str) -> str:
    """Return a key of a dictionary as a part of one line."""
    return key if key.isprintable() else repr(key)


class SettingsError(OperationValueError):
    """Raised for misspelt or impossible settings; pyinfra prints the message and stops.

    + host: the host with these settings, if known, as an inventory may have many
    """

    def __init__(self, problems: Sequence[Problem], host: str | None = None) -> None:
        self.problems = tuple(problems)
        text = "; ".join(str(problem) for problem in problems)
        super().__init__(f"{host}: {text}" if host else text)


def settings_error(model: type[BaseModel], error: ValidationError) -> SettingsError:
    """Return the same error without values that may be secret. Raise it ``from None``."""
    return SettingsError([p for detail in error.errors(include_url=False) for p in _problems(model, detail)])


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` with the most similar name, or an empty text."""
    known = list(names)
    # preferred to similar spelling: "password" means initial_password, not password_hash
    close = [one for one in known if one.endswith(f"_{name}")]
    close += difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _problems(model: type[BaseModel], detail: ErrorDetails) -> list[Problem]:
    location, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        name = str(location[-1])
        return [Problem(location, f": there is no such setting{nearest(name, model.model_fields)}")]
    if kind == "missing":
        return [Problem(location, f": is required: {_allowed(model, location)}")]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, SettingsError):  # a model within this one has described its own problems
        return [Problem(location + inner.location, inner.text) for inner in cause.problems]
    text = (
        str(cause)
        if isinstance(cause, ValueError)
        else _PLAIN.get(kind, detail["msg"].replace("Input should", "must", 1))
    )
    if not location:  # a rule about several settings names them itself
        return [Problem((), text)]
    allowed = _allowed(model, location)
    value = "" if _may_be_secret(model, location) else _shown(detail["input"])
    if location[-1] == "[key]":  # pydantic's mark for a dictionary's key, after the key
        location, value = location[:-2], f": the key {location[-2]!r}"
    return [Problem(location, f"{value}: {text}" + (f"; allowed: {allowed}" if allowed else ""))]


def _shown(value: object) -> str:
    """Return a simple value as text; for lists and dictionaries the message names the element."""
    if isinstance(value, str) and ("\n" in value or len(value) > 300):
        return ""
    return f" = {value!r}" if value is None or isinstance(value, (bool, int, float, str)) else ""


def _allowed(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    field = model.model_fields.get(str(location[0]))
    return "" if field is None else allowed(field)


def _may_be_secret(model: type[BaseModel], location: tuple[int | str, ...]) -> bool:
    field = model.model_fields.get(str(location[0]))
    return field is None or contains_secret(field.annotation)


def allowed(field: FieldInfo) -> str:
    """Return the allowed values that the field's type states, or an empty text."""
    optional = [part for option in get_args(field.annotation) for part in get_args(option)]
    texts = [part.text for part in (*field.metadata, *optional) if isinstance(part, Allowed)]
    return texts[0] if texts else ""


def contains_secret(annotation: object) -> bool:
    """Return whether a value of this type is or contains a secret."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(contains_secret(field.annotation) for field in annotation.model_fields.values())
    return annotation is SecretStr or any(contains_secret(part) for part in get_args(annotation))
