"""Decide what must change for files to lie as they should: pure, without a host."""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.files import Found
from mailstack.facts.reading import LOCK
from mailstack.files import Directory, Entry, File, Kept, Place, Shared

STAGE = "/var/lib/mailstack/stage"
FOUND = "/var/lib/mailstack/found"
"""Here lies, at its own path, what was found on the host where we first wrote: once, and never changed."""
_KEEP = f"""keep() {{
  if [ -f "$1" ] && [ ! -e "{FOUND}$1" ] && ! grep -q 'Written by mailstack' "$1"; then
    mkdir -p "{FOUND}${{1%/*}}" && cp -pL "$1" "{FOUND}$1.new" && mv -fT "{FOUND}$1.new" "{FOUND}$1"
  fi
}}"""


def keep(paths: Iterable[str]) -> str:
    """Return shell that keeps what lies at these paths, if somebody else may have written it."""
    return "\n".join([_KEEP, *(f"keep {shlex.quote(path)}" for path in paths)])


Owned = Directory | Place | Kept | File
"""An entry once it is known what others wrote."""


_REWRITTEN = {"missing", "content", "type"}
"""Reasons for which a file, and with it its index, is written again."""


class Change(NamedTuple):
    """One path that differs, and in what: ``content``, ``mode``, ``owner``, ``index``, ``missing``, …"""

    entry: Owned
    reasons: tuple[str, ...]

    @property
    def needs_writing(self) -> bool:
        """Whether more than the attributes differ."""
        return bool({*_REWRITTEN, "index"} & set(self.reasons))

    def __str__(self) -> str:
        return f"{self.entry.path}: {', '.join(self.reasons)}"


def index_of(file: File | Shared) -> str:
    """The path of what a daemon reads instead of an indexed file.

    That is Postfix's ``hash`` (see DATABASE_README), or the binary of a Sieve script (see sievec(1)).
    """
    if file.indexed == "sievec":
        return f"{file.path.removesuffix('.sieve')}.svbin"
    return f"{file.path}.db"


def paths(entries: Iterable[Entry]) -> list[str]:
    """Every path to look at: the entries and their indexes."""
    listed = []
    for entry in entries:
        listed.append(_place(entry))
        if isinstance(entry, File | Shared) and entry.indexed:
            listed.append(index_of(entry))
    return listed


def _place(entry: Entry) -> str:
    """A link to a directory is one: mail may lie on another disk. The slash makes stat(1) follow it."""
    return f"{entry.path}/" if isinstance(entry, Directory | Place) else entry.path


def shared_paths(entries: Iterable[Entry]) -> list[str]:
    """Return the paths of the files whose text must be known: others write them too."""
    return [entry.path for entry in entries if isinstance(entry, Shared)]


def with_others(entries: Iterable[Entry], texts: Mapping[str, str]) -> list[Owned]:
    """Return the entries, with each shared file as it should be as a whole.

    + texts: what lies there now, by path
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
    """Compare what should be with what was found.

    + entries: what should lie on the host
    + found: what lies there, by path
    + index_sums: the sums of the indexes as they were built, by path
    + values: the secrets that the contents have placeholders for
    """
    changes = []
    for entry in entries:
        now = found.get(_place(entry))
        if isinstance(entry, Directory):
            reasons = _differences_of_attributes(entry, now) if now else ["missing"]
        elif isinstance(entry, Place):
            reasons = [] if now else ["missing"]
        elif isinstance(entry, Kept):
            # a link is somebody else's, and so is what it leads to
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
        return [] if now is None else ["unwanted"]
    if now is None:
        return ["missing"]
    if now.kind != "regular file":
        return ["type"]
    content = secrets.fill_in(file.content, values)
    same = content is not None and hashlib.sha256(_encoded(content)).hexdigest() == now.sha256
    return ([] if same else ["content"]) + _differences_of_attributes(file, now)


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
    # others may have changed the source, where it is as it should be; earlier versions did not record it
    if source and index_sums.get(file.path, source.sha256) != source.sha256:
        return ["index"]
    return _differences_of_attributes(file, now)


def _encoded(content: str) -> bytes:
    """Lines of others may be in any encoding."""
    return content.encode(errors="surrogateescape")


def archive(files: Iterable[File], values: secrets.Secrets) -> str:
    """The files as a tar archive in base64, with the final owners, groups and modes.

    Raises ``KeyError`` if a secret is missing: by the time files are written there is one.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in files:
            content = secrets.fill_in(file.content or "", values)
            if content is None:
                raise KeyError(f"{file.path}: {', '.join(sorted(secrets.names_in(file.content or '')))}")
            data = _encoded(content)
            info = tarfile.TarInfo(file.path.lstrip("/"))
            info.size, info.mode, info.uname, info.gname = len(data), file.mode, file.owner, file.group
            tar.addfile(info, io.BytesIO(data))
    return base64.encodebytes(buffer.getvalue()).decode()


def script(
    component: str,
    entries: Sequence[Owned],
    changes: Sequence[Change],
    marks: Sequence[str],
    checks: Sequence[str],
    index_record: str,
) -> str:
    """The shell script that makes the changes; it reads ``archive`` from standard input.

    Everything is staged and checked where only root can look, then marked, then renamed into place, an
    index before its source or after it, with none in between: wherever this ends early, the next run finds a
    difference or a mark.

    + checks: shell commands that see ``$stage``, the root of the staged tree, and fail if it is no good
    + marks: paths to create before the first file is replaced
    """
    lines = [
        "set -eu; umask 077",
        # all of it before the lock is taken, which must not wait for a connection that may be lost
        "archive=$(cat)",
        f"mkdir -p {LOCK.rpartition('/')[0]}; exec 9> {LOCK}",
        # who waits here for another run knows the host as it was before that
        "flock -w 5 9 || { echo 'another run is at work on this host: try again after it' >&2; exit 1; }",
        f"stage={STAGE}/{component}",
        'rm -rf "$stage"; mkdir -p "$stage"; trap \'rm -rf "$stage"\' EXIT',
        'printf %s "$archive" | base64 -d | tar -x -m -p -C "$stage"',
        # each program of Postfix waits until its main.cf is two seconds old: somebody might still write to it
        "find \"$stage\" -type f -exec touch -d '3 seconds ago' {} +",
    ]
    files = [entry for entry in entries if isinstance(entry, File) and entry.content is not None]
    attributes: dict[str, list[str]] = {}
    for file in files:
        for command in (f"chown {shlex.quote(f'{file.owner}:{file.group}')}", f"chmod {file.mode:o}"):
            attributes.setdefault(command, []).append(f'"$stage"{shlex.quote(file.path)}')
    lines += [f"{command} {' '.join(staged)}" for command, staged in attributes.items()]
    lines += checks
    lines += [f"mkdir -p {shlex.quote(path.rpartition('/')[0])}; : > {shlex.quote(path)}" for path in marks]
    if kept := [change.entry.path for change in changes if _may_be_others(change)]:
        lines += [keep(kept)]
    lines += [line for change in changes for line in _activate(change, index_record)]
    return "\n".join(lines)


def _may_be_others(change: Change) -> bool:
    """Whether a file goes, or is replaced, that somebody else may have written; our own have our name."""
    entry = change.entry
    goes = isinstance(entry, File) and (change.needs_writing or entry.content is None)
    return goes and "mailstack" not in entry.path


def _activate(change: Change, index_record: str) -> list[str]:
    entry = change.entry
    path = shlex.quote(entry.path)
    if isinstance(entry, Place):
        return [f"install -d -m 700 {path}"]
    owner = shlex.quote(f"{entry.owner}:{entry.group}")
    attributes = f"chown {owner} {path}; chmod {entry.mode:o} {path}"
    if isinstance(entry, Directory):
        group = f"-o {shlex.quote(entry.owner)} -g {shlex.quote(entry.group)} -m {entry.mode:o}"
        return [f"install -d {group} {path}"]
    if isinstance(entry, Kept):
        return [attributes]
    if entry.content is None:
        return [f"rm -rf {path} {shlex.quote(index_of(entry)) if entry.indexed else ''}".rstrip()]
    if not change.needs_writing:
        index = [attributes.replace(path, shlex.quote(index_of(entry)))] if entry.indexed else []
        return [attributes, *index]
    install = _install(f'"$stage"{path}', path)
    return _with_index(entry, install, index_record) if entry.indexed else [install]


def _with_index(file: File, install: str, index_record: str) -> list[str]:
    path, index = shlex.quote(file.path), shlex.quote(index_of(file))
    attributes = f"chown {shlex.quote(f'{file.owner}:{file.group}')} %s; chmod {file.mode:o} %s"
    if file.indexed == "sievec":
        # the binary names its source and serves for no other, so it can only be made where that lies; and
        # without -c a Dovecot that runs would say how it is configured, which it was before this change
        made = f"{index}.mailstack-new"
        compiling = f"sievec -c /etc/dovecot/dovecot.conf {path} {made}"
        lines = [f"rm -f {index}", install, compiling, attributes % (made, made), f"mv -fT {made} {index}"]
    else:
        made = f'"$stage"{index}'
        make = [f'{file.indexed} "$stage"{path}', attributes % (made, made), _install(made, index)]
        lines = [*make, install]
    record = shlex.quote(index_record)
    return [
        *lines,
        f"touch {record}; grep -v {' '.join(map(_of_path, (file.path, index_of(file))))} {record} "
        f"> {record}.new || :",
        f"sha256sum {path} {index} >> {record}.new; mv -f {record}.new {record}",
    ]


def _of_path(path: str) -> str:
    """The option of grep(1) for the line of a path in what sha256sum(1) says."""
    return f"-e {shlex.quote('  ' + path.replace('.', '[.]') + '$')}"


def _install(staged: str, path: str) -> str:
    """Copy beside the destination, unreadable for others until owner and mode are set, and rename."""
    beside = f"{path}.mailstack-new"
    return f"mkdir -p -m 755 $(dirname {path}); cp -p {staged} {beside}; mv -fT {beside} {path}"
