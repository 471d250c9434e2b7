"""Disks are full, have no inodes left, or can't be written."""

from __future__ import annotations

from faults.row import Row, units
from tests.support.tally import DELIVERED_AGAIN, SENT_AGAIN
from tests.support.trust import Protected

PART = "Disks are full or read-only"
#: What has a file system of its own, and the service that writes there.
_DISKS = {
    "queue": ("the queue of Postfix", "/var/spool/postfix", "$postfix"),
    "mail": ("the mailboxes", "/var/vmail", ""),
    "database": ("the database", "/var/lib/postgresql", "$database"),
}
_PATHS = [path for _, path, _ in _DISKS.values()]
_SECONDS = 12


def prepare(protected: Protected) -> None:
    """Give the queue, the mailboxes and the database a small file system each, in memory."""
    move = "".join(
        f"mv {path} {path}.old; mkdir {path}; mount -t tmpfs -o size=400m,nr_inodes=20000 faults {path}; "
        f"cp -a {path}.old/. {path}; "
        for path in _PATHS
    )
    services = "postfix $postfix rspamd dovecot.socket dovecot.service $database"
    script = f"systemctl stop {services} 2>&1; {move} systemctl start $database dovecot rspamd postfix"
    protected.server.exec(f"set -e; {units(protected.server)}; {script}", timeout=200)


def _filled(path: str) -> str:
    return f"head -c 1G /dev/zero > {path}/filler 2>/dev/null || true; "


def _without_inodes(path: str) -> str:
    return f"mkdir {path}/filler; cd {path}/filler; seq 30000 | xargs touch 2>/dev/null || true; cd /; "


def _rows(name: str, called: str, path: str, unit: str) -> tuple[Row, ...]:
    emptied = f"rm -rf {path}/filler"
    # a file system with files that are being written can't become read-only
    read_only = f"until mount -o remount,ro {path} 2>/dev/null; do sleep 0.2; done; "
    if unit:
        read_only = f"systemctl stop {unit} 2>&1; {read_only} systemctl start --no-block {unit}"
    doubles = () if name == "database" else (SENT_AGAIN, DELIVERED_AGAIN)
    return (
        Row(
            f"{name}-disk-full",
            f"The disk of {called} is full for {_SECONDS} s",
            do=_filled(path),
            seconds=_SECONDS,
            undo=emptied,
            doubles=doubles,
        ),
        Row(
            f"{name}-disk-without-inodes",
            f"The disk of {called} has no inodes left for {_SECONDS} s",
            do=_without_inodes(path),
            seconds=_SECONDS,
            undo=emptied,
            doubles=doubles,
        ),
        Row(
            f"{name}-disk-read-only",
            f"The disk of {called} is read-only for {_SECONDS} s"
            + (", as its service starts" if unit else ""),
            do=read_only,
            seconds=_SECONDS,
            undo=f"mount -o remount,rw {path}",
            doubles=doubles,
        ),
    )


ROWS = (
    *(row for name, given in _DISKS.items() for row in _rows(name, *given)),
    Row(
        "every-disk-full",
        f"All three disks are full at once, for {_SECONDS} s",
        do="".join(map(_filled, _PATHS)),
        seconds=_SECONDS,
        undo="rm -f " + " ".join(f"{path}/filler" for path in _PATHS),
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
    ),
)
