"""Merge what several components declare, and refuse what disagrees. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from pyinfra.api.exceptions import OperationValueError

V = TypeVar("V")


def merged(kind: str, by_component: Mapping[str, Mapping[str, V]]) -> dict[str, V]:
    """Return all values by their keys.

    + kind: what the keys are names of, for the error
    + by_component: the values of each component, by its name

    Raises ``OperationValueError`` if two components have different values for one key.
    """
    values: dict[str, V] = {}
    owners: dict[str, str] = {}
    for component, own in by_component.items():
        for key, value in own.items():
            if key in values and values[key] != value:
                raise OperationValueError(
                    f"{kind} {key}: {owners[key]} wants {values[key]!r} and {component} wants {value!r}; "
                    "allowed: one of them"
                )
            values.setdefault(key, value)
            owners.setdefault(key, component)
    return values


def in_order(several: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return all names, each once, in the order in which they come."""
    return tuple(dict.fromkeys(name for names in several for name in names))
