"""Sieve in Dovecot (Pigeonhole): its settings, and the scripts that run before and after each user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.contract import SIEVE_SCRIPTS
from mailstack.files import Directory, Entry, File
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.components.declarations import DovecotAddition
    from mailstack.settings import Settings

PACKAGES = ("dovecot-sieve", "dovecot-managesieved")
_DIRECTORY = "/etc/dovecot"
_USERS = "~/sieve"
"""The scripts of a user."""


def files(settings: Settings, generation: str, added: DovecotAddition) -> list[Entry]:
    """Return the configuration that ``dovecot.conf`` includes, and the scripts; without Sieve, their absence.

    + generation: ``2.3`` or ``2.4``; part of each script, so that an upgrade compiles them again
    + added: the additions of other components
    """
    texts = _texts(settings) | dict(added.scripts if settings.mail_sieve else {})
    configuration = None
    if settings.mail_sieve:
        configuration = render(
            f"dovecot/{generation}/sieve.conf",
            settings=settings,
            plugins=added.plugins.get("lmtp", ()),
            before={
                name: _path(name) if name in texts else f"{_USERS}/{name}.sieve"
                for name in ("before", *added.before)
                if texts.get(name, name)
            },
            users=_USERS,
            after=_path("after") if texts["after"] else None,
        )
    # at the end, so that line numbers are those of the settings
    mark = f"# Written by mailstack for Dovecot {generation}; changes made here are undone by the next run.\n"
    return [
        File(f"{_DIRECTORY}/sieve.conf", configuration),
        *([Directory(SIEVE_SCRIPTS)] if settings.mail_sieve else []),
        *(
            File(
                _path(name),
                f"{text.rstrip()}\n{mark}" if text else None,
                activation=None,
                indexed="sievec",
            )
            for name, text in texts.items()
        ),
    ]


def scripts(settings: Settings) -> list[str]:
    """Return the paths of the scripts that the settings give."""
    return [_path(name) for name, text in _texts(settings).items() if text]


def _texts(settings: Settings) -> dict[str, str]:
    """Return the scripts, in the order in which they run; the user's own comes after the first."""
    return {
        "before": settings.mail_sieve_before,
        "after": settings.mail_sieve_after,
        "detail": render("dovecot/detail.sieve") if settings.mail_sieve else "",
    }


def _path(name: str) -> str:
    return f"{SIEVE_SCRIPTS}/{name}.sieve"
