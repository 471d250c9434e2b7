"""Bring back a whole backup, onto a host that a deploy has made."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import state
from .folders import ASIDE
from .progress import Progress
from .restic import FailureError, Repository
from .run import PLACE, WHOLE, as_user, in_utc, mail_of, tag_of

WISHES = PLACE / "wishes.json"
WORK = PLACE / "restore"
_HELD = WORK / "held"
_NO_MAIL = "this backup has no message; name it by at=ID if you want it"


class Restore:
    """A run. If it is cut off, the next one with the same wishes goes on where it was.

    + wishes: ``at``: the ID of a backup, empty for the last one; ``overwrite``: whether mail on the host is
      put aside
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
        self.counts: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        """Bring it back, and return the result. Raises ``FailureError``."""
        begun = time.time()
        self.progress.step("open the repository")
        self.repository.open()
        chosen = self._chosen()
        self._begin(str(chosen["id"]))
        self._systemctl("stop")
        try:
            self._bring(chosen)
        except FailureError as failure:
            raise FailureError(f"{failure}{self._stopped()}") from None
        self._systemctl("start")
        if _HELD.exists():  # perhaps of a run that was cut off later
            self.counts["held"] = int(_HELD.read_text("utf-8"))
        shutil.rmtree(WORK, ignore_errors=True)
        WISHES.unlink(missing_ok=True)
        result = {"at": int(begun), "snapshot": str(chosen["id"])[:8], "made": in_utc(str(chosen["time"]))}
        return {**result, **self.counts, "failed": self.failed, "seconds": round(time.time() - begun)}

    def _bring(self, chosen: Mapping[str, Any]) -> None:
        rest, mail, root = WORK / "rest", mail_of(chosen), self.wanted["mail"]
        self._once("fetch", "read the database, the keys and the indexes", lambda: self._fetch(chosen, rest))
        if self.wanted["database"] and (rest / state.DUMP).exists():
            database = state.Database(self.wanted["database"])
            self._once("database", "write the database", lambda: database.load(rest))
        if root and mail:
            self._once("aside", "put mail aside", lambda: self._aside(Path(root)))
            self._once("mail", "write the mail", lambda: self._mail(mail, Path(root)))
            self.progress.step("give messages their names and flags")
            self._place(Path(root), rest / "mail")
        known = json.loads((rest / "owners.json").read_text("utf-8"))
        self.progress.step("write keys and secrets")
        self._paths(rest, known)
        if self.wanted["queue"] and (rest / "queue").is_dir():
            self._once("queue", "fill the queue", lambda: self._queue(rest / "queue"))

    def _stopped(self) -> str:
        """Return what is added to an error, as a host that is half restored takes no mail."""
        units = ", ".join(self.wanted["services"])
        return f"; stopped until mailstack.restore has ended well: {units}" if units else ""

    def _chosen(self) -> dict[str, Any]:
        at = str(self.wishes.get("at") or "")
        found = chosen(self.repository, at)
        if not at and self.wanted["mail"] and tag_of(found, "messages") == "0":
            raise FailureError(f"{str(found['id'])[:8]}: {_NO_MAIL}")
        return found

    def _begin(self, identity: str) -> None:
        """Forget the steps of a restore of another backup."""
        mark = WORK / "of"
        if mark.exists() and mark.read_text("utf-8") == identity:
            return
        if self.wanted["mail"] and not self.wishes.get("overwrite") and has_mail(Path(self.wanted["mail"])):
            raise FailureError(
                f"{self.wanted['mail']} has mail already; overwrite=true puts it aside, in {ASIDE} there"
            )
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        mark.write_text(identity, "utf-8")

    def _once(self, name: str, text: str, do: Callable[[], None]) -> None:
        done = WORK / f"{name}.done"
        if not done.exists():
            self.progress.step(text)
            do()
            done.touch()

    def _fetch(self, chosen: Mapping[str, Any], rest: Path) -> None:
        shutil.rmtree(rest, ignore_errors=True)
        rest.mkdir()
        bad = written(self.repository, str(chosen["id"]), rest)
        if any(each.lstrip("/") in (state.DUMP, "owners.json") for each in bad):
            raise FailureError(f"the backup is damaged: {bad[0]} can't be read; at=ID names an older one")
        self._damaged(bad)

    def _aside(self, root: Path) -> None:
        names = [each for each in sorted(root.iterdir()) if each.name != ASIDE]
        if names:
            target = root / ASIDE / time.strftime("%Y%m%d-%H%M%S")
            target.mkdir(parents=True, mode=0o700)
            for each in names:
                each.rename(target / each.name)

    def _mail(self, mail: str, root: Path) -> None:
        self._damaged(written(self.repository, mail, root))
        give(root, self.wanted["owner"])

    def _place(self, root: Path, place: Path) -> None:
        found = placed(root, place, self.wanted["owner"])
        missing = found.pop("missing")
        self.failed += [f"not in the backup any more: {each}" for each in missing[:50]]
        self.counts |= {**found, "missing": len(missing)}

    def _paths(self, rest: Path, known: Mapping[str, Any]) -> None:
        for path in self.wanted["paths"]:
            if path not in self.wanted["only_kept"] and os.path.lexists(rest / path.lstrip("/")):
                state.put(rest / path.lstrip("/"), Path(path), known)

    def _queue(self, messages: Path) -> None:
        count = state.put_queue(Path(self.wanted["queue"]), messages)
        _HELD.write_text(str(count), "utf-8")

    def _damaged(self, bad: list[str]) -> None:
        if bad:
            self.failed.append(f"the repository is damaged: {len(bad)} files can't be read, such as {bad[0]}")

    def _systemctl(self, verb: str) -> None:
        units = self.wanted["services"]
        if not units:  # a host with the database alone
            return
        done = subprocess.run(["systemctl", verb, *units], capture_output=True, text=True, timeout=600)
        if done.returncode:
            self.failed.append(f"systemctl {verb}: {done.stderr.strip()[:300]}")


def chosen(repository: Repository, at: str) -> dict[str, Any]:
    """Return a backup of this host by its ID, or the last one. Raises ``FailureError`` if there is none."""
    found = [each for each in repository.snapshots() if WHOLE in (each.get("tags") or [])]
    wanted = [each for each in found if not at or str(each["id"]).startswith(at)]
    if not wanted:
        what = f"no backup {at}" if at else "no backup"
        raise FailureError(f"{repository.place} has {what} of {repository.host}")
    return wanted[-1]


def written(repository: Repository, snapshot: str, target: Path, *only: str) -> list[str]:
    """Write the files of a snapshot, and return the paths of those that can't be read.

    + only: paths in the snapshot; by default all
    """
    options = [text for path in only for text in ("--include", re.sub(r"([\\*?\[])", r"\\\1", path))]
    bad = repository.restore(snapshot, target, *options)
    for each in bad:
        path = target / each.lstrip("/")
        if path.is_file():
            path.unlink()  # it may have the right size, and a wrong content
    return bad


def give(root: Path, owner: str) -> None:
    """Give all below a directory to the user of the mail, but for what is put aside."""
    user = pwd.getpwnam(owner)
    for directory, names, files in os.walk(root):
        if directory == str(root) and ASIDE in names:
            names.remove(ASIDE)
        for name in (*names, *files):
            os.lchown(Path(directory, name), user.pw_uid, user.pw_gid)


def placed(root: Path, place: Path, owner: str) -> dict[str, Any]:
    """Make a tree of mail equal to a backup; see ``placing``."""
    give(place, owner)
    shutil.chown(place, owner, owner)
    return as_user(owner, "placing", place, iter([json.dumps({"root": str(root)})]))


def has_mail(root: Path) -> bool:
    """Return whether there is a message, which costs no time if there are many."""
    for directory, names, files in os.walk(root):
        if ASIDE in names:
            names.remove(ASIDE)
        here = Path(directory).name
        if files and (here in ("cur", "new") or any(each.startswith("u.") for each in files)):
            return True
    return False
