"""Bring back a whole backup, onto a host that a deploy has made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import folders, room, state
from .database import DUMP, Database, database, unnamed
from .doveadm import resynced
from .folders import ASIDE, has_mail
from .parts import backups, chosen, mail_read, placed, written
from .progress import Progress
from .reached import made, opened, removed
from .restic import FailureError, Repository
from .run import PLACE, in_utc, mail_of, tag_of

WISHES = PLACE / "wishes.json"
WORK = PLACE / "restore"
DUMPS = PLACE / "before-restore"
"""The databases that restores have replaced."""
DROPPED = PLACE / "maildrop"
"""Messages of programs of the host that Postfix had not yet taken up when the backup was made."""
_NO_MAIL = "this backup has no message; the option at ID takes it anyway"
_SAME_DAY = 86400


class Restore:
    """A run. If it is cut off, the next one goes on where it was.

    All is read first, beside what the host has, while its services run. Then they are stopped, and what was
    read takes its place: a step that is done is not done again, and mail that comes later is not touched.

    + wishes: ``at``: the ID of a backup, empty for the last one, or that of a run that was cut off;
      ``overwrite``: whether mail on the host is put aside, and its database replaced
    """

    def __init__(
        self,
        configuration: Mapping[str, Any],
        repository: Repository,
        progress: Progress,
        wishes: Mapping[str, Any],
    ) -> None:
        self.wanted, self.repository, self.progress, self.wishes = configuration, repository, progress, wishes
        self.failed: list[str] = []
        self.counts: dict[str, Any] = {}
        self.mark, self.changed = WORK / "of", WORK / "changed"
        self.root = Path(self.wanted["mail"]) if self.wanted["mail"] else None
        self.rest = WORK / "rest"

    def run(self) -> dict[str, Any]:
        """Bring it back, and return the result. Raises ``FailureError``."""
        begun = time.time()
        self.progress.step("open the repository")
        self.repository.open()
        chosen = self._chosen()
        self._begin(chosen)
        stopped = False
        try:
            self._read(chosen)
            stopped = True
            self._systemctl("stop")
            self._bring(chosen)
        except Exception as failure:
            raise FailureError(self._failed(failure, stopped=stopped)) from failure
        self._systemctl("start")
        if self.failed and self.root:
            self._resync()
        shutil.rmtree(WORK, ignore_errors=True)
        WISHES.unlink(missing_ok=True)
        result = {"at": int(begun), "snapshot": str(chosen["id"])[:8], "made": in_utc(str(chosen["time"]))}
        return {**result, **self.counts, "failed": self.failed, "seconds": round(time.time() - begun)}

    def _read(self, chosen: Mapping[str, Any]) -> None:
        """Read all from the repository. The host goes on meanwhile."""
        self._once("fetch", "read the database, the keys and the indexes", lambda: self._fetch(chosen))
        self._database_is_free()
        if self.root and (mail := mail_of(chosen)):
            root = self.root
            self._once("read", "read the mail", lambda: self._mail(mail, root))
            self._once("place", "give messages their names and flags", lambda: self._place(root))

    def _bring(self, chosen: Mapping[str, Any]) -> None:
        """Put what was read in its place; the services are stopped."""
        if self.wanted["database"] and (self.rest / DUMP).exists():
            here = database(self.wanted["database"])
            self._once("dump", "keep the database of before", lambda: self._dump(here))
            self._once("database", "write the database", lambda: here.load(self.rest, self.changed.touch))
        self.changed.touch()
        if self.root and mail_of(chosen):
            root = self.root
            self._once("aside", "put mail aside", lambda: self._aside(root))
            self._once("mail", "put the mail there", lambda: self._swap(root))
        known = json.loads((self.rest / "owners.json").read_text("utf-8"))
        self.progress.step("write keys and secrets")
        self._paths(self.rest, known)
        if self.wanted["queue"] and (self.rest / "queue").is_dir():
            queue = Path(self.wanted["queue"])
            self._once("queued", "read the queue", lambda: self._copy_queue(queue))
            self._once("queue", "fill the queue", lambda: state.fill_queue(queue))

    def _failed(self, failure: Exception, *, stopped: bool) -> str:
        """Start what runs on as before, or return what a host that is half restored needs."""
        text = str(failure) if isinstance(failure, FailureError) else f"{type(failure).__name__}: {failure}"
        if not self.changed.exists():
            if stopped:
                self._systemctl("start")
                text = "; ".join([text, *self.failed])
            return f"{text}; nothing has changed"
        units = ", ".join(self.wanted["services"])
        waits = f", and until then these are stopped: {units}" if units and stopped else ""
        return f"{text}; this host is half restored: the same command goes on{waits}"

    def _chosen(self) -> dict[str, Any]:
        at = str(self.wishes.get("at") or "")
        if not at and self._goes_on():
            return chosen(self.repository, self.mark.read_text("utf-8"))
        found = chosen(self.repository, at)
        if not at and self.root:
            if tag_of(found, "messages") == "0":
                raise FailureError(f"{str(found['id'])[:8]}: {_NO_MAIL}")
            largest = max(backups(self.repository), key=_messages)
            if 2 * _messages(found) < _messages(largest):
                raise FailureError(
                    f"the last backup is {_named(found)}, but {_named(largest)}: choose by the option at ID"
                )
        return found

    def _goes_on(self) -> bool:
        """Return whether the same command means the same backup as the last time."""
        return self.mark.exists() and (
            self.changed.exists() or time.time() - self.mark.stat().st_mtime < _SAME_DAY
        )

    def _begin(self, chosen: Mapping[str, Any]) -> None:
        """Go on with a restore of this backup, or forget the steps of one of another."""
        identity = str(chosen["id"])
        begun = self.mark.exists() and self.mark.read_text("utf-8") == identity
        half = self.changed.exists()
        if begun and half:
            return self._go_on()
        if self.root and os.path.lexists(aside := self.root / ASIDE):
            with opened(aside):  # or it fails here, before anything has changed
                pass
        if self.root and not self.wishes.get("overwrite") and has_mail(self.root):
            raise FailureError(
                f"{self.root} has mail already; the option overwrite puts it aside, in {ASIDE} there"
            )
        if begun:
            return self._go_on()
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        if half:
            self.changed.touch()
        if self.root:
            removed(self.root / folders.WORK)
            self._room(self.root, int(tag_of(chosen, "bytes") or 0))
        self.mark.write_text(identity, "utf-8")
        return None

    def _go_on(self) -> None:
        """Take over what earlier runs have counted."""
        if (WORK / "counted.json").exists():
            self.failed, self.counts = json.loads((WORK / "counted.json").read_text("utf-8"))

    def _room(self, root: Path, size: int) -> None:
        """Raise ``FailureError`` if mail of this size has no room beside that of the host."""
        free = room.free(root)
        if size + room.reserve(root) > free:
            raise FailureError(
                f"the mail of this backup has {size >> 20} MiB; on the disk of {root}, "
                f"{free >> 20} MiB are free"
            )

    def _once(self, name: str, text: str, do: Callable[[], None]) -> None:
        done = WORK / f"{name}.done"
        if not done.exists():
            self.progress.step(text)
            do()
            (WORK / "counted.json").write_text(json.dumps([self.failed, self.counts]), "utf-8")
            done.touch()

    def _fetch(self, chosen: Mapping[str, Any]) -> None:
        shutil.rmtree(self.rest, ignore_errors=True)
        self.rest.mkdir()
        bad = written(self.repository, str(chosen["id"]), self.rest)
        if any(each.lstrip("/") in (DUMP, "owners.json") for each in bad):
            raise FailureError(
                f"the backup is damaged: {bad[0]} can't be read; the option at ID takes an older one"
            )
        self._damaged(bad)

    def _database_is_free(self) -> None:
        """Raise ``FailureError`` if accounts would be lost that the backup does not have."""
        dump = self.rest / DUMP
        if not self.wanted["database"] or self.wishes.get("overwrite") or self.changed.exists():
            return
        users = database(self.wanted["database"]).users()
        advice = f"the option overwrite replaces the database, and keeps a dump of it in {DUMPS}"
        if users and not self.root:
            raise FailureError(f"the database has users already, such as {min(users)}; {advice}")
        if dump.exists() and (lost := unnamed(users, dump)):
            raise FailureError(f"this backup does not have users such as {min(lost)}; {advice}")

    def _dump(self, old: Database) -> None:
        place = DUMPS / time.strftime("%Y%m%d-%H%M%S")
        place.mkdir(parents=True, mode=0o700, exist_ok=True)
        try:
            old.dump(place)
        except FailureError:
            if not self.changed.exists():  # of another restore that was cut off: there is none left
                raise

    def _aside(self, root: Path) -> None:
        names = [each.name for each in sorted(root.iterdir()) if each.name not in (ASIDE, folders.WORK)]
        had_mail = has_mail(root)
        for name in names:
            self._put_aside(root, name)
        if had_mail:
            self.counts["aside"] = str(root / ASIDE)

    def _put_aside(self, root: Path, name: str) -> None:
        with made(root / ASIDE) as aside, made(aside / time.strftime("%Y%m%d-%H%M%S")) as target:
            (root / name).rename(target / name)

    def _mail(self, mail: str, root: Path) -> None:
        self._damaged(mail_read(self.repository, mail, root / folders.WORK, self.wanted["owner"]))

    def _place(self, root: Path) -> None:
        found = placed(root / folders.WORK, self.rest / "mail", self.wanted["owner"])
        missing = found.pop("missing")
        self.failed += [f"not in the backup any more: {each}" for each in missing[:50]]
        self.counts |= {**found, "missing": len(missing)}

    def _swap(self, root: Path) -> None:
        if not os.path.lexists(root / folders.WORK):
            return
        with opened(root / folders.WORK) as work:
            for each in sorted(work.iterdir()):
                if os.path.lexists(root / each.name):  # made after a run that was cut off
                    self._put_aside(root, each.name)
                    self.counts["aside"] = str(root / ASIDE)
                each.rename(root / each.name)
        removed(root / folders.WORK)

    def _paths(self, rest: Path, known: Mapping[str, Any]) -> None:
        # the one that has opened the repository stays
        (rest / str(self.wanted.get("password", "none")).lstrip("/")).unlink(missing_ok=True)
        for path in self.wanted["paths"]:
            if path not in self.wanted["only_kept"] and os.path.lexists(rest / path.lstrip("/")):
                state.put(rest / path.lstrip("/"), Path(path), known)

    def _copy_queue(self, queue: Path) -> None:
        self.counts["held"], self.counts["dropped"] = state.copy_queue(queue, self.rest / "queue", DROPPED)

    def _resync(self) -> None:
        self.progress.step("let Dovecot find messages whose index was damaged")
        try:
            resynced("-A")
        except (FailureError, OSError, subprocess.SubprocessError) as failure:
            self.failed.append(str(failure))

    def _damaged(self, bad: list[str]) -> None:
        if bad:
            self.failed.append(f"the repository is damaged: {len(bad)} files can't be read, such as {bad[0]}")

    def _systemctl(self, verb: str) -> None:
        units = self.wanted["services"]
        if not units:  # a host with the database alone
            return
        # Debian 12's postfix is a wrapper, which does not wait for the end of its instances
        inner = [f"{unit}@*" for unit in units] if verb == "stop" else []
        done = subprocess.run(
            ["systemctl", verb, *units, *inner], capture_output=True, text=True, timeout=600
        )
        if done.returncode:
            text = f"systemctl {verb}: {done.stderr.strip()[:300]}"
            if verb == "stop":
                raise FailureError(text)
            self.failed.append(text)


def _messages(backup: Mapping[str, Any]) -> int:
    return int(tag_of(backup, "messages") or 0)


def _named(backup: Mapping[str, Any]) -> str:
    return f"{str(backup['id'])[:8]} of {in_utc(str(backup['time']))[:16]} with {_messages(backup)} messages"
