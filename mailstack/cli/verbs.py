"""Find the commands of mailstack: what ``pyinfra INVENTORY mailstack.NAME`` can call."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from types import ModuleType
from typing import NamedTuple, TypeGuard

import mailstack
from mailstack.operation import marked
from mailstack.run import is_called_by_pyinfra

ACCOUNTS = "accounts"
"""The module whose commands need no name of a module before them: ``mailstack list``."""


class Verb(NamedTuple):
    """A command of mailstack.

    + path: the name by which pyinfra finds it, such as ``mailstack.accounts.user``
    + function: the operation or deploy
    """

    path: str
    function: Callable[..., object]

    @property
    def parameters(self) -> list[Parameter]:
        """Its own parameters, without those that pyinfra takes for every operation."""
        every = signature(self.function).parameters.values()
        return [one for one in every if one.kind is not Parameter.VAR_KEYWORD]

    @property
    def removes(self) -> bool:
        """Whether it also removes what it adds, with ``present=false``."""
        return any(one.name == "present" for one in self.parameters)

    @property
    def only_looks(self) -> bool:
        """Whether it changes nothing, so that there is nothing to ask before it."""
        return marked(self.function, "only_looks")

    @property
    def needs_no_host(self) -> bool:
        """Whether it runs on this machine alone, and needs no inventory."""
        return marked(self.function, "needs_no_host")


class Found(NamedTuple):
    """The commands behind a word of the command line.

    + own: the command of that name, if there is one
    + further: commands that follow the word, by their names in Python
    """

    own: Verb | None
    further: dict[str, Verb]


def find(name: str) -> Found:
    """Return the commands behind a word, by its name in Python; it may have none."""
    further = dict(_of_module(name)) if name != ACCOUNTS else {}
    own = _top().get(name) or further.get(name)
    further.pop(name, None)  # mailstack.verify.verify is mailstack.verify
    return Found(own, further)


def names() -> list[str]:
    """Return the first words of all commands, by their names in Python."""
    modules = {module.name for module in pkgutil.iter_modules(mailstack.__path__)}
    return sorted(name for name in _top().keys() | modules if any(find(name)))


@cache
def _top() -> dict[str, Verb]:
    """Return the commands that a single word names: those of ``mailstack`` itself, and of accounts."""
    own = {name: getattr(mailstack, name) for name in mailstack.__all__}
    found = {name: Verb(f"mailstack.{name}", one) for name, one in own.items() if _is_verb(one)}
    return {**_of_module(ACCOUNTS), **found}


@cache
def _of_module(name: str) -> dict[str, Verb]:
    """Return the commands of a module or package directly below ``mailstack``, if there is one."""
    path = f"mailstack.{name}"
    if name.startswith("_") or not find_spec(path):
        return {}
    return {key: Verb(f"{path}.{key}", one) for key, one in _public(import_module(path)) if _is_verb(one)}


def _public(module: ModuleType) -> Iterator[tuple[str, object]]:
    for name in getattr(module, "__all__", vars(module)):
        one = getattr(module, name)
        if not name.startswith("_") and getattr(one, "__module__", "").startswith(module.__name__):
            yield name, one


def _is_verb(one: object) -> TypeGuard[Callable[..., object]]:
    """Return whether this is a command: what takes ``settings`` belongs into a deploy in Python."""
    return (
        callable(one)
        and is_called_by_pyinfra(one)
        and next(iter(signature(one).parameters), "") != "settings"
    )
