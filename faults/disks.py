"""Disks are full, have no inodes left, or can't be written."""

from __future__ import annotations

from faults.hosts import without_services
from faults.row import Row
from tests.support.tally import DELIVERED_AGAIN, SENT_AGAIN
from tests.support.trust import Protected

PART = "Disks are full or read-only"
#: What has a file system of its own: where, how mail may be doubled, and the service that writes there.
_DISKS = {
    "queue": ("the queue of Postfix", "/var/spool/postfix", (SENT_AGAIN, DELIVERED_AGAIN), "$postfix"),
    "mail": ("the mailboxes", "/var/vmail", (SENT_AGAIN, DELIVERED_AGAIN), ""),
    "database": ("the database", "/var/lib/postgresql", (), "$database"),
}
#: What shares one file system; /usr without /usr/local stays beside it, as nothing writes there.
_ROOT, _OF_ROOT = "/mnt", ("etc", "home", "opt", "root", "srv", "tmp", "usr/local", "var")
_SECONDS = 12


def prepare(protected: Protected) -> None:
    """Give the queue, the mailboxes, the database and the rest small file systems, in memory."""
    shared = "".join(
        f"mkdir -p {_ROOT}/{path}; cp -ax /{path}/. {_ROOT}/{path}; mount --bind {_ROOT}/{path} /{path}; "
        for path in _OF_ROOT
    )
    own = "".join(
        f"mv {path} {path}.old; mkdir {path}; mount -t tmpfs -o size=400m,nr_inodes=20000 faults {path}; "
        f"cp -a {path}.old/. {path}; rm -r {path}.old; "
        for _, path, _, _ in _DISKS.values()
    )
    left = ",".join(
        f"{limit}=$(( $(df --output={used} -k {_ROOT} | tail -n 1) + {more} )){unit}"
        for limit, used, more, unit in (("size", "used", 100_000, "k"), ("nr_inodes", "iused", 2_000, ""))
    )
    without_services(
        protected.server,
        f"mount -t tmpfs -o mode=755 faults {_ROOT}; {shared}{own}mount -o remount,{left} {_ROOT}; "
        "systemctl restart systemd-journald",
    )


def _filled(path: str) -> str:
    return f"head -c 1G /dev/zero > {path}/filler 2>/dev/null || true; "


def _without_inodes(path: str) -> str:
    return f"mkdir {path}/filler; cd {path}/filler; seq 30000 | xargs touch 2>/dev/null || true; cd /; "


def _used_up(name: str, called: str, path: str, doubles: tuple[str, ...]) -> tuple[Row, ...]:
    """Return the rows of a disk with no room."""
    faults = {
        "full": ("is full", _filled(path)),
        "without-inodes": ("has no inodes left", _without_inodes(path)),
    }
    return tuple(
        Row(
            f"{name}-disk-{fault}",
            f"The disk of {called} {what} for {_SECONDS} s",
            do=do,
            seconds=_SECONDS,
            undo=f"rm -rf {path}/filler",
            doubles=doubles,
        )
        for fault, (what, do) in faults.items()
    )


def _read_only(name: str, called: str, path: str, doubles: tuple[str, ...], unit: str) -> Row:
    # a file system with files that are being written can't become read-only
    do = f"until mount -o remount,ro {path} 2>/dev/null; do sleep 0.2; done; "
    if unit:
        do = f"systemctl stop {unit} 2>&1; {do} systemctl start --no-block {unit}"
    return Row(
        f"{name}-disk-read-only",
        f"The disk of {called} is read-only for {_SECONDS} s" + (", as its service starts" if unit else ""),
        do=do,
        seconds=_SECONDS,
        undo=f"mount -o remount,rw {path}",
        doubles=doubles,
        stops="database" if unit == "$database" else "",
    )


_PATHS = [path for _, path, _, _ in _DISKS.values()] + ["/var"]
ROWS = (
    *(
        row
        for name, (called, path, doubles, unit) in _DISKS.items()
        for row in (
            *_used_up(name, called, path, doubles),
            _read_only(name, called, path, doubles, unit),
        )
    ),
    *_used_up("root", "the rest of the host, with /etc, /tmp and /var,", "/var", ()),
    Row(
        "every-disk-full",
        f"All these disks are full at once, for {_SECONDS} s",
        do="".join(map(_filled, _PATHS)),
        seconds=_SECONDS,
        undo="rm -f " + " ".join(f"{path}/filler" for path in _PATHS),
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
    ),
)
