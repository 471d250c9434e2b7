"""The files of several components, written by one command."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable, Iterator, Sequence

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.output import format_text
from pyinfra.context import host

from mailstack import file_plan, secrets, shared_files
from mailstack.facts.files import FileStates, FileTexts, IndexSums
from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import announce, read
from mailstack.file_plan import Change, Owned
from mailstack.files import Activation, Entry, File, Group
from mailstack.operation import operation
from mailstack.operations import stages
from mailstack.operations.stages import in_stages
from mailstack.run import is_executing, shows_diff
from mailstack.shell import script, shell
from mailstack.text import lines_of


def config_files(groups: ByPlatform[Sequence[Group]], store: secrets.Store) -> None:
    """Write files and directories exactly as given.

    + groups: the files of each component for a platform; no path is in two of them
    + store: the source of the secrets for placeholders

    A group with a change is written as a whole. If one of its checks fails, the run ends and all old files
    stay. Files are written atomically: staged with their final owner and mode where only root can read them,
    then renamed. ``--diff`` shows the changes, with secrets masked. Marks name the services that must reload
    or restart, by ``units.running``.
    """
    announce_files(groups, store)
    _config_files(groups=groups, store=store, name="Write configuration")


def announce_files(groups: ByPlatform[Sequence[Group]], store: secrets.Store) -> None:
    """Announce the questions of ``file_changes``."""
    possible = of_any_release(lambda platform: _entries(groups(platform)))
    announce(PLATFORM, FileStates.of(file_plan.paths(possible)), IndexSums.of())
    if shared := file_plan.shared_paths(possible):
        announce(FileTexts.of(shared))
    store.announce(_secret_names(possible))


@operation
def _config_files(groups: ByPlatform[Sequence[Group]], store: secrets.Store) -> Generator[PyinfraCommand]:
    yield from in_stages([lambda: file_changes(here(groups), store)], "all files are as they should be")


def file_changes(groups: Sequence[Group], store: secrets.Store) -> Iterator[stages.Change]:
    """Compare the files with the host, and yield the one change that writes those that differ."""
    planned, values = _planned(groups, store)
    if not planned:
        return
    lines = list(_lines([change for _, _, changes in planned for change in changes]))
    if not is_executing():  # secrets may be missing yet
        yield stages.Change(lines, StringCommand("true"))
        return
    if missing := sorted(name for name, value in values.items() if value is None):
        owner = store.owner or host
        raise OperationError(
            f"{', '.join(missing)}: {owner.name} does not keep it; allowed: a run that sets up the database "
            f"on {owner.name}, or the password in the settings",
        )
    yield stages.Change(lines, _apply(planned, values))


def differences(groups: Sequence[Group], store: secrets.Store) -> list[str]:
    """Return a line for each path that ``file_changes`` would change."""
    planned, _ = _planned(groups, store)
    return [str(change) for _, _, changes in planned for change in changes]


def _planned(
    groups: Sequence[Group], store: secrets.Store
) -> tuple[list[tuple[Group, list[Owned], list[Change]]], dict[str, str | None]]:
    """Return the groups that differ from the host, and the secrets of all."""
    entries = _entries(groups)
    shared = file_plan.shared_paths(entries)
    texts = read(FileTexts.of(shared)) if shared else {}
    values = store.values(_secret_names(entries))
    found = read(FileStates.of(file_plan.paths(entries)))
    sums = read(IndexSums.of())
    planned = [
        (group, owned, changes)
        for group in groups
        if (owned := file_plan.with_others(group.entries, texts))
        and (changes := file_plan.plan(owned, found, sums, values))
    ]
    return planned, values


def _apply(
    planned: Sequence[tuple[Group, Sequence[Owned], Sequence[Change]]], values: secrets.Secrets
) -> StringCommand:
    """Return the command that stages the files of these groups, checks them, and makes the changes."""
    marks = dict.fromkeys(
        f"{unit}.{kind}"
        for group, _, changes in planned
        for unit in group.units
        for kind in _activations(changes)
    )
    archive = file_plan.archive(
        [entry for _, entries, _ in planned for entry in entries],
        values,
        "".join(f"(\n{check}\n)\n" for check in _checks([group for group, _, _ in planned])),
        file_plan.manifest([change for _, _, changes in planned for change in changes], list(marks)),
    )
    parts = ("brought", "keep", "enter", "apply")
    return shell("\n".join(map(script, parts)), archive)


def _checks(groups: Sequence[Group]) -> Iterator[str]:
    """Yield the checks of ``apply.sh``: scripts with an effect come after all that may fail."""
    for group in groups:
        yield from group.validate
    yield from (group.before for group in groups if group.before)
    for group in groups:
        for unit, reason in group.restart_if.items():
            yield f"if (\n{reason}\n); then mark {unit}.restart; fi"


def _entries(groups: Iterable[Group]) -> list[Entry]:
    return [entry for group in groups for entry in group.entries]


def _activations(changes: Sequence[Change]) -> set[Activation]:
    """Return the needed activations: none if only a directory or the mode of a file was fixed."""
    return {
        change.entry.activation
        for change in changes
        if isinstance(change.entry, File)
        and change.entry.activation is not None
        and (change.needs_writing or change.entry.content is None)
    }


def _secret_names(entries: Sequence[Entry]) -> set[str]:
    contents = (entry.content or "" for entry in entries if isinstance(entry, File))
    return set().union(*map(secrets.names_in, contents))


def _lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each changed path while it changes, and under ``--diff`` the changed lines too."""
    if not (is_executing() or shows_diff()):
        return
    texts: dict[str, str] = {}
    if shows_diff():
        wanted = [c.entry.path for c in changes if isinstance(c.entry, File) and "content" in c.reasons]
        texts = read(FileTexts.of(wanted)) if wanted else {}
    for change in changes:
        yield str(change)
        if shows_diff() and isinstance(change.entry, File) and change.needs_writing:
            for line in diff(change.entry, texts.get(change.entry.path, "")):
                colour = {"+": "green", "-": "red"}.get(line[:1])
                yield f"  {format_text(line, colour) if colour else line}"


def diff(file: File, now: str) -> list[str]:
    """Return a unified diff without secrets, neither new ones nor those on the host.

    In a file that not all users may read, a removed line is shown only if it is added elsewhere, and a line
    of others never.
    """
    then = lines_of(secrets.mask(file.content or ""))
    old = lines_of(now)
    # lines of others may be in an encoding that the terminal does not support
    then, old = ([_printable(line) for line in lines] for lines in (then, old))
    if not file.mode & 0o004:
        ours = set(shared_files.block(then))
        then = [line if line in ours else "*MASKED*" for line in then]
        old = [line if line in then else "*MASKED*" for line in old]
    return list(difflib.unified_diff(old, then, file.path, file.path, lineterm="", n=1))


def _printable(line: str) -> str:
    return line.encode(errors="surrogateescape").decode(errors="replace")
