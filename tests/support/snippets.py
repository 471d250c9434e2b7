"""The examples in the documentation."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.targets.shell import ROOT

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
_COMMAND = re.compile(r"(\.venv/bin/)?(pyinfra|make|mailstack|python3?) ")


def name(page: Path) -> str:
    """Return the name of a page, which no other page has."""
    return str(page.relative_to(ROOT))


def python_blocks(page: Path) -> list[str]:
    """Return the Python examples of a page of Markdown."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def from_one_host_to_two() -> tuple[str, str, str]:
    """Return the files of that section: `group_data/all.py`, and `inventory.py` before and after the move."""
    page = python_blocks(ROOT / "docs/several-hosts.md")
    (shared,) = (block for block in page if block.startswith("ssh_user = "))
    (both,) = (block for block in page if block.startswith('db = [\n    ("mail.example.org"'))
    return shared, both, page[0]


def settings_in(block: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of each host or group in a Python example, but for values that are not literal."""
    tree = ast.parse(block)
    assigned = [
        (target.id, node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    groups: list[list[tuple[str, ast.expr]]] = [assigned]
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            groups.append([(str(key.value), value) for key, value in pairs if isinstance(key, ast.Constant)])
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Settings":
            groups.append([(word.arg, word.value) for word in node.keywords if word.arg])
    for group in groups:
        if found := {key: value for key, value in map(_literal, group) if key.startswith("mail_")}:
            yield found


def _literal(pair: tuple[str, ast.expr]) -> tuple[str, Any]:
    """Return a name and its value; without a name if the value is only known to a program."""
    try:
        value = _whole(ast.literal_eval(pair[1]))
    except ValueError:
        value = None
    return ("", None) if value is None else (pair[0], value)


def _whole(value: Any) -> Any:
    """Return a value without texts that the page cuts short by an ellipsis; `None` for such a text."""
    if isinstance(value, dict):
        kept = {key: _whole(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return None if isinstance(value, str) and "…" in value else value


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command in a page's examples, without what follows in a comment or a pipe."""
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"^ {4,8}(\S.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    for block in re.findall(r"^```(?:shell|console)\n(.*?)^```", text, re.M | re.S):
        shown += block.split("\n")
    for line in shown:
        command = re.sub(r"^([A-Z_]+=\S+ )+", "", line)
        if _COMMAND.match(command):
            words = shlex.shlex(re.sub(r"\s#\s.*", "", command), posix=True, punctuation_chars="|>;&")
            words.whitespace_split = True
            found = list(words)
            end = min(
                (at for at, word in enumerate(found) if word and set(word) <= set("|>;&")), default=None
            )
            yield found[:end]


def in_sentences(page: Path) -> list[list[str]]:
    """Return the words of the commands of `mailstack` within sentences, which may lack arguments."""
    found = re.findall(r"`mailstack ([a-z][^`]*)`", page.read_text(encoding="utf-8"))
    return [words.split() for words in found]
