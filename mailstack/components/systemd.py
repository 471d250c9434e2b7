"""systemd: what each service of the server gets beside the unit file of its package."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File
from mailstack.templates import render

_DIRECTORY = "/usr/local/lib/systemd/system"
"""Of mailstack's own units. What lies in /etc/systemd/system can't be masked, see systemd.unit(5)."""

_FORMER_DIRECTORY = "/etc/systemd/system"

FLUSH = ("/usr/bin/systemctl restart --no-block mailstack-flush.service",)
"""For Dovecot and Postfix, with the unit of ``flush``: mail that waits is delivered."""


def unit_file(name: str) -> str:
    """Return the path of a unit of mailstack's own."""
    return f"{_DIRECTORY}/{name}"


def unit_files(name: str, content: str) -> list[Entry]:
    """Return the file of a unit of mailstack's own, and that of earlier versions, which goes."""
    return [
        File(unit_file(name), content, activation=None),
        File(f"{_FORMER_DIRECTORY}/{name}", None, activation=None),
    ]


_FLUSH = "/usr/local/lib/mailstack/flush"
_NEW_AUTH = "/usr/local/lib/mailstack/new-auth"
NEW_AUTH = (_NEW_AUTH,)
"""For PostgreSQL, with ``new_auth``: Dovecot notices only by a failure that its connections broke."""

RELOAD_DOVECOT = ("/usr/bin/systemctl try-reload-or-restart --no-block dovecot.service",)
"""For MariaDB, when it has stopped and when it has started. Dovecot 2.4.1 never uses a connection to it again
that broke once: the first reload leaves it none, the second ends those that it tried meanwhile. Dovecot 2.3
waits longer after each attempt, and a reload begins again."""


def drop_in(
    unit: str,
    *,
    after: Sequence[str] = (),
    pid_file: str | None = None,
    stop: str | None = None,
    lock: str | None = None,
    after_start: Sequence[str] = (),
    after_stop: Sequence[str] = (),
) -> list[Entry]:
    """Return the files that make systemd start a service again whose master died.

    + unit: the service whose processes do the work, without ``.service``
    + after: units that start before it at boot
    + pid_file: where its master writes its process id, if the package does not say so
    + stop: how the package stops it, so that it counts as no failure if somebody else has done so already
    + lock: a file that its master locks, by flock(2): the service is not started while another has it
    + after_start, after_stop: commands, run as root; one that fails does no harm

    See systemd.service(5). A service that cannot start is tried again and again, with a pause of 15 seconds
    whenever systemd's start limit is reached. The files count after ``systemctl daemon-reload``, which
    ``units.running`` does.
    """
    settings = render(
        "systemd/service.conf",
        after=after,
        pid_file=pid_file,
        stop=stop,
        lock=lock,
        after_start=after_start,
        after_stop=after_stop,
    )
    return [
        File(drop_in_path(unit), settings, activation=None),
        *unit_files("mailstack-retry@.service", render("systemd/retry.service")),
    ]


def new_auth() -> list[Entry]:
    """Return the script that has Dovecot connect to the database again."""
    return [File(_NEW_AUTH, render("dovecot/new-auth"), mode=0o755, activation=None)]


def flush() -> list[Entry]:
    """Return the service that has Postfix deliver what waited for Dovecot."""
    return [
        File(_FLUSH, render("postfix/flush"), mode=0o755, activation=None),
        *unit_files("mailstack-flush.service", render("systemd/flush.service", script=_FLUSH)),
    ]
