"""The passwords of the database roles, and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.context import host

from mailstack import hosts, secrets
from mailstack.engines import LOOKUP_PASSWORD, OWNER_PASSWORD, UPGRADE_PASSWORD

if TYPE_CHECKING:
    from mailstack.settings import Settings


def store(settings: Settings) -> secrets.Store:
    """The passwords of the database roles, for whatever runs on the current host.

    Those that the settings give, else those that the host with the database keeps.
    """
    given = {
        OWNER_PASSWORD: settings.mail_db_owner_password,
        LOOKUP_PASSWORD: settings.mail_db_lookup_password,
        UPGRADE_PASSWORD: settings.mail_db_upgrade_password,
    }
    owner = hosts.database_host(settings, host)
    return secrets.Store(
        {name: value.get_secret_value() for name, value in given.items() if value is not None},
        owner=None if owner is None or hosts.same(owner, host) else owner,
    )
