"""The last deploy of a host, recorded on it: a machine that replaces the settings of another one is told so.

The first command of a deploy that changes a host also writes the record, so that it costs no command of its
own. A deploy that changes nothing, or whose files are refused, replaces nothing: the record stays as it is.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from pyinfra.api.command import PyinfraCommand, StringCommand

from mailstack.facts.files import FileTexts
from mailstack.facts.reading import announce, read
from mailstack.operation import warn_once
from mailstack.run import current_host, is_executing
from mailstack.shell import script, shell, with_input
from mailstack.text import printable

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.settings import Settings

PATH = "/var/lib/mailstack/last-deploy.json"
_RECORD = FileTexts.of([PATH])


class Deploy(NamedTuple):
    """A deploy.

    + by: the user and the machine that ran it, as ``user@machine``
    + at: its time, in seconds since 1970 by the clock of that machine
    + mailstack: the version of mailstack
    + settings: the digest of the settings, see ``digest``
    """

    by: str
    at: int
    mailstack: str
    settings: str


_deploys: WeakKeyDictionary[Host, Settings] = WeakKeyDictionary()
"""The settings of the deploys of this run that have changed nothing yet."""


def announced(settings: Settings) -> None:
    """Announce that this run deploys the current host with these settings."""
    _deploys[current_host()] = settings
    announce(_RECORD)


def noted(command: PyinfraCommand) -> PyinfraCommand:
    """Return a command that changes the current host; the first one, if it works, also records the deploy.

    Warn if the last deploy came from another machine and had other settings.
    """
    host = current_host()
    settings = _deploys.get(host)
    change = command.connector_arguments.get("_stdin")
    writes = isinstance(command, StringCommand) and isinstance(change, str)
    if settings is None or (is_executing() and not writes):
        return command
    this = _this(settings)
    if text := replaced(parse(read(_RECORD).get(PATH, "")), this):
        warn_once(text)
    if not is_executing():
        return command
    del _deploys[host]
    note = with_input(f"(\n{script('last_deploy', PATH, json.dumps(this._asdict()))}\n)")
    # not "&&": sh(1) ignores set -e in what stands before it
    return shell(f"(\n{change})\nchanged=$?\n[ $changed = 0 ] || exit $changed\n{note}")


def digest(settings: Settings) -> str:
    """Return the SHA-256 of the given settings as hexadecimal digits; their secrets count only as given."""
    given = settings.model_dump(mode="json", exclude_unset=True)  # pydantic writes stars for a secret
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def parse(text: str) -> Mapping[str, Any]:
    """Return a record, empty if there is none or it is damaged."""
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict) and found.keys() >= set(Deploy._fields):
            return found
    return {}


def replaced(last: Mapping[str, Any], this: Deploy) -> str | None:
    """Return a warning if the last deploy came from another machine and had other settings, or nothing."""
    if not last or last["by"] == this.by or last["settings"] == this.settings:
        return None
    at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(int(last["at"])))
    return printable(
        f"the last deploy came from {last['by']}, at {at} UTC with mailstack {last['mailstack']}, and had "
        f"other settings: those of {this.by} replace them"
    )


def _this(settings: Settings) -> Deploy:
    from mailstack import __version__  # which imports all deploys

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container, a user may have no name
        user = str(os.getuid())
    return Deploy(f"{user}@{socket.gethostname()}", int(time.time()), __version__, digest(settings))
