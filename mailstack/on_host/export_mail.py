"""Put all that belongs to one user into an archive.

export_mail.py PLAN        makes it, and says so on standard output
export_mail.py PLAN undo   removes what was needed meanwhile, whatever ended it

The plan is a file of JSON:

+ email, home: the user, and the directory of all that is the user's
+ generation: of Dovecot, ``2.3`` or ``2.4``
+ account: what the database has about the user, without passwords
+ archive: the path of the archive

Whoever runs code in Dovecot can change the user's directories. So what reads them has only that user's
rights, and root writes where nobody else can.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STAGE = Path("/var/lib/mailstack-export")
"""Where doveadm copies the mail to."""
COPYING = 24 * 3600
"""The seconds that doveadm may take."""
CHANGED, TIMES = 2, 5
"""doveadm's exit code if a mailbox changed meanwhile (doveadm-sync(1)), and how often it is tried then."""
OWNERS = {0}
"""The users who may own the directory of the archive, and those above it."""
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
SIEVE = ("sieve", ".dovecot.sieve")


class Problem(Exception):  # noqa: N818 - it is a line for people
    """Raised with a line that says what prevents it."""


def doveadm(*arguments: str, accepted: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """Run doveadm; return its exit code and output. Raises ``Problem`` for any other code."""
    command = ["doveadm", "-o", "stats_writer_socket_path=", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COPYING, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"doveadm did not end within {COPYING} s") from None
    if done.returncode not in accepted:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Problem(f"doveadm: {said[-500:]}")
    return done.returncode, done.stdout


def counted(email: str) -> tuple[int, int]:
    """Return the numbers of messages and of bytes in the user's own folders."""
    ask = ("-f", "tab", "mailbox", "status", "-u", email, "messages vsize", "*")
    _, said = doveadm(*ask, accepted=(0, 68))  # 68: also if a folder has only subfolders
    rows = [line.rsplit("\t", 2) for line in said.split("\n")[1:] if line and not line.startswith("shared/")]
    return sum(int(messages) for _, messages, _ in rows), sum(int(size) for _, _, size in rows)


def check_place(archive: Path) -> None:
    """Raise ``Problem`` if another user could put a link where root writes, or replace what it wrote."""
    archive.parent.stat()  # fails for links in a circle
    for place in passed(archive.parent):
        state = place.lstat()
        is_open = state.st_mode & WRITABLE and not state.st_mode & stat.S_ISVTX
        if state.st_uid not in OWNERS or (is_open and not stat.S_ISLNK(state.st_mode)):
            raise Problem(
                f"{place}: other users can change what is there; allowed: a directory such as /root"
            )


def passed(path: Path) -> Iterator[Path]:
    """Yield all directories and links that a path leads through, those of its links too."""
    here, ahead = Path("/"), [*reversed(path.parts)]
    while ahead:
        here = here.parent if ahead[-1] == ".." else here / ahead[-1]
        del ahead[-1]
        yield here
        if here.is_symlink():
            ahead += reversed(here.readlink().parts)
            here = here.parent


def check_space(archive: Path, size: int) -> None:
    """Raise ``Problem`` if there is not room for the copy, and for the archive."""
    for place in (STAGE.parent, archive.parent):
        needed = size * (2 if archive.parent.stat().st_dev == STAGE.parent.stat().st_dev else 1)
        if (free := shutil.disk_usage(place).free) < needed:
            raise Problem(f"{place} has {free >> 20} MiB free, and {needed >> 20} MiB are needed")


def copied(plan: dict[str, Any], mail: Path) -> int:
    """Copy the mail into a Maildir; return the number of messages. Raises ``Problem`` if some are missing."""
    where = [f"maildir:{mail}"]
    if plan["generation"] != "2.3":
        where = ["-p", "mail_driver=maildir", "-p", f"mail_path={mail}", *where]
    for _ in range(TIMES):
        code, _ = doveadm("backup", "-u", plan["email"], *where, accepted=(0, CHANGED))
        number = sum(len(files) for name, _, files in os.walk(mail) if Path(name).name in ("cur", "new"))
        if code != CHANGED and number == counted(plan["email"])[0]:
            return number
    raise Problem("the mailbox changed each time, so something may be missing; export it once more")


def export(plan: dict[str, Any]) -> int:
    """Make the archive, and return the number of messages in it."""
    home, archive = Path(plan["home"]), Path(plan["archive"])
    _, size = counted(plan["email"])  # makes a mailbox that has never been used
    check_space(archive, size)
    owner = home.stat()
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir()
    STAGE.chmod(0o755)  # tar(1) reads it as the user
    account, mail = STAGE / "account.json", STAGE / "Maildir"
    account.write_text(plan["account"])
    os.chown(account, owner.st_uid, owner.st_gid)
    mail.mkdir(mode=0o700)
    os.chown(mail, owner.st_uid, owner.st_gid)
    number = copied(plan, mail)
    pack(home, unfinished_of(archive), owner)
    unfinished_of(archive).rename(archive)
    return number


def pack(home: Path, to: Path, owner: os.stat_result) -> None:
    """Write the archive, without Dovecot's indexes. Raises ``Problem`` if tar(1) fails."""
    leave_out = ("--exclude=dovecot.index*", "--exclude=dovecot.list.index*")
    given = [name for name in SIEVE if os.path.lexists(home / name)]
    parts = ["-C", str(STAGE), "account.json", "Maildir", "-C", str(home), *given]
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        rights: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        command = ["tar", "-czf", "-", *leave_out, *parts]
        done = subprocess.run(
            command, stdout=opened, stderr=subprocess.PIPE, text=True, check=False, **rights
        )
        os.fsync(opened.fileno())
    if done.returncode:
        raise Problem(f"tar: {' '.join(done.stderr.split())[-500:]}")


def unfinished_of(archive: Path) -> Path:
    """Return the path of an archive that is being written."""
    return archive.with_name(f".{archive.name}.unfinished")


def main() -> None:
    """Do what the command line says."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    archive = Path(plan["archive"])
    if sys.argv[2:] == ["undo"]:
        shutil.rmtree(STAGE, ignore_errors=True)
        unfinished_of(archive).unlink(missing_ok=True)
        return
    os.umask(0o077)
    try:
        check_place(archive)
        if archive.exists():
            raise Problem(f"{archive} exists already")
        print(f"{export(plan):,} messages, {archive.stat().st_size >> 10:,} KiB", flush=True)
    except (Problem, OSError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
