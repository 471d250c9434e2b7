"""Make a tree of mail equal to a backup: the inverse of ``keeping``. It runs as the user of the mail.

On standard input comes ``{"root": …}``. ``root`` has the files of the snapshot of live mail; this directory
has ``tree`` and ``names``. On standard output comes ``{"messages": …, "missing": […]}``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .folders import Folder, copy, folders, is_message, key, place


class Placer:
    """The tree, and what was counted."""

    def __init__(self, root: Path, source: Path) -> None:
        self.root, self.tree, self.names = root, source / "tree", source / "names"
        self.placed = 0
        self.missing: list[str] = []
        self._seen: set[str] = set()

    def place(self) -> dict[str, Any]:
        """Make the tree equal, and return the counts."""
        for folder in folders(self.tree):
            self._skeleton(folder)
        for names in sorted(self.names.rglob("*.names")):
            for path, wanted in _by_folder(names):
                self._messages(path, wanted)
        for folder in list(folders(self.root)):
            self._tidy(folder)
        return {"messages": self.placed, "missing": self.missing}

    def _skeleton(self, folder: Folder) -> None:
        inner = ["cur", "new", "tmp"] if folder.is_maildir else []
        for directory in (folder.place, *(folder.place / each for each in inner)):
            here = self.root / directory.relative_to(self.tree)
            here.mkdir(mode=0o700, exist_ok=True)

    def _messages(self, path: str, wanted: dict[str, str]) -> None:
        """Give each message of a folder its name, and remove those that are in no list."""
        self._seen.add(path)
        here, copies = Folder(self.root, path), Folder(self.tree, path)
        found, copied = here.listing(), copies.listing()
        for each, name in wanted.items():
            target = here.place / name
            if each in copied:
                copy(copies.place / copied[each], target)
                if found.get(each, name) != name:
                    (here.place / found[each]).unlink()
            elif each not in found:
                self.missing.append(f"{path}/{name}")
                continue
            elif found[each] != name:
                (here.place / found[each]).rename(target)
            self.placed += 1
        for each, name in found.items():
            if each not in wanted:
                (here.place / name).unlink()

    def _tidy(self, folder: Folder) -> None:
        """Put the other files of a directory there, and remove what the backup does not have."""
        kept = self.tree / folder.path
        if not kept.is_dir():
            shutil.rmtree(folder.place, ignore_errors=True)
            return
        if folder.path not in self._seen:
            for name in folder.listing().values():
                (folder.place / name).unlink()
        others = set(Folder(self.tree, folder.path).others())
        for each in folder.place.iterdir():
            is_file = each.is_symlink() or each.is_file()
            if is_file and each.name not in others and not is_message(f"{folder.path}/{each.name}"):
                each.unlink()
        for name in others:
            copy(kept / name, folder.place / name)


def _by_folder(names: Path) -> Iterator[tuple[str, dict[str, str]]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    with names.open(encoding="utf-8") as lines:
        for line in lines:
            path, _, _ = json.loads(line)
            folder, name = place(path)
            found[folder][key(name)] = name
    yield from found.items()


def main() -> int:
    """Read where, and place all."""
    told = json.loads(sys.stdin.readline())
    print(json.dumps(Placer(Path(told["root"]), Path()).place()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
