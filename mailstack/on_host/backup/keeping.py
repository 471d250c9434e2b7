"""Copy what a snapshot of live mail lacks. It runs as the user of the mail, in a directory of it.

On standard input comes a line of JSON, ``{"root": …, "reserve": …}``, and then the fingerprint of each
message in the snapshot. Written are ``tree``, with all directories, all other files, and the missing
messages; and ``names``, with the list of all messages. On standard output comes ``{"messages": …, …}``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .folders import Folder, Message, copy, fingerprint, folders

_FSCK = "lost+found"
_ROUNDS = 20
_PAUSE = 0.05
_DEPTH = 2
"""A list of names is for a domain and user: where nothing changes, the next backup has the same file."""


class Keeper:
    """The copies, and what was counted.

    + kept: the fingerprints of the messages that the snapshot has
    + reserve: the bytes that stay free on the disk of the copies
    """

    def __init__(self, root: Path, target: Path, kept: set[str], reserve: int) -> None:
        self.root, self.kept, self.reserve = root, kept, reserve
        self.tree, self.names = target / "tree", target / "names"
        self.found = {"messages": 0, "bytes": 0, "copied": 0}
        self.failed: list[str] = []

    def keep(self) -> dict[str, Any]:
        """Copy all, and return the counts and the failures."""
        self.tree.mkdir(exist_ok=True)
        for folder in folders(self.root, onerror=self._unread):
            try:
                self._write(folder, self._folder(folder))
            except FileNotFoundError:
                continue  # the folder was removed meanwhile
            except PermissionError as error:
                self._unread(error)
        return {**self.found, "failed": self.failed[:100]}

    def _unread(self, error: OSError) -> None:
        """Note a directory that can't be read, such as one of root; but each disk has one of fsck(8)."""
        path = os.path.relpath(error.filename, self.root)
        if Path(path).name != _FSCK:
            self.failed.append(f"{path}: {error.strerror}")

    def _folder(self, folder: Folder) -> list[Message]:
        """Copy what is missing of a folder, and its other files after that; return its messages.

        Dovecot assigns UIDs in those other files. So they must be newer than the last message: they are
        copied again until no message has come meanwhile.
        """
        (self.tree / folder.path).mkdir(exist_ok=True)
        if folder.is_maildir:
            for name in ("cur", "new", "tmp"):
                (self.tree / folder.path / name).mkdir(exist_ok=True)
        safe: dict[str, Message] = {}
        listing: dict[str, str] = {}
        for round_ in range(_ROUNDS):
            listing = folder.listing()
            missing = [each for each in listing if each not in safe]
            if round_ and not missing:
                break
            for each in missing:
                if message := self._safe(folder, listing[each]):
                    safe[each] = message
            self._others(folder)
        if (
            not folder.is_maildir
        ):  # its index may still have a message that is gone since, and misses the file
            return list(safe.values())
        return [self._renamed(folder, safe[each], name) for each, name in listing.items() if each in safe]

    def _safe(self, folder: Folder, name: str) -> Message | None:
        """Return a message once it is in a snapshot or copied; ``None`` if it is gone."""
        try:
            message = folder.message(name)
            path = f"{folder.path}/{name}"
            if fingerprint(path, message.size, message.mtime) not in self.kept:
                self._copy(folder.place / name, self.tree / path)
                self.found["copied"] += 1
        except FileNotFoundError:
            return None
        except OSError as error:
            self.failed.append(f"{folder.path}/{name}: {error.strerror}")
            return None
        return message

    def _renamed(self, folder: Folder, message: Message, name: str) -> Message:
        """Return a message under its last name, and rename its copy, if there is one."""
        copied = self.tree / folder.path / message.name
        if name != message.name and copied.exists():
            copied.rename(self.tree / folder.path / name)
        return message._replace(name=name)

    def _others(self, folder: Folder) -> None:
        """Copy the other files, the index and its log so that they fit each other."""
        for _ in range(_ROUNDS):
            before = folder.indexes()
            for name in folder.others():
                try:
                    self._copy(folder.place / name, self.tree / folder.path / name)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    self.failed.append(f"{folder.path}/{name}: {error.strerror}")
            if folder.indexes() == before:
                return
            time.sleep(_PAUSE)

    def _copy(self, source: Path, target: Path) -> None:
        free = os.statvfs(self.tree)
        if free.f_bavail * free.f_frsize < self.reserve:
            raise SystemExit(f"the disk of {self.tree} is nearly full")
        copy(source, target)

    def _write(self, folder: Folder, messages: Iterable[Message]) -> None:
        text = ""
        for name, size, mtime in messages:
            text += json.dumps([f"{folder.path}/{name}", size, mtime]) + "\n"
            self.found["messages"] += 1
            self.found["bytes"] += size
        if not text:
            return
        parts = folder.path.split("/")[:_DEPTH]
        file = self.names.joinpath(*parts[:-1], f"{parts[-1]}.names")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as written:
            written.write(text)


def main() -> int:
    """Read what the snapshot has, and copy the rest."""
    os.umask(0o077)
    told = json.loads(sys.stdin.readline())
    kept = {line.strip() for line in sys.stdin}
    keeper = Keeper(Path(told["root"]), Path(), kept, int(told["reserve"]))
    print(json.dumps(keeper.keep()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
