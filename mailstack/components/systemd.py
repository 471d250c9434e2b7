"""systemd's drop-ins for each service, beside the unit file of its package."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.settings import Settings

_DIRECTORY = "/usr/local/lib/systemd/system"
"""The directory of mailstack's units. Those in /etc/systemd/system can't be masked, see systemd.unit(5)."""

_FORMER_DIRECTORY = "/etc/systemd/system"

FLUSH = ("/usr/bin/systemctl restart --no-block mailstack-flush.service",)
"""For Dovecot and Postfix, with the unit of ``flush``: mail that waits is delivered."""


def unit_file(name: str) -> str:
    """Return the path of a unit of mailstack."""
    return f"{_DIRECTORY}/{name}"


def unit_files(name: str, content: str) -> list[Entry]:
    """Return the file of a unit of mailstack, and the absence of the file of earlier versions."""
    return [
        File(unit_file(name), content, activation=None),
        File(f"{_FORMER_DIRECTORY}/{name}", None, activation=None),
    ]


def script_service(
    settings: Settings, name: str, path: str, script: str, template: str, **values: object
) -> list[Entry]:
    """Return a script, and a unit of mailstack that runs it and restarts when the script has changed.

    + template: the template of the unit file, which gets ``script``, ``checksum`` and ``hardened`` beside
      ``values``
    """
    checksum = hashlib.sha256(script.encode()).hexdigest()
    hardened = settings.mail_hardening
    unit = render(template, script=path, checksum=checksum, hardened=hardened, **values)
    return [File(path, script, mode=0o755, activation=None), *unit_files(f"{name}.service", unit)]


_FLUSH = "/usr/local/lib/mailstack/flush"
_NEW_AUTH = "/usr/local/lib/mailstack/new-auth"
NEW_AUTH = (_NEW_AUTH,)
"""For a database that has started, with ``new_auth``: otherwise Dovecot's next lookup on a broken connection
would fail. With MariaDB, 2.4.1 never reuses one that broke once, and 2.3 waits longer after each attempt. For
MariaDB also when it has stopped: otherwise the next login waits for the broken connection for a minute."""


def drop_in(
    unit: str,
    *,
    after: Sequence[str] = (),
    pid_file: str | None = None,
    start: str | None = None,
    stop: str | None = None,
    lock: str | None = None,
    before_start: str | None = None,
    after_start: Sequence[str] = (),
    after_stop: Sequence[str] = (),
    groups: Sequence[str] = (),
    start_timeout: int | None = None,
) -> list[Entry]:
    """Return the files by which systemd restarts a service after its master died.

    + unit: the service with the processes, without ``.service``
    + after: units that start before it at boot
    + pid_file: the PID file of its master, if the package's unit does not name it
    + start: how the package starts it, where that ignores how its master ends
    + stop: the command that stops it. It is not a failure if the service is stopped already
    + lock: a file that its master locks, by flock(2); the service does not start while another process has it
    + before_start: a command, run as the service's user, whose failure is ignored
    + after_start, after_stop: the same, run as root
    + groups: groups whose files it may use, beside those of its user
    + start_timeout: the seconds for all that belongs to its start, if systemd's default is too short

    See systemd.service(5). A service that can't start is tried repeatedly, with a pause of 30 seconds when it
    hits systemd's start limit. The files take effect after ``systemctl daemon-reload``, by ``units.running``.
    """
    settings = render(
        "systemd/service.conf",
        after=after,
        pid_file=pid_file,
        start=start,
        stop=stop,
        lock=lock,
        before_start=before_start,
        after_start=after_start,
        after_stop=after_stop,
        groups=groups,
        start_timeout=start_timeout,
    )
    return [
        File(drop_in_path(unit), settings, activation=None),
        *unit_files("mailstack-retry@.service", render("systemd/retry.service")),
    ]


def new_auth() -> list[Entry]:
    """Return the script that makes Dovecot connect to the database again."""
    return [File(_NEW_AUTH, render("dovecot/new-auth"), mode=0o755, activation=None)]


def flush() -> list[Entry]:
    """Return the service that makes Postfix deliver mail that waited for Dovecot."""
    return [
        File(_FLUSH, render("postfix/flush"), mode=0o755, activation=None),
        *unit_files("mailstack-flush.service", render("systemd/flush.service", script=_FLUSH)),
    ]
