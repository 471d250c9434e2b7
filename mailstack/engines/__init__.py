"""The database servers that can have the mail database; all that differs between them is in here.

Each is a package of its own with the same contents: its tables, its lookups, its roles, and how to reach it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mailstack.engines.contract import (
    LOOKUP_PASSWORD,
    OWNER_PASSWORD,
    PASSWORDS,
    UPGRADE_PASSWORD,
    Database,
    Dialect,
    Engine,
    Lookups,
    Step,
)

if TYPE_CHECKING:
    from mailstack.settings import Settings

__all__ = [
    "LOOKUP_PASSWORD",
    "OWNER_PASSWORD",
    "PASSWORDS",
    "UPGRADE_PASSWORD",
    "Database",
    "Dialect",
    "Engine",
    "Lookups",
    "Step",
    "engine_of",
]


def engine_of(settings: Settings) -> Engine:
    """The engine that the settings speak of; a run imports no other."""
    engine: Engine = import_module(f"mailstack.engines.{settings.db_kind.module}").ENGINE
    return engine
