"""Write commands of pyinfra as the console command takes them, and the examples of its help."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from inspect import Parameter

from mailstack.cli.options import dashed, is_several, is_word
from mailstack.cli.verbs import ACCOUNTS, find


def epilog(examples: Iterable[str]) -> str | None:
    """Return the end of a command's help, if there are examples.

    The backspace keeps click from joining the lines.
    """
    lines = [f"  {example}" for example in examples]
    return "\n".join(["\b", "Examples:", *lines]) if lines else None


def in_short(command: str) -> str:
    """Return the command of ``mailstack`` that does the same as one of pyinfra.

    + command: such as ``pyinfra -y INVENTORY mailstack.accounts.list users over=80``

    Raises ``ValueError`` for a command that mailstack does not have.
    """
    path, *given = shlex.split(command[command.index("mailstack.") :], comments=True)
    first, *further = path.split(".")[1:]
    if first == ACCOUNTS:
        first, *further = further
    found = find(first)
    verb = found.further.get(further[0]) if further else found.own
    if verb is None:
        raise ValueError(f"there is no command {path}")
    named = dict(text.split("=", 1) for text in given if "=" in text)
    names = [dashed(name) for name in (first, *further)]
    if verb.removes:
        names.append("remove" if named.pop("present", "true") == "false" else "add")
    parameters = {one.name: one for one in verb.parameters}
    words = [text for text in given if "=" not in text]
    words += [named.pop(name) for name in [*named] if is_word(parameters[name])]
    options = [text for name, value in named.items() for text in _option(parameters[name], value)]
    return shlex.join(["mailstack", *names, *_words(words), *options])


def _words(words: list[str]) -> Iterator[str]:
    """Yield the words without a name; pyinfra takes several for one parameter as a JSON list."""
    for word in words:
        yield from json.loads(word) if word.startswith("[") else [word]


def _option(parameter: Parameter, value: str) -> Iterator[str]:
    if (parameter.name, value) == ("format", "json"):
        yield "--json"
    elif value in ("true", "false"):
        yield f"--{'' if value == 'true' else 'no-'}{dashed(parameter.name)}"
    else:
        for one in json.loads(value) if is_several(parameter) and value.startswith("[") else [value]:
            yield from (f"--{dashed(parameter.name)}", one)
