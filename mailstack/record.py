"""The results of commands, kept on the host for ``mailstack.status``."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pyinfra import logger
from pyinfra.api.exceptions import OperationError
from pyinfra.context import host

from mailstack.run import current_host, run_script
from mailstack.shell import script


def record(name: str, failures: Iterable[str]) -> None:
    """Keep the result of a command on the current host, and when it was; never fail.

    + name: the name of the command, as ``status.sh`` reads it
    + failures: a line for each
    """
    try:
        said = run_script(current_host(), script("record", name, json.dumps([*failures])))
        problem = "" if said.succeeded else " ".join(said.errors.split())
    except OperationError as error:
        problem = str(error)
    if problem:
        text = f"mailstack.status will not show this result: {problem}"
        host.log_styled(text, fg="yellow", log_func=logger.warning)
