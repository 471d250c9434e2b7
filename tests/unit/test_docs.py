"""What the pages of docs/ name exists, and what is generated is up to date. `make docs` checks links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path

import pytest

import mailstack
from mailstack.reference import reference
from tests.support.snippets import commands, python_blocks
from tests.targets.shell import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
#: Global arguments of pyinfra, which any command takes.
OF_PYINFRA = {"name"}


def test_the_reference_is_that_of_the_code() -> None:
    made = (ROOT / "docs/reference.md").read_text()
    assert made == reference(), "run: python -m mailstack.reference > docs/reference.md"


def test_the_reference_has_every_component() -> None:
    made = (ROOT / "docs/reference.md").read_text()
    named = set(re.findall(r"^### `mailstack\.(\w+)`", made, re.M))
    assert {
        name for name in mailstack.__all__ if name not in ("Settings", "accounts", "ban", "postgres")
    } <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_is_python(page: Path) -> None:
    for block in python_blocks(page):
        ast.parse(block)


def ours(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands of a page that run one of mailstack's: its name, and its arguments."""
    for command in commands(page):
        if command[0].endswith("pyinfra"):
            for at, word in enumerate(command):
                if re.fullmatch(r"mailstack\.[\w.]+", word) and "fact" not in command[:at]:
                    yield word, command[at + 1 :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_exist_and_take_these_arguments(page: Path) -> None:
    for name, arguments in ours(page):
        module, _, attribute = name.rpartition(".")
        command = getattr(import_module(module), attribute)
        takes = {
            each.name
            for each in signature(command).parameters.values()
            if each.kind is not Parameter.VAR_KEYWORD
        }
        given = {found[1] for word in arguments if (found := re.match(r"(\w+)=", word))}
        assert given <= takes | OF_PYINFRA, (name, arguments)


def test_commands_are_found() -> None:
    named = {name for page in PAGES for name, _ in ours(page)}
    assert {"mailstack.status", "mailstack.accounts.user", "mailstack.dns.zone"} <= named
    assert len(named) > 25


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_targets_of_make_exist(page: Path) -> None:
    for command in commands(page):
        if command[0] == "make":
            for target in [word for word in command[1:] if "=" not in word]:
                assert re.search(rf"^{re.escape(target)}:.*##", MAKEFILE, re.M), command
