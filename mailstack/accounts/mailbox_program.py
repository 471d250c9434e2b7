"""Run a program on the mail of one user, on the host with the mail."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mailstack.programs import archive
from mailstack.run import Said, current_host, run_script
from mailstack.shell import script


def run(command: str, program: ModuleType, plan: Mapping[str, Any], *, shows: bool = False) -> Said:
    """Run a program of ``mailstack.on_host`` on the current host; see ``mailstack/shell/mailbox_program.sh``.

    + command: the name of the command, of which one at a time runs on a host
    + plan: what the program reads as JSON; others on the host can't read it
    + shows: whether the program's output is printed, line by line
    """
    encoded = base64.b64encode(json.dumps(plan, ensure_ascii=False).encode()).decode()
    text = script("mailbox_program", command, archive(program), encoded)
    return run_script(current_host(), text, shows=shows)
