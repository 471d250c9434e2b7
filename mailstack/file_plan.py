"""Compare the wanted files with those on the host. Pure."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.files import Found
from mailstack.files import Directory, Entry, File, Kept, Place, Shared

Owned = Directory | Place | Kept | File
"""An entry once the lines of others are known."""


_REWRITTEN = {"missing", "content", "type"}
"""Reasons to write a file, and with it its index, again."""


class Change(NamedTuple):
    """One path that differs, with the reasons, such as ``content``, ``mode``, ``owner`` or ``missing``."""

    entry: Owned
    reasons: tuple[str, ...]

    @property
    def needs_writing(self) -> bool:
        """Whether more than the attributes differ."""
        return bool({*_REWRITTEN, "index"} & set(self.reasons))

    def __str__(self) -> str:
        return f"{self.entry.path}: {', '.join(self.reasons)}"


def index_of(file: File | Shared) -> str:
    """Return the path of the index that a daemon reads instead of the file.

    It is Postfix's ``hash`` (see DATABASE_README), or the binary of a Sieve script (see sievec(1)).
    """
    if file.indexed == "sievec":
        return f"{file.path.removesuffix('.sieve')}.svbin"
    return f"{file.path}.db"


def paths(entries: Iterable[Entry]) -> list[str]:
    """Return all paths to compare: the entries and their indexes."""
    listed = []
    for entry in entries:
        listed.append(_place(entry))
        if isinstance(entry, File | Shared) and entry.indexed:
            listed.append(index_of(entry))
    return listed


def _place(entry: Entry) -> str:
    """Return the path for stat(1). A slash follows a link to a directory, as mail may be on another disk."""
    return f"{entry.path}/" if isinstance(entry, Directory | Place) else entry.path


def shared_paths(entries: Iterable[Entry]) -> list[str]:
    """Return the paths of shared files, whose text must be read."""
    return [entry.path for entry in entries if isinstance(entry, Shared)]


def with_others(entries: Iterable[Entry], texts: Mapping[str, str]) -> list[Owned]:
    """Return the entries, with each shared file replaced by the whole wanted file.

    + texts: the texts on the host, by path
    """
    return [
        entry.beside(texts.get(entry.path, "")) if isinstance(entry, Shared) else entry for entry in entries
    ]


def plan(
    entries: Sequence[Owned],
    found: Mapping[str, Found],
    index_sums: Mapping[str, str],
    values: secrets.Secrets,
) -> list[Change]:
    """Return the paths that differ.

    + entries: the wanted files and directories
    + found: the existing ones, by path
    + index_sums: the checksums of the indexes when they were built, by path
    + values: the secrets for the placeholders in the contents
    """
    changes = []
    for entry in entries:
        now = found.get(_place(entry))
        if isinstance(entry, Directory):
            reasons = _differences_of_attributes(entry, now) if now else ["missing"]
        elif isinstance(entry, Place):
            reasons = [] if now else ["missing"]
        elif isinstance(entry, Kept):
            # mailstack makes no links, so the link and its target are not its own
            reasons = _differences_of_attributes(entry, now) if now and now.kind == "regular file" else []
        else:
            reasons = _differences(entry, now, values)
            if entry.indexed:
                source = now if now and not _REWRITTEN & set(reasons) else None
                reasons += _differences_of_index(entry, source, found.get(index_of(entry)), index_sums)
        if reasons:
            changes.append(Change(entry, tuple(dict.fromkeys(reasons))))
    return changes


def _differences(file: File, now: Found | None, values: secrets.Secrets) -> list[str]:
    if file.content is None:
        return [] if now is None or _is_mask(file, now) else ["unwanted"]
    if now is None:
        return ["missing"]
    if now.kind != "regular file":
        return ["type"]
    content = secrets.fill_in(file.content, values)
    same = content is not None and hashlib.sha256(_encoded(content)).hexdigest() == now.sha256
    return ([] if same else ["content"]) + _differences_of_attributes(file, now)


def _is_mask(file: File, now: Found) -> bool:
    """Return whether it is what ``systemctl mask`` leaves; mailstack's own files are no links."""
    return file.path.startswith("/etc/systemd/system/") and now.kind == "symbolic link"


def _differences_of_attributes(entry: Directory | Kept | File, now: Found) -> list[str]:
    reasons = []
    if (now.owner, now.group) != (entry.owner, entry.group):
        reasons.append("owner")
    if now.mode != entry.mode:
        reasons.append("mode")
    return reasons


def _differences_of_index(
    file: File, source: Found | None, now: Found | None, index_sums: Mapping[str, str]
) -> list[str]:
    if file.content is None:
        return [] if now is None else ["unwanted"]
    if now is None or now.kind != "regular file" or index_sums.get(index_of(file)) != now.sha256:
        return ["index"]
    # others may change a shared source that needs no writing; earlier versions did not record its sum
    if source and index_sums.get(file.path, source.sha256) != source.sha256:
        return ["index"]
    return _differences_of_attributes(file, now)


def _encoded(content: str) -> bytes:
    """Return the bytes of a text; lines of others may be in any encoding."""
    return content.encode(errors="surrogateescape")


def manifest(changes: Sequence[Change], marks: Sequence[str]) -> str:
    """Return the instructions for ``apply.sh``, a line each.

    Marks are left first. Then files of others are copied, before anything is replaced.

    + marks: names of marks for ``units.running``
    """
    lines = [_line("mark", name) for name in marks]
    lines += [_line("keep", change.entry.path) for change in changes if _may_be_others(change)]
    return "".join([*lines, *(line for change in changes for line in _lines(change))])


def _may_be_others(change: Change) -> bool:
    """Return whether a file that others may have written changes. Its own have "mailstack" in the path."""
    entry = change.entry
    goes = isinstance(entry, File) and (change.needs_writing or entry.content is None)
    return goes and "mailstack" not in entry.path


def _lines(change: Change) -> list[str]:
    entry = change.entry
    if isinstance(entry, Place):
        return [_line("place", entry.path)]
    attributes = (entry.owner, entry.group, f"{entry.mode:o}")
    if isinstance(entry, Directory):
        return [_line("directory", entry.path, *attributes)]
    if isinstance(entry, Kept):
        return [_line("attributes", entry.path, *attributes)]
    indexes = [index_of(entry)] if entry.indexed else []
    if entry.content is None:
        return [_line("remove", path) for path in (entry.path, *indexes)]
    if not change.needs_writing:
        return [_line("attributes", path, *attributes) for path in (entry.path, *indexes)]
    return [_line(entry.indexed or "install", entry.path, *attributes, *indexes)]


def _line(verb: str, path: str, owner: str = "-", group: str = "-", mode: str = "-", index: str = "-") -> str:
    fields = (verb, path, owner, group, mode, index)
    if any(separator in field for field in fields for separator in "\t\n"):
        raise ValueError(f"{path!r}: a manifest has no place for tabs and newlines in a path")
    return "\t".join(fields) + "\n"


_NOBODY = 0o7777777
"""The owner in the archive if the host does not have that name: a number that no user has."""


def archive(entries: Iterable[Owned], values: secrets.Secrets, check: str, manifest: str) -> str:
    """Return the input of ``apply.sh``: a tar archive in base64 with the files and the manifest.

    + check: a shell script that checks the staged files before anything is replaced

    Raises ``KeyError`` if a secret is missing: it must exist by the time files are written.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, "check", check.encode())
        _add(tar, "manifest", manifest.encode())
        for file in entries:
            if not isinstance(file, File) or file.content is None:
                continue
            content = secrets.fill_in(file.content, values)
            if content is None:
                raise KeyError(f"{file.path}: {', '.join(sorted(secrets.names_in(file.content)))}")
            _add(tar, f"tree{file.path}", _encoded(content), file.mode, file.owner, file.group)
    return base64.encodebytes(buffer.getvalue()).decode()


def _add(
    tar: tarfile.TarFile, name: str, data: bytes, mode: int = 0o600, owner: str = "root", group: str = "root"
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uname, info.gname = len(data), mode, owner, group
    info.uid = info.gid = _NOBODY
    tar.addfile(info, io.BytesIO(data))
