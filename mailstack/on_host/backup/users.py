"""Bring back the mail of one user, or one folder of it, beside all that is there."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .database import Account, database
from .doveadm import counted, imported, resynced
from .folders import ASIDE, WORK, has_mail
from .homes import account_of
from .homing import FORMATS
from .parts import chosen, mail_read, placed, written
from .progress import Progress
from .reached import made, opened, removed
from .restic import FailureError, Repository
from .restore import WORK as WHOLE_RESTORE
from .run import PLACE, as_user, in_utc, mail_of


class UserRestore:
    """A run. The mail of other users, and the database, stay as they are.

    + wishes: ``at``: the ID of a backup, empty for the last one; ``user``; ``folder``: empty for all
    """

    def __init__(
        self,
        configuration: Mapping[str, Any],
        repository: Repository,
        progress: Progress,
        wishes: Mapping[str, Any],
    ) -> None:
        self.wanted, self.repository, self.progress = configuration, repository, progress
        self.user, self.folder, self.at = str(wishes["user"]), str(wishes.get("folder") or ""), wishes["at"]
        self.failed: list[str] = []
        self.aside, self.enabled = "", True

    def run(self) -> dict[str, Any]:
        """Bring it back, and return the result. Raises ``FailureError``."""
        begun = time.time()
        self.progress.step("open the repository")
        self.repository.open()
        found, root = chosen(self.repository, str(self.at or "")), Path(self.wanted["mail"])
        if (WHOLE_RESTORE / "changed").exists():
            raise FailureError("this host is half restored: mailstack.restore goes on with all of it first")
        self._end_whole()
        rest, live = PLACE / "user", root / WORK
        removed(rest)
        rest.mkdir()
        try:
            counts = self._bring(found, rest, live)
        finally:
            for place in (rest, live):
                removed(place)
        result = {"at": int(begun), "snapshot": str(found["id"])[:8], "made": in_utc(str(found["time"]))}
        return {**result, **counts, "failed": self.failed, "seconds": round(time.time() - begun)}

    def _end_whole(self) -> None:
        """Forget a restore of the whole host that was cut off as it read: its work is in ``WORK``, too."""
        shutil.rmtree(WHOLE_RESTORE, ignore_errors=True)
        if self.wanted["database"]:
            database(self.wanted["database"]).tidy()

    def _account(self) -> Account:
        """Return where the mail of the user is now. Raises ``FailureError``."""
        account = account_of(self.user)
        if account is None and self.wanted["database"]:
            self.enabled = False
            account = database(self.wanted["database"]).accounts(self.wanted["mail"]).get(self.user)
        if account is None:
            raise FailureError(
                f"there is no user {self.user}: mailstack.accounts.user creates it, with any password"
            )
        return account

    def _bring(self, found: Mapping[str, Any], rest: Path, live: Path) -> dict[str, Any]:
        self.progress.step("read the list of users")
        written(self.repository, str(found["id"]), rest, "/homes.json")
        directory = self._directory(json.loads((rest / "homes.json").read_text("utf-8")))
        account = self._account()
        self.progress.step("read the mail")
        parts = (f"/mail/tree/{directory}", *lists_of(directory))
        bad = written(self.repository, str(found["id"]), rest, *parts)
        bad += mail_read(self.repository, mail_of(found), live, self.wanted["owner"], f"/{directory}")
        if bad:
            self.failed.append(f"the repository is damaged: {len(bad)} files can't be read, such as {bad[0]}")
        (rest / "mail").mkdir(exist_ok=True)
        if not only(directory, rest / "mail/names") and has_mail(live):
            raise FailureError(
                f"the backup has no list of messages of {self.user}; the option at ID takes another one"
            )
        counts = placed(live, rest / "mail", self.wanted["owner"])
        missing = counts.pop("missing")
        self.failed += [f"not in the backup any more: {each}" for each in missing[:50]]
        home, source = Path(account.home), live / directory
        if not self.folder and not has_mail(home) and _fits(source, account.driver):
            self._whole(source, home)
            if self.failed and self.enabled:
                resynced("-u", self.user)
            return {**counts, "missing": len(missing), "into": "", "aside": self.aside}
        if not self.enabled:
            raise FailureError(
                f"{self.user} is disabled, and Dovecot opens no such mailbox: enable the user for the restore"
            )
        into = f"Restored {in_utc(str(found['time']))[:10]} {str(found['id'])[:8]}"
        self._import(source, into)
        return {"messages": counted(self.user, self._beside(into)), "missing": len(missing), "into": into}

    def _directory(self, homes: Mapping[str, str]) -> str:
        """Return the directory of the user in the backup, below that of all mail."""
        home, root = homes.get(self.user), f"{homes['']}/"
        if home is None:
            raise FailureError(f"the backup has no user {self.user}")
        if not home.startswith(root):
            raise FailureError(f"the backup has no mail of {self.user}, whose home was {home}")
        return home.removeprefix(root)

    def _whole(self, source: Path, home: Path) -> None:
        """Put a whole home there: the user has no mail, so messages keep their UIDs.

        What is there is put aside first, in a directory that only root and this one process can enter.
        """
        self.progress.step("put the mail there")
        owner = pwd.getpwnam(self.wanted["owner"])
        place = Path(self.wanted["mail"]) / ASIDE
        with made(place) as reached:
            aside = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=reached))
            with opened(aside) as entered:
                os.chown(entered, owner.pw_uid, owner.pw_gid)
                subprocess.run(["doveadm", "kick", self.user], capture_output=True, timeout=60)
                told = json.dumps({"source": str(source), "home": str(home)})
                found = as_user(self.wanted["owner"], "homing", entered, iter([told]))
            if found["aside"]:
                self.aside = str(place / aside.name)
                return
            shutil.rmtree(aside)
        with contextlib.suppress(OSError):  # of another restore, too
            place.rmdir()

    def _beside(self, into: str) -> list[str]:
        """Return masks for the folders that come from the backup."""
        return [f"{into}/{self.folder}"] if self.folder else [into, f"{into}/*"]

    def _import(self, source: Path, into: str) -> None:
        self.progress.step(f"copy the mail into {into}")
        found = [(name, kind) for name, kind in FORMATS.items() if (source / name).is_dir()]
        if not found:
            raise FailureError(f"the backup has no mail of {self.user}")
        if counted(self.user, self._beside(into)):
            raise FailureError(
                f"the user has the folder {into} already, with mail: rename or remove it first"
            )
        query = ["mailbox", self.folder] if self.folder else ["all"]
        for name, kind in found:
            imported(self.user, f"{kind}:{source / name}", into, query)
        if not counted(self.user, self._beside(into)):
            what = f"no folder {self.folder}, or no message in it" if self.folder else "no message"
            raise FailureError(f"the backup has {what} of {self.user}")


def _fits(source: Path, driver: str) -> bool:
    """Return whether Dovecot looks for mail in this format."""
    return not driver or any((source / name).is_dir() and kind == driver for name, kind in FORMATS.items())


def lists_of(directory: str) -> list[str]:
    """Return the paths in a backup of the lists that may have messages of a home; see ``keeping``."""
    parts = directory.split("/")[:2]
    return [f"/mail/names/{'/'.join(parts)}.names", f"/mail/names/{directory}"]


def only(directory: str, names: Path) -> bool:
    """Leave the messages of one home alone in these lists; return whether there are any."""
    found = False
    for file in sorted(names.rglob("*.names")):
        with file.open(encoding="utf-8") as lines:
            own = [line for line in lines if f"{json.loads(line)[0]}".startswith(f"{directory}/")]
        file.write_text("".join(own), "utf-8")
        found = found or bool(own)
    return found
