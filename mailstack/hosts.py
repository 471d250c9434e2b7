"""Which host has which role, and whom it talks to.

Inventory groups ``db``, ``mx`` and ``imap`` name the roles; a host in none of them has all three. What the
hosts of an inventory can't be for each other is in ``mailstack.topology``.
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
    return role in (_groups(host) or ROLES)


def has_mail(host: Host) -> bool:
    """Whether Postfix and Dovecot run on ``host``."""
    return has_role(host, "mx") or has_role(host, "imap")


def because(host: Host) -> str:
    """Return the reason for the roles of ``host``, to end a sentence with: whoever reads it may not know."""
    groups = _groups(host)
    if not groups:
        return f"because {host.name} is in none of the groups {', '.join(ROLES)}, which means in all"
    listed = " and ".join(groups)
    return f"because {host.name} is in the group{'s' if len(groups) > 1 else ''} {listed}"


def not_reached(owner: Host, host: Host) -> str:
    """Return what to say of ``owner``, which has the database of ``host``, if it is not in the run."""
    return (
        f"{owner.name} was not reached, and {host.name} needs its database {because(host)}; allowed: a run "
        "that reaches both (a --limit must have both)"
    )


def _groups(host: Host) -> list[Role]:
    return [name for name in ROLES if name in host.groups]


def database_host(settings: Settings, host: Host) -> Host | None:
    """The host of this inventory that runs the database, or ``None`` if somebody else's server does.

    Raises ``OperationValueError`` if the inventory has several: the settings must then name one.
    """
    if settings.mail_db_dsn is not None or settings.mail_db_host is not None:
        return None
    if has_role(host, "db"):
        return host
    candidates = [other for other in host.inventory if has_role(other, "db")]
    # one in no group may be no mail server at all; it is meant only if nobody was put into the group
    candidates = [other for other in candidates if "db" in other.groups] or candidates
    if len(candidates) != 1:
        found = f": {', '.join(other.name for other in candidates)}" if candidates else ""
        raise OperationValueError(
            f"mail_db_host: {host.name} has no database of its own, {because(host)}, and"
            f" {len(candidates)} hosts of the inventory have the role db{found}; allowed: one of them,"
            " mail_db_host, or mail_db_dsn"
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
                f"mail_db_engine = 'mysql': {host.name} has no database of its own, {because(host)}; "
                "allowed: 'postgresql', or that host in the group db too"
            )
        if settings.mail_db_auth == "peer":
            raise OperationValueError(
                f"mail_db_auth = 'peer': {host.name} has no database of its own, {because(host)}; "
                "allowed: 'password', or that host in the group db too"
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
            f"mail_address: {host.name} has none, and other hosts talk to it, {because(host)}; allowed: its "
            "IP address"
        )
    return str(address)
