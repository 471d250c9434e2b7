"""The configuration files of a component: all of them in one operation."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Sequence
from functools import cache

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.output import format_text
from pyinfra.context import host

from mailstack import file_plan, secrets, shared_files
from mailstack.facts.files import FileStates, FileTexts, IndexSums
from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import announce, read
from mailstack.file_plan import Change
from mailstack.files import Activation, Entry, File
from mailstack.operation import operation
from mailstack.run import is_executing, shows_diff
from mailstack.shell import script, shell


def config_files(
    entries: ByPlatform[Sequence[Entry]],
    *,
    component: str,
    units: Sequence[str] = (),
    store: secrets.Store | None = None,
    check: str = "",
) -> None:
    """Make files and directories of a component lie on the host exactly as given.

    + entries: the files and directories for a platform
    + component: the name of the component: names the operation and its staging directory
    + units: the services that must reload or restart once a file has changed (``units.running`` does it)
    + store: where the secrets come from that files have placeholders for
    + check: shell that is run before anything is replaced; ``$stage`` is the root of the staged files, and
      ``mark`` leaves a mark. If it fails the run ends, and the old files stay.

    Files are written atomically: staged with their final owner and mode where only root can read them, then
    renamed. ``--diff`` shows what changes, with secrets masked.
    """
    entries = cache(entries)
    possible = of_any_release(entries)
    announce(PLATFORM, FileStates.of(file_plan.paths(possible)), IndexSums.of(component))
    if shared := file_plan.shared_paths(possible):
        announce(FileTexts.of(shared))
    store = store or secrets.Store({})
    store.announce(_secret_names(possible))
    _config_files(
        by_platform=entries,
        component=component,
        units=tuple(units),
        store=store,
        check=check,
        name="Write configuration",
    )


@operation
def _config_files(
    by_platform: ByPlatform[Sequence[Entry]],
    component: str,
    units: Sequence[str],
    store: secrets.Store,
    check: str,
) -> Generator[StringCommand]:
    declared = here(by_platform)
    shared = file_plan.shared_paths(declared)
    entries = file_plan.with_others(declared, read(FileTexts.of(shared)) if shared else {})
    values = store.values(_secret_names(entries))
    found = read(FileStates.of(file_plan.paths(entries)))
    changes = file_plan.plan(entries, found, read(IndexSums.of(component)), values)
    if not changes:
        host.noop("all files are as they should be")
        return
    _show(changes)
    if not is_executing():
        yield StringCommand("true")
        return
    if missing := sorted(name for name, value in values.items() if value is None):
        owner = store.owner or host
        raise OperationError(
            f"{', '.join(missing)}: {owner.name} does not keep it; allowed: a run that sets up the database "
            f"on {owner.name}, or the password in the settings",
        )
    marks = [f"{unit}.{kind}" for unit in units for kind in _activations(changes)]
    archive = file_plan.archive(entries, values, check, file_plan.manifest(changes, marks))
    yield shell("\n".join([script("keep"), script("apply", component)]), archive)


def _activations(changes: Sequence[Change]) -> set[Activation]:
    """Nothing to do for a daemon where only a directory or the mode of a file was put right."""
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


def _show(changes: Sequence[Change]) -> None:
    """One line a path while it changes; under ``--diff`` also what changes in it."""
    if not (is_executing() or shows_diff()):
        return
    texts: dict[str, str] = {}
    if shows_diff():
        wanted = [c.entry.path for c in changes if isinstance(c.entry, File) and "content" in c.reasons]
        texts = read(FileTexts.of(wanted)) if wanted else {}
    for change in changes:
        host.log(str(change))
        if shows_diff() and isinstance(change.entry, File) and change.needs_writing:
            for line in diff(change.entry, texts.get(change.entry.path, "")):
                colour = {"+": "green", "-": "red"}.get(line[:1])
                host.log(f"  {format_text(line, colour) if colour else line}")


def diff(file: File, now: str) -> list[str]:
    """A unified diff that shows no secret, neither the new ones nor those that lie on the host.

    In a file that not everybody may read, a line that goes away is shown only if it comes back elsewhere,
    and a line of others never.
    """
    then = secrets.mask(file.content or "").splitlines()
    old = now.splitlines()
    # lines of others may be in an encoding that the terminal does not know
    then, old = ([_printable(line) for line in lines] for lines in (then, old))
    if not file.mode & 0o004:
        ours = set(shared_files.block(then))
        then = [line if line in ours else "*MASKED*" for line in then]
        old = [line if line in then else "*MASKED*" for line in old]
    return list(difflib.unified_diff(old, then, file.path, file.path, lineterm="", n=1))


def _printable(line: str) -> str:
    return line.encode(errors="surrogateescape").decode(errors="replace")
