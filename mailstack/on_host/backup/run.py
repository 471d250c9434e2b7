"""Make a backup: a snapshot of the mail, and one of all that completes it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import homes, room, state
from .database import database
from .folders import ASIDE, SEARCH, WORK, fingerprint, is_message
from .progress import Progress, kept
from .restic import FailureError, Repository

PLACE = Path("/var/lib/mailstack/backup")
STAGE = PLACE / "stage"
WHOLE, MAIL = "mailstack", "mailstack-mail"
"""The tags of the two snapshots of a backup."""
HALF = PLACE / "restore" / "changed"
"""A mark that a restore has begun to change the host, and has not ended."""
CHECK_EVERY = 7 * 86400
READ = "5%"
"""The part of the data that a check reads."""
DAMAGED = "the repository is damaged: "
_DAMAGE = ("contains errors", "is damaged", "LoadIndex returned", "ciphertext verification failed")
"""What restic says of damage, and of nothing else."""
_AGAIN = 900
"""If the snapshot of the mail took longer, in seconds, another one is made: much mail has come meanwhile."""


class Backup:
    """A run.

    + configuration: see ``_configuration`` of the component
    """

    def __init__(self, configuration: Mapping[str, Any], repository: Repository, progress: Progress) -> None:
        self.wanted, self.repository, self.progress = configuration, repository, progress
        self.failed: list[str] = []
        self.counts: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        """Make the backup, and return its result. Raises ``FailureError``."""
        begun, before = time.time(), kept("backup")
        if HALF.exists():
            raise FailureError(
                "this host is half restored: mailstack.restore goes on; then there are backups again"
            )
        self.progress.step("open the repository")
        self.repository.open(make=True)
        snapshot = self._made(before)
        result: dict[str, Any] = {"at": int(begun), "snapshot": snapshot[:8], **self.counts}
        result["checked"] = before.get("checked", 0)
        result["damaged"] = before.get("damaged", "")
        self.forget()
        if result["damaged"]:  # until mailstack.backup.check has read all of it
            self.failed.append(f"{DAMAGED}{result['damaged']}")
        elif abs(begun - int(result["checked"])) > CHECK_EVERY:  # a clock may have been wrong
            result |= self.check()
        result["good"] = before.get("good", 0) if self.failed else int(begun)
        return {**result, "failed": self.failed, "seconds": round(time.time() - begun)}

    def _made(self, before: Mapping[str, Any]) -> str:
        """Make the snapshots; if there is no room, free what no backup needs, and try once more."""
        try:
            return self._snapshots()
        except FailureError as failure:
            if not room.is_missing(failure):
                raise
            self._make_room(failure, damaged=bool(before.get("damaged")))
        try:
            return self._snapshots()
        except FailureError as failure:
            if not room.is_missing(failure):
                raise
            text = "also after old backups were forgotten, and their data removed"
            raise FailureError(f"{failure}; {text}") from None

    def _make_room(self, full: FailureError, *, damaged: bool) -> None:
        if damaged:
            raise FailureError(f"{full}; nothing is removed while the repository is damaged")
        try:
            self.forget()
            self.progress.step("make room in the repository")
            self.repository.say("prune", "--max-repack-size", "0")  # which needs nearly no room itself
        except FailureError as failure:
            raise FailureError(f"{full}; old data could not be removed: {failure}") from None

    def check(self, *, whole: bool = False) -> dict[str, Any]:
        """Check the repository and read a part of it; if it is right, free what no backup needs.

        Return what is known then: when it was ``checked``, and how it is ``damaged``.
        """
        part = "all" if whole else READ
        try:
            self.progress.step(f"check the repository, and read {part} of it")
            self.repository.say("check", "--read-data" if whole else f"--read-data-subset={READ}")
        except FailureError as failure:
            if not any(words in str(failure) for words in _DAMAGE):
                self.failed.append(f"the repository could not be checked: {failure}")
                return {}
            self.failed.append(f"{DAMAGED}{failure}")
            return {"damaged": str(failure)}
        try:
            self.progress.step("remove old data")
            self.repository.say("prune")
        except FailureError as failure:
            self.failed.append(f"data that no backup needs could not be removed: {failure}")
        return {"checked": int(time.time()), "damaged": ""}

    def forget(self) -> None:
        """Forget backups that are older than the settings want, each with its snapshot of the mail."""
        self.progress.step("forget old backups")
        keep = self.wanted["keep"]
        options = [f"--keep-{name}={count}" for name, count in keep.items() if count]
        host = ("--host", self.repository.host)
        self.repository.say(
            "forget", "--tag", WHOLE, *host, "--group-by", "host", "--keep-within=2d", *options
        )
        found = self.repository.snapshots()
        needed = {mail_of(each) for each in found if WHOLE in (each.get("tags") or [])}
        unused = [
            str(each["id"])
            for each in found
            if MAIL in (each.get("tags") or [])
            and not any(str(each["id"]).startswith(n) for n in needed if n)
        ]
        if unused:
            self.repository.say("forget", *unused)

    def _snapshots(self) -> str:
        self._room()
        self._clean()
        self.failed.clear()
        STAGE.mkdir(parents=True)
        try:
            return self._two()
        finally:
            self._clean()

    def _two(self) -> str:
        """Make both snapshots, and return the ID of the one that completes the backup."""
        tags = ["--tag", WHOLE]
        if root := self.wanted["mail"]:
            mail = self._mail(root)
            tags += ["--tag", f"mail={mail}"] if mail else []
        self._others()
        self.progress.step("keep the rest")
        tags += [text for name, count in self.counts.items() for text in ("--tag", f"{name}={count}")]
        places = [path for path in _outer(self.wanted["paths"]) if os.path.lexists(path)]
        made = self.repository.backup(*tags, ".", *places, cwd=str(STAGE), watch=self._watch)
        if self.repository.unread:  # of the mail, the pass after it has all that vanished meanwhile
            self.failed.append(f"not kept: {self.repository.unread}")
        return made

    def _mail(self, root: str) -> str:
        """Keep the mail; return the ID of its snapshot, or nothing for a server that never had any.

        restic refuses to make a snapshot without a file or directory. Raises ``FailureError`` for a server
        that had mail.
        """
        for _ in range(2):
            found = {each.name for each in Path(root).iterdir()} - {ASIDE, WORK}
            if not found and any(MAIL in (each.get("tags") or []) for each in self.repository.snapshots()):
                raise FailureError(f"{root} is empty, and earlier backups have mail: is its disk mounted?")
            mail = self._live(root) if found else ""
            self._complete(root, mail)
            if mail or not self.counts["messages"]:
                break  # or the very first one came in this moment
        return mail

    def _live(self, root: str) -> str:
        """Make a snapshot of the mail as it flows, and return its ID."""
        # others of these names may be folders of users; restic compares with the path without links
        work = (f"{as_pattern(os.path.realpath(root))}/{name}" for name in (ASIDE, WORK))
        names = (*SEARCH, "dovecot.index.cache", *work)
        left_out = [text for name in names for text in ("--exclude", name)]
        for _ in range(3):
            begun = time.monotonic()
            self.progress.step("keep the mail")
            mail = self.repository.backup("--tag", MAIL, *left_out, ".", cwd=root, watch=self._watch)
            if time.monotonic() - begun < _AGAIN:
                break
        return mail

    def _complete(self, root: str, mail: str) -> None:
        """Keep what that snapshot lacks; see ``keeping``."""
        self.progress.step("keep what came meanwhile")
        place = STAGE / "mail"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        owner = self.wanted["owner"]
        shutil.chown(place, owner, owner)
        first = json.dumps({"root": root, "reserve": room.reserve(place)})
        found = as_user(owner, "keeping", place, _lines(first, self._fingerprints(mail)))
        self.failed += [f"not kept: {each}" for each in found.pop("failed")]
        self.counts |= found

    def _fingerprints(self, mail: str) -> Iterator[str]:
        for node in self.repository.lines("ls", "--json", mail) if mail else ():
            path = str(node.get("path", "")).removeprefix("/")
            if node.get("type") == "file" and is_message(path):
                mtime = datetime.fromisoformat(_seconds(str(node["mtime"])))
                yield fingerprint(path, int(node.get("size", 0)), int(mtime.timestamp()))

    def _others(self) -> None:
        self.progress.step("keep the database and the queue")
        (STAGE / "owners.json").write_text(json.dumps(state.owners()), "utf-8")
        if root := self.wanted["mail"]:
            self._homes(root)
        if self.wanted["database"]:
            here = database(self.wanted["database"])
            here.dump(STAGE)
            here.tidy()
        if self.wanted["queue"]:
            self.counts["queued"] = state.keep_queue(Path(self.wanted["queue"]), STAGE / "queue")
        if self.wanted["redis"]:
            # so that its file is new; without it, the file is some minutes old
            command = ["redis-cli", "-s", self.wanted["redis"], "save"]
            subprocess.run(command, capture_output=True, timeout=300)

    def _homes(self, root: str) -> None:
        """Keep where the mail of each user is; without Dovecot, the rest is kept even so.

        Disabled users are in the database alone.
        """
        try:
            found = homes.homes(root)
            if self.wanted["database"]:
                accounts = database(self.wanted["database"]).accounts(root)
                found = {user: account.home for user, account in accounts.items()} | found
        except (FailureError, OSError, subprocess.SubprocessError) as failure:
            self.failed.append(f"no list of users: {failure}")
        else:
            (STAGE / "homes.json").write_text(json.dumps(found), "utf-8")

    def _room(self) -> None:
        places = [each for each in (self.repository.directory(), PLACE) if each is not None]
        for place in filter(Path.is_dir, places):
            room.check(place)

    def _watch(self, share: float, text: str) -> None:
        self._room()
        self.progress.share(share, text)

    def _clean(self) -> None:
        shutil.rmtree(STAGE, ignore_errors=True)


def as_pattern(path: str) -> str:
    """Return a pattern of restic that fits this path alone."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def _outer(paths: Sequence[str]) -> list[str]:
    """Return the paths without those below others of them."""
    return [path for path in paths if not any(path.startswith(f"{other}/") for other in paths)]


def mail_of(snapshot: Mapping[str, Any]) -> str:
    """Return the ID of the snapshot of the mail that belongs to a backup, or nothing."""
    return tag_of(snapshot, "mail")


def tag_of(snapshot: Mapping[str, Any], name: str) -> str:
    """Return the value of a tag ``NAME=VALUE``, or nothing."""
    values = (str(each).partition("=") for each in snapshot.get("tags") or [])
    return next((value for key, _, value in values if key == name), "")


def as_user(owner: str, module: str, directory: Path, lines: Iterator[str]) -> dict[str, Any]:
    """Run a module of this program as another user, and return its answer. Raises ``FailureError``."""
    program = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-B", "-m", f"backup.{module}"],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(program), "LC_ALL": "C.UTF-8"},
        user=owner,
        group=owner,
        extra_groups=[],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
    )
    try:
        assert process.stdin is not None
        try:
            for line in lines:
                process.stdin.write(f"{line}\n")
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.stdin = None
        output, errors = process.communicate()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    try:
        found: dict[str, Any] = json.loads(output)
    except ValueError:
        told = errors.strip().rpartition("\n")[2]
        raise FailureError(f"the mail: {told[:300] or 'it ended without a word'}") from None
    return found


def _lines(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def in_utc(time_: str) -> str:
    """Return a time of restic in UTC, to the second."""
    return datetime.fromisoformat(_seconds(time_)).astimezone(UTC).isoformat()[:19]


def _seconds(time_: str) -> str:
    """Return a time without the part of a second, of which Python 3.11 takes only 6 digits."""
    whole, dot, rest = time_.partition(".")
    return (whole + rest.lstrip("0123456789") if dot else time_).replace("Z", "+00:00")
