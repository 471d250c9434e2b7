"""The passwords of the database roles, from the settings or kept on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack import hosts, secrets
from mailstack.engines import LOOKUP_PASSWORD, OWNER_PASSWORD, UPGRADE_PASSWORD, WEBMAIL_PASSWORD

if TYPE_CHECKING:
    from mailstack.settings import Settings


def given(settings: Settings) -> dict[str, str]:
    """Return the passwords in the settings."""
    values = {
        OWNER_PASSWORD: settings.mail_db_owner_password,
        LOOKUP_PASSWORD: settings.mail_db_lookup_password,
        UPGRADE_PASSWORD: settings.mail_db_upgrade_password,
        WEBMAIL_PASSWORD: settings.mail_db_webmail_password,
    }
    return {name: value.get_secret_value() for name, value in values.items() if value is not None}


def store(settings: Settings) -> secrets.Store:
    """Return the passwords of the database roles for the current host.

    They are those of the settings, else those that the host with the database keeps.
    """
    topology = hosts.topology()
    owner = topology.database_node(settings)
    return secrets.Store(given(settings), owner=None if owner in (None, topology.here) else owner)


def looked_up(settings: Settings) -> list[str]:
    """Return the names of the passwords that a host with Postfix and Dovecot needs."""
    return [
        LOOKUP_PASSWORD,
        *([UPGRADE_PASSWORD] if settings.mail_password_upgrade else []),
        *([WEBMAIL_PASSWORD] if settings.mail_webmail else []),
    ]
