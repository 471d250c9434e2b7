"""The database engines for the mail database; all differences between them are in this package.

Each engine is a package of its own with the same contents: tables, lookups, roles, and access to the server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mailstack.engines.contract import (
    LOOKUP_PASSWORD,
    OWNER_PASSWORD,
    PASSWORDS,
    UPGRADE_PASSWORD,
    WEBMAIL_PASSWORD,
    Database,
    Dialect,
    Engine,
    Lookups,
    Step,
    passwords_of,
)

if TYPE_CHECKING:
    from mailstack.settings import Settings

__all__ = [
    "LOOKUP_PASSWORD",
    "OWNER_PASSWORD",
    "PASSWORDS",
    "UPGRADE_PASSWORD",
    "WEBMAIL_PASSWORD",
    "Database",
    "Dialect",
    "Engine",
    "Lookups",
    "Step",
    "engine_of",
    "passwords_of",
]


def engine_of(settings: Settings) -> Engine:
    """Return the engine of these settings; a run imports no other."""
    engine: Engine = import_module(f"mailstack.engines.{settings.db_kind.module}").ENGINE
    return engine
