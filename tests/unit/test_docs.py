"""What the pages of docs/ name exists, and what is generated is up to date. `make docs` checks links."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

import mailstack
from mailstack.reference import reference
from tests.support import journal
from tests.support.snippets import PAGES, commands, name, python_blocks
from tests.targets.shell import ROOT

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
        name
        for name in mailstack.__all__
        if name not in ("Settings", "accounts", "ban", "db", "postgres", "queue")
    } <= named


@pytest.mark.parametrize("page", PAGES, ids=name)
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


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist_and_take_these_arguments(page: Path) -> None:
    for called, arguments in ours(page):
        module, _, attribute = called.rpartition(".")
        command = getattr(import_module(module), attribute)
        takes = {
            each.name
            for each in signature(command).parameters.values()
            if each.kind is not Parameter.VAR_KEYWORD
        }
        given = {found[1] for word in arguments if (found := re.match(r"(\w+)=", word))}
        assert given <= takes | OF_PYINFRA, (called, arguments)


def test_commands_are_found() -> None:
    named = {called for page in PAGES for called, _ in ours(page)}
    assert {"mailstack.status", "mailstack.accounts.user", "mailstack.dns.zone"} <= named
    assert len(named) > 25


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_targets_of_make_exist(page: Path) -> None:
    for command in commands(page):
        if command[0] == "make":
            for target in [word for word in command[1:] if "=" not in word]:
                assert re.search(rf"^{re.escape(target)}:.*##", MAKEFILE, re.M), command


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_modules_that_python_runs_exist(page: Path) -> None:
    for program, *words in commands(page):
        if "python" in program and words[0] == "-m":
            assert find_spec(words[1]), words


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_facts_exist_and_take_these_arguments(page: Path) -> None:
    for command in commands(page):
        if command[0].endswith("pyinfra") and "fact" in command:
            path, *arguments = command[command.index("fact") + 1 :]
            module, _, attribute = path.rpartition(".")
            takes = signature(getattr(import_module(module), attribute).command).parameters
            assert {word.partition("=")[0] for word in arguments} <= set(takes), command


def test_links_out_of_the_pages_have_a_place_on_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mkdocs.structure.files", Mock())  # only the extra docs has it
    on_page = run_path(str(ROOT / "docs/pages.py"))["on_page_markdown"]
    texts = {page.name: page.read_text() for page in (ROOT / "docs").glob("*.md")}
    assert "](../SECURITY.md)" in texts["security.md"]
    for at, text in texts.items():
        page = SimpleNamespace(file=SimpleNamespace(src_uri=at))
        assert "](../" not in on_page(text, page, None, None), at


def test_the_tests_that_prove_a_promise_exist() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text())
    assert len(named) > 20
    missing = [each for each in named if f"\ndef {each[1]}(" not in (ROOT / "tests" / each[0]).read_text()]
    assert missing == []


def test_a_busy_host_has_a_warning_that_is_explained() -> None:
    """No test makes a host so busy on purpose. As Dovecot 2.3.19 wrote it beside other work."""
    line = "dovecot[95]: master: Warning: Time moved forwards by 0.115932 seconds - adjusting timeouts."
    assert any(known.search(line) for known in journal.explained())
