"""The limit for locks that other sessions have on the mail database, and the error for it. Pure."""

from __future__ import annotations

SECONDS = 30
"""How long the queries of a command wait together for tables that other sessions have locked."""

_LOCKED = (
    f"another session has locked a table of the mail database for more than {SECONDS} s; end it, or wait"
)
_SIGNS = ("lock timeout", "lock wait timeout")
"""What PostgreSQL and MariaDB say (SQLSTATE 55P03, error 1205)."""


def explained(message: str) -> str:
    """Return an error of the database, with the cause if it is a lock."""
    return f"{_LOCKED}: {message}" if any(sign in message.lower() for sign in _SIGNS) else message
