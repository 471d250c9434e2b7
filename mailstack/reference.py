"""The reference of all components, commands and facts, made from their docstrings and signatures.

Run ``python -m mailstack.reference > docs/reference.md`` after a change; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import Parameter, cleandoc, signature
from types import ModuleType
from typing import Any

import mailstack
from mailstack import accounts, backup, ban, certificates, db, dkim, dns, facts, metrics, queue
from mailstack.verify import outside

_HEAD = """\
<!-- Made by `python -m mailstack.reference`. Do not edit. -->
# Operations and facts

Made from the docstrings of the code. [settings.md](settings.md) has what components take.
[operations.md](operations.md), [accounts.md](accounts.md) and [facts.md](facts.md) show these at work.
"""
_COMMANDS: dict[str, tuple[ModuleType, tuple[str, ...]]] = {
    "": (mailstack, ("drain", "remove", "restore", "status", "trace", "upgrade", "verify")),
    "accounts.": (accounts, tuple(accounts.__all__)),
    "backup.": (backup, ("check", "key", "list", "now", "password")),
    "ban.": (ban, tuple(ban.__all__)),
    "certificates.": (certificates, ("roll",)),
    "db.": (db, tuple(db.__all__)),
    "dkim.": (dkim, ("publish", "retire", "switch")),
    "dns.": (dns, ("check", "publish", "zone")),
    "metrics.": (metrics, ("files",)),
    "queue.": (queue, tuple(queue.__all__)),
    "verify.": (outside, ("from_outside",)),
}
_NO_DEPLOYS = {"accounts", "ban", "db", "queue", "Settings", "postgres"}


def reference() -> str:
    """Return the whole page, in Markdown."""
    parts = [_HEAD, "## Components\n\nIn a deploy of your own: `NAME.deploy(settings)`.\n"]
    for name in [each for each in mailstack.__all__ if each not in _NO_DEPLOYS]:
        if isinstance(getattr(mailstack, name), ModuleType):
            parts.append(_entry(f"mailstack.{name}", "deploy(settings)", getattr(mailstack, name).deploy))
    parts.append(
        "## Commands\n\n`pyinfra INVENTORY NAME …` on the command line, functions in a deploy of your own.\n"
    )
    for prefix, (module, names) in _COMMANDS.items():
        for name in names:
            command = getattr(module, name)
            parts.append(_entry(f"mailstack.{prefix}{name}", _arguments(command), command))
    parts.append("## Facts\n\n`pyinfra INVENTORY fact NAME …`, or `host.get_fact(NAME, …)` in a deploy.\n")
    for name in facts.__all__:
        fact = getattr(facts, name)
        parts.append(_entry(f"mailstack.facts.{name}", _arguments(fact.command), fact))
    return "\n".join(parts)


def _arguments(function: Callable[..., Any]) -> str:
    """Return the arguments as a signature has them, without pyinfra's own."""
    given = signature(function).parameters.values()
    own = [each for each in given if each.kind is not Parameter.VAR_KEYWORD and each.name != "self"]
    shown: list[str] = []
    named = False
    for each in own:
        if each.kind is Parameter.KEYWORD_ONLY and not named:
            shown, named = [*shown, "*"], True
        type_name = str(each.annotation).strip("'")
        default = "" if each.default is Parameter.empty else f" = {each.default!r}"
        shown.append(f"{each.name}: {type_name}{default}")
    return f"({', '.join(shown)})"


def _entry(name: str, arguments: str, documented: object) -> str:
    text = cleandoc(documented.__doc__ or "").replace("``", "`")
    text = re.sub(r"^\.\. code:: (\w+)\n\n((?:    .*\n?|\n)*)", _fenced, text, flags=re.M)
    text = re.sub(r"^\+ ([\w, ]+): ", lambda found: f"- `{found[1]}`: ", text, flags=re.M)
    return f"### `{name}`\n\n    {arguments}\n\n{text.strip()}\n"


def _fenced(found: re.Match[str]) -> str:
    body = "\n".join(line[4:] for line in found[2].rstrip().split("\n"))
    return f"```{found[1]}\n{body}\n```\n"


if __name__ == "__main__":
    print(reference(), end="")
