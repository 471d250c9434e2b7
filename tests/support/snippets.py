"""The examples in the documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path


def python_blocks(page: Path) -> list[str]:
    """Return the Python examples of a page of Markdown."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command in a page's examples, without what follows in a comment or a pipe."""
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"^    (\S.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    for block in re.findall(r"^```(?:shell|console)\n(.*?)^```", text, re.M | re.S):
        shown += block.split("\n")
    for line in shown:
        if re.match(r"(\.venv/bin/)?(pyinfra|make) ", line):
            words = shlex.shlex(re.sub(r"\s#\s.*", "", line), posix=True, punctuation_chars="|>;&")
            words.whitespace_split = True
            found = list(words)
            end = min(
                (at for at, word in enumerate(found) if word and set(word) <= set("|>;&")), default=None
            )
            yield found[:end]
