"""systemd: what each service of the server gets beside the unit file of its package."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File
from mailstack.templates import render

_DIRECTORY = "/etc/systemd/system"

FLUSH = ("/usr/bin/systemctl restart --no-block mailstack-flush.service",)
"""For Dovecot and Postfix, with the unit of ``flush``: mail that waits is delivered."""

_NEW_AUTH = "/usr/local/lib/mailstack/new-auth"
NEW_AUTH = (_NEW_AUTH,)
"""For PostgreSQL, with ``new_auth``: Dovecot notices only by a failure that its connections broke."""

RELOAD_DOVECOT = ("/usr/bin/systemctl try-reload-or-restart --no-block dovecot.service",)
"""For MariaDB: Dovecot 2.4.1 never uses a connection to it again that broke once, and 2.3 waits longer after
each attempt. A reload begins again."""


def drop_in(
    unit: str,
    *,
    after: Sequence[str] = (),
    pid_file: str | None = None,
    stop: str | None = None,
    after_start: Sequence[str] = (),
    after_stop: Sequence[str] = (),
) -> list[Entry]:
    """Return the files that make systemd start a service again whose master died.

    + unit: the service whose processes do the work, without ``.service``
    + after: units that start before it at boot
    + pid_file: where its master writes its process id, if the package does not say so
    + stop: how the package stops it, so that it counts as no failure if somebody else has done so already
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
        after_start=after_start,
        after_stop=after_stop,
    )
    return [
        File(drop_in_path(unit), settings, activation=None),
        File(f"{_DIRECTORY}/mailstack-retry@.service", render("systemd/retry.service"), activation=None),
    ]


def new_auth() -> list[Entry]:
    """Return the script that has Dovecot connect to the database again."""
    return [File(_NEW_AUTH, render("dovecot/new-auth"), mode=0o755, activation=None)]


def flush() -> list[Entry]:
    """Return the unit that has Postfix deliver what waited for Dovecot."""
    unit = render("systemd/flush.service")
    return [File(f"{_DIRECTORY}/mailstack-flush.service", unit, activation=None)]
