"""What the hosts of an inventory can't be for each other, found before any of them is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import OperationValueError

from mailstack import hosts
from mailstack.settings.database import DatabaseSettings
from mailstack.settings.errors import SettingsError

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.settings import Settings

_checked: WeakKeyDictionary[Host, Settings] = WeakKeyDictionary()
"""The settings for which ``check`` found nothing wrong, by host: every component asks it."""


class _Server(NamedTuple):
    """A mail database that ``mail_db_dsn`` or ``mail_db_host`` names."""

    host: str
    port: int
    database: str


def check(settings: Settings, host: Host) -> None:
    """Check that the hosts of the inventory can work together as its groups say.

    + settings: of ``host``

    Raises ``OperationValueError`` if mail would be received on one host and read on another, if two mail
    hosts would have the same database, if one of them could not reach its database, would ask another or
    would not know a password, or if mail should be deleted that lies on another host.
    """
    host = host.inventory.get_host(host.name)  # the host itself, where ``pyinfra.host`` was given
    if _checked.get(host) == settings:
        return
    for other in host.inventory:
        if hosts.has_role(other, "mx") != hosts.has_role(other, "imap"):
            raise OperationValueError(
                f"{other.name} would either receive mail or have the mailboxes, not both, "
                f"{hosts.because(other)} alone; allowed: {other.name} in both groups, mx and imap, as mail "
                "is read on the host that receives it"
            )
    sharing = list(_mail_hosts(settings, host))
    if len(sharing) > 1:
        raise OperationValueError(
            f"{' and '.join(other.name for other in sharing)} would have the same mailboxes, "
            f"{_reason(settings, host, sharing)}; mail would lie on the host that received it, where its "
            "owner may not look; allowed: one mail host for each database"
        )
    for other in sharing:
        hosts.database_endpoint(settings, other)
    _own_database_asked(settings, host)
    _passwords_known(settings, host)
    _mail_deletable(settings, host)
    _checked[host] = settings


def does_accounts(settings: Settings, host: Host) -> bool:
    """Return whether ``host`` is where operations on the accounts in its database are done.

    + settings: of ``host``

    Raises ``OperationValueError`` if no host of this run is: to do nothing would look like success.
    """
    if settings.mail_db_dsn is not None:
        # any host will do: the database is asked from the machine that runs pyinfra
        alike = (h for h in host.inventory if hosts.same(h, host) or _server_of(h) == _server(settings))
        return hosts.same(next(h for h in alike if hosts.same(h, host) or h.connected), host)
    if hosts.has_role(host, "db"):
        return True
    owner = hosts.database_host(settings, host)
    if owner is not None and not owner.connected:
        raise OperationValueError(hosts.not_reached(owner, host))
    if owner is None and not any(hosts.has_role(h, "db") and h.connected for h in host.inventory):
        raise OperationValueError(
            f"mail_db_host: no host of this run has the database on {settings.mail_db_host}, which "
            f"{host.name} uses {hosts.because(host)}; allowed: a run with a host in the group db, or "
            "mail_db_dsn"
        )
    return False


def _mail_hosts(settings: Settings, host: Host) -> Iterator[Host]:
    """Find the hosts that receive mail for the accounts in the database of ``host``."""
    server = _server(settings)
    owner = hosts.database_host(settings, host)
    for other in host.inventory:
        if not hosts.has_mail(other):
            continue
        if hosts.same(other, host):
            shares = True
        elif server is not None:
            shares = _server_of(other) == server
        elif hosts.has_role(other, "db"):  # the usual case, in which nobody else's data is looked at
            shares = owner is not None and hosts.same(other, owner)
        else:
            theirs = None if _server_of(other) else hosts.database_host(settings, other)
            shares = theirs is not None and owner is not None and hosts.same(theirs, owner)
        if shares:
            yield other


def _server(settings: DatabaseSettings) -> _Server | None:
    if (endpoint := settings.db_endpoint) is not None:
        return _Server(endpoint.host, endpoint.port, settings.mail_db_name)
    if settings.mail_db_host is not None:
        return _Server(settings.mail_db_host, settings.db_port, settings.mail_db_name)
    return None


def _server_of(other: Host) -> _Server | None:
    """Return the server that the inventory names for a host which is not the current one."""
    if not (other.data.get("mail_db_dsn") or other.data.get("mail_db_host")):
        return None
    data: dict[str, Any] = other.data.dict()  # type: ignore[no-untyped-call]
    try:
        return _server(DatabaseSettings(**{name: data[name] for name in data if name.startswith("mail_db_")}))
    except SettingsError as error:
        raise SettingsError(error.problems, other.name) from None


def _own_database_asked(settings: Settings, host: Host) -> None:
    """Accounts are made in the database of their own host, so Postfix and Dovecot must ask no other."""
    other = settings.mail_db_host
    if other is None or not (hosts.has_role(host, "db") and hosts.has_mail(host)):
        return
    names = ("localhost", host.name, settings.mail_hostname, settings.mail_address)
    if other not in names and not re.fullmatch(r"127\..*|::1", other):
        raise OperationValueError(
            f"mail_db_host = {other!r}: {host.name} has a database of its own, {hosts.because(host)}, and "
            f"nothing would ask it; allowed: {host.name} in mx and imap alone, or no mail_db_host"
        )


def _passwords_known(settings: Settings, host: Host) -> None:
    """Passwords that nobody gives are kept on a host with a database, and ``mail_db_host`` names no host."""
    if settings.mail_db_host is None or hosts.has_role(host, "db"):
        return
    needed = ["mail_db_lookup_password"]
    needed += ["mail_db_upgrade_password"] if settings.mail_password_upgrade else []
    for name in needed:
        if getattr(settings, name) is None:
            raise OperationValueError(
                f"{name}: is required where mail_db_host is set and {host.name} has no database of its own, "
                f"{hosts.because(host)}"
            )


def _mail_deletable(settings: Settings, host: Host) -> None:
    """Accounts are deleted on the host with the database, and their mail can only be deleted there too."""
    deletes = settings.mail_accounts_policy == "authoritative" and settings.mail_accounts_delete_mail
    if deletes and hosts.has_role(host, "db") and not hosts.has_mail(host):
        raise OperationValueError(
            f"mail_accounts_delete_mail: {host.name} deletes accounts and has no mail, {hosts.because(host)} "
            "alone; allowed: False, or that host in the groups mx and imap too"
        )


def _reason(settings: Settings, host: Host, sharing: list[Host]) -> str:
    for name in ("mail_db_dsn", "mail_db_host"):
        if getattr(settings, name) is not None:
            return f"because {name} is the same"
    owner = hosts.database_host(settings, host)
    return f"in the database of {owner.name if owner else host.name}, " + " and ".join(
        hosts.because(other) for other in sharing
    )
