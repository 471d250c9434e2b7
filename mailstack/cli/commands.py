"""Make commands of click from the commands of mailstack."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from mailstack.cli.documentation import documentation
from mailstack.cli.examples import epilog, in_short
from mailstack.cli.options import JSON, arguments, dashed, parameters
from mailstack.cli.start import start
from mailstack.cli.verbs import Verb, find

_BOTH = "Add, change or remove"
LOCAL = "@local"


def command_of(name: str) -> click.Command | None:
    """Return the command behind a word of the command line, if there is one; of several, a group."""
    own, further = find(name.replace("-", "_"))
    if name != dashed(name.replace("-", "_")) or not (own or further):
        return None
    if not further:
        return _command(name, own) if own else None
    module = import_module(next(iter(further.values())).path.rpartition(".")[0])
    group = click.Group(name, help=documentation(module).summary)
    for key, verb in further.items():
        group.add_command(_command(f"{name} {dashed(key)}", verb), dashed(key))
    if own:
        single = _command(name, own)
        group.params, group.help, group.epilog = single.params, single.help, single.epilog
        group.invoke_without_command, group.no_args_is_help = True, False
        group.callback = _unless_further(single.callback)
    return group


def _unless_further(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Call it unless another command follows: click calls a group's callback before that."""

    @click.pass_context
    def call(context: click.Context, /, **values: Any) -> None:
        if context.invoked_subcommand is None and callback:
            callback(**values)

    return call


def _command(name: str, verb: Verb) -> click.Command:
    if not verb.removes:
        return _single(name, verb)
    summary = documentation(verb.function).summary
    kinds = {kind: _single(f"{name} {kind}", verb, kind) for kind in ("add", "remove")}
    return click.Group(name, kinds, help=summary)


def _single(name: str, verb: Verb, kind: str | None = None) -> click.Command:
    """Return one command.

    + kind: ``add`` or ``remove``, for a command that does both
    """
    said = documentation(verb.function)
    removes = kind == "remove"
    summary = said.summary.replace(_BOTH, "Remove" if removes else "Add or change", 1 if kind else 0)
    examples = [
        short for example in said.examples if (short := in_short(example)).startswith(f"mailstack {name}")
    ]

    def call(**values: Any) -> None:
        words, named = arguments(verb, values)
        if removes:
            named["present"] = False
        options = {**values, "yes": values["yes"] or verb.only_looks}
        if values[JSON] and any(one.name == "format" for one in verb.parameters):
            named["format"], options[JSON] = "json", False
        start([verb.path, json.dumps([words, named])], options, LOCAL if verb.needs_no_host else None)

    return click.Command(
        name.rpartition(" ")[2],
        callback=call,
        params=[*parameters(verb, said.parameters, removes=removes)],
        help="\n\n".join([summary, *said.notes]),
        epilog=epilog(examples),
    )
