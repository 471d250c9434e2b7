"""What the schemas of all engines have in common: numbered SQL files, and what of them must be applied. Pure.

Every file can be applied again at any time: it creates, adopts what somebody made by hand, and heals what
was changed. So whatever differs is put right by applying all of them again, which also records in
``mailstack_schema`` what was applied and in ``mailstack_objects`` what it made. Drift is the difference
between that record and the catalog.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class SqlFiles:
    """The SQL files of a package, with values for their ``{placeholders}``.

    + package: its name
    """

    package: str

    def numbered(self) -> tuple[str, ...]:
        """The numbered files, in the order in which they are applied."""
        return _numbered(self.package)

    def text_of(self, name: str) -> str:
        """The text of a file."""
        return _text_of(self.package, name)

    def render(self, name: str, values: Mapping[str, str]) -> str:
        """The text of a file with the values filled in."""
        return re.sub(r"\{([a-z_]+)\}", lambda match: values[match[1]], self.text_of(name))

    def sums(self, values: Mapping[str, str]) -> dict[str, str]:
        """The checksum of each numbered file as it is applied."""
        rendered = {name: self.render(name, values) for name in self.numbered()}
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in rendered.items()}

    def differences(self, state: Mapping[str, Any] | None, values: Mapping[str, str]) -> list[str]:
        """What has to be put right, by name; nothing if all is well.

        + state: ``{"applied": {file: sha256}, "recorded": number, "drift": [names]}``; ``None`` if there is
          no database yet
        """
        applied = state["applied"] if state else {}
        outdated = [name for name, sha256 in self.sums(values).items() if applied.get(name) != sha256]
        drift = list(state["drift"]) if state and applied else []
        if drift and state and not state["recorded"]:
            drift = ["table mailstack_objects"]
        if "search_path of database" in drift:  # by which PostgreSQL shortens the names in these definitions
            drift = [name for name in drift if not re.match("constraint|index|trigger", name)]
        lost = {name.removeprefix("table ") for name in drift if re.match("table ", name)}
        return outdated + [name for name in drift if name.startswith("table ") or not _part_of(name, lost)]


@cache
def _numbered(package: str) -> tuple[str, ...]:
    names = (entry.name for entry in files(package).iterdir())
    return tuple(sorted(name for name in names if re.fullmatch(r"\d{3}_\w+\.sql", name)))


@cache
def _text_of(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _part_of(name: str, tables: set[str]) -> bool:
    """Whether an object goes with one of the tables, so that the table's name says it all."""
    return any(re.search(rf"\b{table}\b", name) for table in tables)
