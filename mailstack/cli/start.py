"""Start pyinfra for a command, with the inventory of the working folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from mailstack import run
from mailstack.cli.options import JSON

INVENTORY, DEPLOY = "inventory.py", "deploy.py"


def start(what: Sequence[str], options: Mapping[str, Any], inventory: str | None = None) -> NoReturn:
    """Run pyinfra, and end the program with its exit status: ``run.command_line`` says which.

    + what: what follows the inventory on pyinfra's command line
    + options: the values of the shared options (``options.SHARED``)
    + inventory: the inventory to take if ``options`` have none, instead of that of the working folder

    Raises ``click.UsageError`` if there is no inventory, or no terminal for pyinfra's question.
    """
    place = options["inventory"] or inventory or _here(INVENTORY, "--inventory names another")
    if not (options["yes"] or options["dry"] or has_terminal()):
        raise click.UsageError("there is no terminal to ask at: -y makes the changes, --dry only shows them")
    switches = [f"--{name}" for name in ("dry", "diff", "yes") if options[name]]
    switches += ["--json"] * options[JSON]
    switches += ["-v"] * options["verbose"]
    switches += [f"--limit={name}" for name in options["limit"]]
    switches += ["--serial", "--fail-percent=0"] * bool(options.get("serial"))  # the first failure ends it
    sys.exit(run.command_line([*switches, "--", place, *what]))


def deploys(given: Sequence[str], inventory: str | None) -> list[str]:
    """Return the deploys to run: without given ones ``deploy.py``, here or beside the inventory.

    Raises ``click.UsageError`` if one does not exist.
    """
    beside = Path(inventory).with_name(DEPLOY) if inventory else Path(DEPLOY)
    if not given and not Path(DEPLOY).exists() and beside.exists():
        return [str(beside)]
    return [_here(name, "name another") for name in given or [DEPLOY]]


def has_terminal() -> bool:
    """Return whether somebody can answer."""
    return sys.stdin.isatty()


def _here(name: str, advice: str) -> str:
    if not Path(name).is_file():
        raise click.UsageError(
            f"there is no {name} in {Path.cwd()}: `mailstack init` makes one, and {advice}"
        )
    return name
