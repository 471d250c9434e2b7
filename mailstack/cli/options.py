"""Make the words and options of a command from the parameters of its function."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any

import click

from mailstack.cli.verbs import Verb

JSON = "json_output"
"""The name of ``--json`` in what click hands over."""

SHARED = (
    click.Option(
        ["--inventory"],
        metavar="FILE",
        envvar="MAILSTACK_INVENTORY",
        show_envvar=True,
        help="The inventory; without it, inventory.py in the working folder.",
    ),
    click.Option(["--limit"], multiple=True, metavar="NAME", help="Only this host or group; repeatable."),
    click.Option(["--dry"], is_flag=True, help="Only show what would change."),
    click.Option(["--diff"], is_flag=True, help="Show the changes of files."),
    click.Option(["-y", "--yes"], is_flag=True, help="Do not ask before changes."),
    click.Option(["-v", "--verbose"], count=True, help="Say more; -vv and -vvv still more."),
    click.Option(["--json", JSON], is_flag=True, help="Print JSON on standard output."),
)
"""The options of all commands: pyinfra's own, and the place of the inventory."""


def dashed(name: str) -> str:
    """Return a name of Python as it is written on the command line."""
    return name.replace("_", "-")


def is_word(parameter: Parameter) -> bool:
    """Return whether a parameter is a word without a name on the command line; others are options."""
    return parameter.kind is not Parameter.KEYWORD_ONLY and not _is_bool(parameter)


def is_several(parameter: Parameter) -> bool:
    """Return whether a parameter takes several values."""
    return parameter.kind is Parameter.VAR_POSITIONAL or "list[" in str(parameter.annotation)


def parameters(verb: Verb, described: Mapping[str, str], *, removes: bool) -> Sequence[click.Parameter]:
    """Return click's parameters for a command.

    + described: the text of the docstring for each parameter
    + removes: whether the command removes. Then it has no option for what is added: their default is none
    """
    own = [one for one in verb.parameters if one.name != "present"]
    if removes:
        own = [one for one in own if is_word(one) or one.default not in (None, ())]
    return [*(_word(one) if is_word(one) else _option(one, described) for one in own), *SHARED]


def _word(parameter: Parameter) -> click.Argument:
    required = parameter.default is Parameter.empty and parameter.kind is not Parameter.VAR_POSITIONAL
    return click.Argument([parameter.name], required=required, nargs=-1 if is_several(parameter) else 1)


def _option(parameter: Parameter, described: Mapping[str, str]) -> click.Option:
    name = dashed(parameter.name)
    text = described.get(parameter.name, "")
    if _is_bool(parameter):
        both = parameter.default is not False
        written = f"--{name}/--no-{name}" if both else f"--{name}"
        return click.Option([written], is_flag=True, default=None, help=text)
    return click.Option(
        [f"--{name}"],
        required=parameter.default is Parameter.empty,
        multiple=is_several(parameter),
        type=click.INT if re.search(r"\bint\b", str(parameter.annotation)) else click.STRING,
        help=text,
    )


def _is_bool(parameter: Parameter) -> bool:
    return bool(re.search(r"\bbool\b", str(parameter.annotation)))


def arguments(verb: Verb, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call of the function: those that were given on the command line."""
    given = {name: value for name, value in values.items() if value is not None and value != ()}
    words: list[Any] = []
    named: dict[str, Any] = {}
    for one in verb.parameters:
        if one.name not in given:
            continue
        if one.kind is Parameter.VAR_POSITIONAL:
            words += given[one.name]
        else:
            named[one.name] = given[one.name]
    return words, named
