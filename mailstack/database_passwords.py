"""The passwords of the database roles, and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack import hosts, secrets
from mailstack.engines import LOOKUP_PASSWORD, OWNER_PASSWORD, PASSWORDS, UPGRADE_PASSWORD
from mailstack.files import Directory, Entry, File, Kept
from mailstack.operations.kept_secrets import kept_secrets

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
    topology = hosts.topology()
    owner = topology.database_node(settings)
    return secrets.Store(
        {name: value.get_secret_value() for name, value in given.items() if value is not None},
        owner=None if owner in (None, topology.here) else owner,
    )


def looked_up(settings: Settings) -> list[str]:
    """The names of those that a host with Postfix and Dovecot needs."""
    return [LOOKUP_PASSWORD] + ([UPGRADE_PASSWORD] if settings.mail_password_upgrade else [])


def files(settings: Settings) -> list[Entry]:
    """Where those that were generated are kept, on the host with the database."""
    paths = [f"{secrets.DIRECTORY}/{name}" for name in PASSWORDS]
    # one that was generated before the settings changed to "peer" has no use any more
    unwanted = settings.mail_db_auth == "peer"
    kept = [File(path, None, activation=None) if unwanted else Kept(path, mode=0o600) for path in paths]
    return [Directory(secrets.DIRECTORY, mode=0o700), *kept]


def generate(settings: Settings) -> None:
    """Generate on the host with the database, if that is the current one, what the settings do not give.

    Each component that needs a password calls this: whichever comes first generates it.
    """
    passwords = store(settings)
    keeps = hosts.topology().here.has_role("db") and settings.mail_db_dsn is None
    if keeps and settings.mail_db_auth == "password":
        kept_secrets([name for name in PASSWORDS if name not in passwords.given])
