"""The formats of files that mailstack writes, read as their manuals say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


def postfix_lines(text: str) -> list[str]:
    """Return the logical lines of a file of Postfix: postconf(5), "main.cf file format".

    Only LF ends a line. A line of spaces is no line, nor is one whose first other character is ``#``. A line
    that begins with a space goes on with the one before it.
    """
    found: list[str] = []
    for line in text.split("\n"):
        if not line.strip(" \t\r\f\v") or line.lstrip(" \t\r\f\v").startswith("#"):
            continue
        if line[0] in " \t":
            assert found, f"it goes on with nothing: {line!r}"
            found[-1] += line
        else:
            found.append(line)
    return found


def main_cf(text: str) -> dict[str, str]:
    """Return the parameters of main.cf."""
    found: dict[str, str] = {}
    for line in postfix_lines(text):
        name, equals, value = line.partition("=")
        name = name.strip(" \t")
        assert equals and re.fullmatch("[A-Za-z0-9_-]+", name), f"no parameter: {line!r}"
        assert name not in found, f"set twice: {name}"
        found[name] = value.strip(" \t")
    return found


def master_cf(text: str) -> list[list[str]]:
    """Return the words of each service of master.cf: master(5), with words in braces since Postfix 3.0."""
    return [_words(line) for line in postfix_lines(text)]


def _words(line: str) -> list[str]:
    found, at = [], 0
    while at < len(line):
        if line[at] in " \t":
            at += 1
        elif line[at] == "{":
            end, depth = at, 0
            while True:
                depth += {"{": 1, "}": -1}.get(line[end], 0)
                end += 1
                if not depth:
                    break
            name, _, value = line[at + 1 : end - 1].partition("=")
            found.append(f"{name.strip(' ' + chr(9))}={value.strip(' ' + chr(9))}")
            at = end
        else:
            end = next((i for i in range(at, len(line)) if line[i] in " \t"), len(line))
            found.append(line[at:end])
            at = end
    return found


def postmap(text: str) -> list[tuple[str, str]]:
    """Return the rows of a table (postmap(1)). A key ends at the first space that is not in double quotes."""
    rows = []
    for line in postfix_lines(text):
        quoted, end = False, 0
        while end < len(line) and (quoted or line[end] not in " \t"):
            if line[end] == "\\":
                end += 1
            elif line[end] == '"':
                quoted = not quoted
            end += 1
        rows.append((line[:end], line[end:].strip(" \t")))
    return rows


def aliases(text: str) -> dict[str, list[str]]:
    r"""Return the targets of each name (aliases(5)). In double quotes, ``\`` quotes the next character."""
    found: dict[str, list[str]] = {}
    for line in postfix_lines(text):
        name, colon, rest = line.partition(":")
        assert colon and name not in found, line
        targets, quoted, at = [""], False, 0
        while at < len(rest):
            if rest[at] == "\\":
                at += 1
                targets[-1] += rest[at]
            elif rest[at] == '"':
                quoted = not quoted
            elif rest[at] == "," and not quoted:
                targets.append("")
            elif quoted or rest[at] not in " \t":
                targets[-1] += rest[at]
            at += 1
        assert not quoted, f"an open quote: {line!r}"
        found[name] = targets
    return found


class Constants(NamedTuple):
    """What SQL says, with ``?`` in place of its constants of text, and these constants."""

    shape: str
    values: list[str]


_STARTS = {
    "postgresql": r"--[^\n]*|/\*|\$(?:[A-Za-z_]\w*)?\$|[eE]?'|\"",
    "mysql": r"--(?=\s)[^\n]*|#[^\n]*|/\*|'|\"|`",
}


def sql(text: str, engine: str) -> Constants:
    """Return what SQL says: PostgreSQL's manual, 4.1; MariaDB's, "String Literals".

    Names in quotes stay in the shape, as do bodies in dollar quotes.
    """
    shape, values, at = "", [], 0
    while found := re.compile(_STARTS[engine]).search(text, at):
        shape += text[at : found.start()]
        start, at = found[0], found.end()
        if start.startswith(("--", "#")):
            continue
        if start == "/*":
            at = text.index("*/", at) + 2
        elif start.startswith("$"):
            end = text.index(start, at) + len(start)
            shape += text[found.start() : end]
            at = end
        else:
            escapes = start in ("e'", "E'") if engine == "postgresql" else start in "'\""
            value, at = _until(text, at, start[-1], escapes=escapes)
            if start[-1] == "'":
                values.append(value)
                shape += "?"
            else:
                shape += f"{start}{value}{start}"
    return Constants(shape + text[at:], values)


def _until(text: str, at: int, quote: str, *, escapes: bool) -> tuple[str, int]:
    value = ""
    while True:
        character = text[at]  # an IndexError: the quote is open
        if escapes and character == "\\":
            value += text[at + 1]
            at += 2
        elif character != quote:
            value += character
            at += 1
        elif text[at + 1 : at + 2] == quote:
            value += quote
            at += 2
        else:
            return value, at + 1


def lua_lists(text: str) -> Iterator[list[str]]:
    """Yield the lists of texts in a call of ``set`` in Lua: Lua's manual, 3.1."""
    for found in re.finditer(r"set\(\{(.*)\}\)", text):
        yield [_lua_text(each) for each in re.findall(r'"((?:\\.|[^"\\])*)"', found[1])]


def _lua_text(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
