"""The state of files on a host."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailstack.facts.fact import Fact, Names, Question, Value, listed
from mailstack.text import lines_of


@dataclass(frozen=True)
class Found(Value):
    """The state of a path: ``kind`` is stat(1)'s name of the file type, ``sha256`` is set for files."""

    kind: str
    mode: int
    owner: str
    group: str
    sha256: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields by their names, with the mode in the form of chmod(1)."""
        return {**super().to_json(), "mode": f"{self.mode:04o}"}


class FileStates(Fact[dict[str, Found]]):
    """Return type, mode, owner, group and SHA-256 of each path that exists: ``dict[str, Found]``.

    + paths: the paths of files and directories
    """

    default = dict

    def command(self, paths: Names) -> str:
        """Ask for these paths."""
        return self.asking(listed(paths))

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        quoted = shlex.join(about)
        return f"stat -c '%F|%a|%U|%G|%n' -- {quoted}; echo; sha256sum -- {quoted}"

    def parse(self, output: str) -> dict[str, Found]:
        """See ``Question.parse``."""
        stats, _, sums = output.partition("\n\n") if not output.startswith("\n") else ("", "", output)
        sha256 = _parse_sums(sums)
        wanted = set(self.about)
        found = {}
        for line in lines_of(stats):
            kind, mode, owner, group, path = line.split("|", 4)
            kind = "regular file" if kind == "regular empty file" else kind
            if path in wanted:
                found[path] = Found(kind, int(mode, 8), owner, group, sha256.get(path))
        return found


class FileTexts(Question[dict[str, str]]):
    """Return the content of each existing text file; bytes that are not UTF-8 as surrogates (PEP 383).

    It is not a fact, as a file may contain a secret; ``pyinfra.facts.files.FileContents`` is one.
    """

    def command(self, paths: Names) -> str:
        """Ask for these paths."""
        return self.asking(listed(paths))

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return "; ".join(f"printf '%s\\t' {p}; base64 -w0 < {p}; echo" for p in map(shlex.quote, about))

    def parse(self, output: str) -> dict[str, str]:
        """See ``Question.parse``."""
        pairs = (line.partition("\t") for line in lines_of(output) if line)
        return {
            path: base64.b64decode(text).decode(errors="surrogateescape")
            for path, _, text in pairs
            if path in self.about
        }


INDEX_RECORD = "/var/lib/mailstack/indexes"
"""Where ``apply.sh`` notes the checksums of each index and its source, as the index was built."""


class IndexSums(Question[dict[str, str]]):
    """Return the SHA-256 of each index (``.db``) and its source when ``config_files`` last built it.

    It is not a fact, as a source may be a short text with a password, which can be guessed from its checksum.
    """

    def command(self) -> str:
        """Ask for the record."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"cat {INDEX_RECORD}"

    def parse(self, output: str) -> dict[str, str]:
        """See ``Question.parse``."""
        return _parse_sums(output)


def _parse_sums(output: str) -> dict[str, str]:
    """Return the checksum of each path in the output of sha256sum(1)."""
    return {line[66:]: line[:64] for line in lines_of(output) if len(line) > 66}
