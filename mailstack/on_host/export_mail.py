"""Put all that belongs to one user into an archive.

export_mail.py PLAN        makes it, and says so on standard output
export_mail.py PLAN undo   removes what was needed meanwhile, whatever ended it

The plan is a file of JSON:

+ email, home: the user, and the directory of all that is the user's
+ generation: of Dovecot, ``2.3`` or ``2.4``
+ account: what the database has about the user, without passwords
+ archive: the path of the archive
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

STAGE = ".export"
"""The directory for the copy in the user's own: doveadm has only that user's rights."""
COPYING = 24 * 3600
"""The seconds that doveadm may take."""
ACTIVE = ".dovecot.sieve"


class Problem(Exception):  # noqa: N818 - it is a line for people
    """Raised with a line that says what prevents it."""


def doveadm(*arguments: str, accepted: tuple[int, ...] = (0,)) -> str:
    """Run doveadm; return its output. Raises ``Problem`` if it fails."""
    command = ["doveadm", "-o", "stats_writer_socket_path=", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COPYING, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"doveadm did not end within {COPYING} s") from None
    if done.returncode not in accepted:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Problem(f"doveadm: {said[-500:]}")
    return done.stdout


def copied(plan: dict[str, Any], stage: Path) -> int:
    """Copy the mail into a Maildir, and return the number of messages."""
    email, place = plan["email"], f"~/{STAGE}/Maildir"
    where = [f"maildir:{place}"]
    if plan["generation"] != "2.3":
        where = ["-p", "mail_driver=maildir", "-p", f"mail_path={place}", *where]
    doveadm("backup", "-u", email, *where, accepted=(0, 2))  # 2: mail came meanwhile
    return sum(len(files) for name, _, files in os.walk(stage) if Path(name).name in ("cur", "new"))


def export(plan: dict[str, Any]) -> int:
    """Make the archive, and return the number of messages in it."""
    email, home, archive = plan["email"], Path(plan["home"]), Path(plan["archive"])
    doveadm("mailbox", "status", "-u", email, "messages", "INBOX")  # makes a mailbox that has never been used
    stage = home / STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)
    owner = home.stat()
    os.chown(stage, owner.st_uid, owner.st_gid)
    number = copied(plan, stage)
    (stage / "account.json").write_text(plan["account"])
    unfinished = unfinished_of(archive)
    with tarfile.open(unfinished, "x:gz") as packed:
        packed.add(stage / "account.json", "account.json")
        packed.add(stage / "Maildir", "Maildir", filter=wanted)
        for path in (home / "sieve", home / ACTIVE):
            if path.exists() or path.is_symlink():
                packed.add(path, path.name)
    unfinished.rename(archive)
    return number


def unfinished_of(archive: Path) -> Path:
    """Return the path of an archive that is being written."""
    return archive.with_name(f".{archive.name}.unfinished")


def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Return what belongs into the archive: not Dovecot's indexes, which any program makes anew."""
    return None if Path(member.name).name.startswith(("dovecot.index", "dovecot.list.index")) else member


def main() -> None:
    """Do what the command line says."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    archive = Path(plan["archive"])
    if sys.argv[2:] == ["undo"]:
        shutil.rmtree(Path(plan["home"]) / STAGE, ignore_errors=True)
        unfinished_of(archive).unlink(missing_ok=True)
        return
    os.umask(0o077)
    try:
        if archive.exists():
            raise Problem(f"{archive} exists already")
        print(f"{export(plan):,} messages, {archive.stat().st_size >> 10:,} KiB", flush=True)
    except (Problem, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
