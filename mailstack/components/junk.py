"""Spam in users' mailboxes: Sieve files it in Junk, and what users move to or from Junk is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components.declarations import DovecotAddition
from mailstack.components.rspamd_config import CONTROLLER
from mailstack.engines.contract import SIEVE_SCRIPTS
from mailstack.files import File
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.files import Entry

_PROGRAMS = "/usr/local/lib/mailstack/sieve"
ALLOW_LIST = "allow-list"
"""A script of the user's own. What it takes ``X-Spam`` from does not go to Junk."""
_SCRIPTS = ("junk", "learn-spam", "learn-ham")


def files() -> list[Entry]:
    """Return the program to which Sieve hands over what is to be learned."""
    return [
        File(f"{_PROGRAMS}/learn", render("rspamd/learn", socket=CONTROLLER), mode=0o755, activation=None)
    ]


def dovecot(generation: str) -> DovecotAddition:
    """Return what Dovecot ``2.3`` or ``2.4`` needs for that."""
    block = render(f"dovecot/{generation}/learn.conf", scripts=SIEVE_SCRIPTS, programs=_PROGRAMS)
    return DovecotAddition(
        plugins={"imap": ["imap_sieve"]},
        blocks={"learn": block},
        scripts={name: render(f"rspamd/{name}.sieve") for name in _SCRIPTS},
        before=[ALLOW_LIST, "junk"],
    )
