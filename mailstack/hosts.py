"""Which host has which role, and whom it talks to.

Inventory groups ``db``, ``mx`` and ``imap`` name the roles; a host in none of them has all three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pyinfra.api.exceptions import OperationValueError

from mailstack.engines import Endpoint, engine_of

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.settings import Settings

Role = Literal["db", "mx", "imap"]
ROLES: tuple[Role, ...] = ("db", "mx", "imap")


def same(one: Host, other: Host) -> bool:
    """Whether both are the same host; ``pyinfra.host`` is a proxy, which ``is`` no host of the inventory."""
    return one.name == other.name


def has_role(host: Host, role: Role) -> bool:
    """Whether the inventory gives ``host`` this role."""
    given = [name for name in ROLES if name in host.groups]
    return role in (given or ROLES)


def database_host(settings: Settings, host: Host) -> Host | None:
    """The host of this inventory that runs the database, or ``None`` if somebody else's server does.

    Raises ``OperationValueError`` if the inventory has several: the settings must then name one.
    """
    if settings.mail_db_dsn is not None or settings.mail_db_host is not None:
        return None
    if has_role(host, "db"):
        return host
    candidates = [other for other in host.inventory if has_role(other, "db")]
    if len(candidates) != 1:
        raise OperationValueError(
            f"mail_db_host: {host.name} has no database of its own, and {len(candidates)} hosts of the"
            " inventory have the role db; allowed: one of them, or mail_db_host"
        )
    return candidates[0]


def database_endpoint(settings: Settings, host: Host) -> Endpoint:
    """Where Postfix and Dovecot on ``host`` reach the database."""
    if settings.db_endpoint is not None:
        return Endpoint(*settings.db_endpoint)
    owner = database_host(settings, host)
    if owner is None:
        return Endpoint(settings.mail_db_host or "", settings.db_port)
    if not same(owner, host):
        if settings.mail_db_engine == "mysql":  # nothing would encrypt what goes between them
            raise OperationValueError(
                f"mail_db_engine = 'mysql': {host.name} has no database of its own; allowed: 'postgresql'"
            )
        if settings.mail_db_auth == "peer":
            raise OperationValueError(
                f"mail_db_auth = 'peer': {host.name} has no database of its own; allowed: 'password'"
            )
        return Endpoint(_address(owner), settings.db_port)
    return local_endpoint(settings)


def local_endpoint(settings: Settings) -> Endpoint:
    """Where Postfix and Dovecot reach a database that runs on their own host."""
    # MariaDB knows by the address who asks, and smtpd(8) in its chroot has no socket of the database
    by_address = settings.mail_db_engine == "mysql" or settings.map_type == settings.db_driver
    if settings.mail_db_auth == "password" and by_address:
        return Endpoint("127.0.0.1", settings.db_port)
    return Endpoint(engine_of(settings).socket, settings.db_port)


def database_clients(settings: Settings, host: Host) -> list[str]:
    """Addresses of the other hosts of the inventory that look things up in the database of ``host``."""
    others = (other for other in host.inventory if not same(other, host))
    return sorted(
        _address(other)
        for other in others
        if not has_role(other, "db")
        and (owner := database_host(settings, other)) is not None
        and same(owner, host)
    )


def _address(host: Host) -> str:
    """Raises ``OperationValueError`` if the inventory does not say it."""
    address = host.data.get("mail_address")
    if not address:
        raise OperationValueError(
            f"mail_address: {host.name} has none, and other hosts talk to it; allowed: its IP address"
        )
    return str(address)
