"""Hostile text for property tests, and how many cases each of them tries.

`make test` tries the same 60 for each field each time. `make fuzz` sets `MAILSTACK_CASES`, and tries
that many new ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import hypothesis
from hypothesis import strategies as st

T = TypeVar("T")

CASES = int(os.environ.get("MAILSTACK_CASES", "0"))
"""New cases for each field; 0: a few, the same every time."""
QUICK = 60

hypothesis.settings.register_profile(
    "mailstack",
    max_examples=CASES or QUICK,
    derandomize=not CASES,
    database=None,
    deadline=None,  # other tests may have all processors
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("mailstack")

FRAGMENTS = (
    # quotes, comments and ends of lines of all languages that text goes into
    *(
        "'",
        '"',
        "`",
        "\\",
        "''",
        '\\"',
        "\\'",
        "#",
        " #",
        ";",
        "--",
        "/*",
        "*/",
        "//",
        "\n",
        "\r",
        "\r\n",
        "\\\n",
    ),
    *(
        "\0",
        "\t",
        " ",
        "\x0b",
        "\x0c",
        "\x1b[2J",
        "\x7f",
        "\x85",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u200b",
        "\ufeff",
    ),
    # SQL, shell, Postfix, Dovecot, Jinja, printf, mail, LDAP
    *(
        "' OR 1=1 --",
        "'; DROP TABLE mail_users; --",
        "$$",
        "$1",
        "E'\\",
        "${x}",
        "$(id)",
        "`id`",
        "$HOME",
        "$x",
    ),
    *("%u", "%%", "%s", "%{user}", "%{env:PATH}", "%d", "%n", "{{ 7 * 7 }}", "{% raw %}", "{# #}", "{", "}"),
    *(
        "\nBcc: a@b.example",
        "\r\n.\r\n",
        "=END=\n",
        "=\n",
        "EOF",
        "*)(uid=*",
        "<?php",
        "]]>",
        "<",
        ">",
        "&",
        "|",
    ),
    *("../", "/..", "/", ":", ",", "@", "!", "+", "-", "*", "?", "~", "^", "=", "(", ")", "[", "]"),
    *("\u0430", "\uff41", "\u00fc", "\u212a", "\u00a0", "\u0130", "\U0001f600", "0", "a", "A"),
    "@mailstack-secret:db-lookup-password:raw@",
)
"""Characters and words that mean something to a language, a daemon or a person."""

_SIZE = len(FRAGMENTS) + 1


def texts() -> st.SearchStrategy[str]:
    """Return up to five of these words together, which may make up others."""
    words = st.integers(0, _SIZE**5 - 1).map(_words)
    return words | st.text(max_size=12) if CASES else words


def check_each(strategy: st.SearchStrategy[T], check: Callable[[T], object]) -> None:
    """Call a function with each case."""

    @hypothesis.given(strategy)
    def called(case: T) -> None:
        check(case)

    called()


def changed(*seeds: str) -> st.SearchStrategy[str]:
    """Return a seed with one or two of these words in it, a seed alone, or such words alone."""

    def text(number: int) -> str:
        number, kind = divmod(number, 8)
        if kind == 0:
            return _words(number)
        number, which = divmod(number, len(seeds))
        seed = seeds[which]
        for _ in range(1 + (kind == 1)):
            number, at = divmod(number, len(seed) + 1)
            number, word = divmod(number, _SIZE)
            seed = seed[:at] + ("", *FRAGMENTS)[word] + seed[at:]
        return seed

    return st.integers(0, 8 * len(seeds) * (_SIZE * 256) ** 2).map(text)


def either(*seeds: str) -> st.SearchStrategy[str]:
    """Return a seed alone half of the time, for a case with several texts: another one may be refused."""
    return st.sampled_from(seeds) | changed(*seeds)


def _words(number: int) -> str:
    """Return the words that the digits of a number stand for: one number is a tenth of the work of a list."""
    found = []
    while number:
        number, digit = divmod(number, _SIZE)
        found.append(("", *FRAGMENTS)[digit])
    return "".join(found)
