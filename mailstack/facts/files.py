"""How the files of a component lie on a host."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailstack.facts.reading import Probe


class Found(NamedTuple):
    """What lies at a path: ``kind`` is stat(1)'s word for the file type, ``sha256`` is set for files."""

    kind: str
    mode: int
    owner: str
    group: str
    sha256: str | None = None


def file_states(paths: Iterable[str]) -> Probe[dict[str, Found]]:
    """Type, mode, owner, group and SHA-256 of each path that exists."""
    return Probe(_states_of, tuple(paths), _parse_states)


def _states_of(paths: Sequence[str]) -> str:
    quoted = shlex.join(paths)
    return f"stat -c '%F|%a|%U|%G|%n' -- {quoted}; echo; sha256sum -- {quoted}"


def _parse_states(output: str) -> dict[str, Found]:
    stats, _, sums = output.partition("\n\n") if not output.startswith("\n") else ("", "", output)
    sha256 = _parse_sums(sums)
    found = {}
    for line in stats.splitlines():
        kind, mode, owner, group, path = line.split("|", 4)
        kind = "regular file" if kind == "regular empty file" else kind
        found[path] = Found(kind, int(mode, 8), owner, group, sha256.get(path))
    return found


def file_texts(paths: Iterable[str]) -> Probe[dict[str, str]]:
    """The content of each of these text files that exists; what is not UTF-8 as surrogates (PEP 383)."""
    return Probe(_texts_of, tuple(paths), _parse_texts)


def _texts_of(paths: Sequence[str]) -> str:
    return "; ".join(f"printf '%s\\t' {p}; base64 -w0 < {p}; echo" for p in map(shlex.quote, paths))


def _parse_texts(output: str) -> dict[str, str]:
    pairs = (line.partition("\t") for line in output.splitlines() if line)
    return {path: base64.b64decode(text).decode(errors="surrogateescape") for path, _, text in pairs}


def index_sums(component: str) -> Probe[dict[str, str]]:
    """SHA-256 of each index (``.db``) as it was when ``config_files`` last built it."""
    return Probe(_records_of, (component,), _parse_sums)


def _records_of(components: Sequence[str]) -> str:
    return f"cat {shlex.join(map(index_record, components))}"


def _parse_sums(output: str) -> dict[str, str]:
    """What sha256sum(1) says of each path."""
    return {line[66:]: line[:64] for line in output.splitlines() if len(line) > 66}


def index_record(component: str) -> str:
    """Where those sums are kept."""
    return f"/var/lib/mailstack/{component}.indexes"
