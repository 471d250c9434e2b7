"""The commands that only look: the list of accounts, and everything about one address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationValueError
from pyinfra.context import host

from mailstack import addresses, hosts, topology_rules
from mailstack.accounts import listed, showing
from mailstack.accounts.arguments import command, true_or_false
from mailstack.accounts.listed import KINDS
from mailstack.accounts.listing import Filters, Listing
from mailstack.accounts.mail import home_of
from mailstack.accounts.used import Mailbox, QuotasUsed
from mailstack.engines import engine_of
from mailstack.facts.reading import read
from mailstack.garbage import not_collected
from mailstack.operation import naming_the_host, only_looks
from mailstack.operations.sql import deployed_with
from mailstack.run import answer, leave_out
from mailstack.settings import Settings
from mailstack.settings.errors import nearest

if TYPE_CHECKING:
    from mailstack.accounts.listed import Used, User
    from mailstack.deploys import GlobalArguments
    from mailstack.engines.contract import Rows

FORMATS = ("table", "json")
FEW = 500
"""The number of users up to which the list asks Dovecot what their mailboxes have."""


@command
@only_looks
def list(  # the command's name; this module has no other use of the builtin
    kind: str | None = None,
    *,
    domain: str | None = None,
    inactive: bool = False,
    never: bool = False,
    over: int | None = None,
    text: str | None = None,
    used: bool | None = None,
    format: str = "table",
    **pyinfras: Unpack[GlobalArguments],
) -> None:
    """Print the users, aliases and domains, each with its state, on standard output.

    + kind: ``users``, ``aliases`` or ``domains``; without it all, but with ``never`` or ``over`` only users
    + domain: only those of this domain
    + inactive: only what is disabled, or in a disabled domain
    + never: only users that have never logged in
    + over: only users who use more than this percentage of their quota
    + text: only what has this text in an address
    + used: whether Dovecot is asked what each mailbox has; by default if the list has up to 500 users
    + format: ``table`` or ``json``

    Raises ``OperationValueError`` for an unknown kind or format, or a filter without effect.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.accounts.list
        pyinfra -y INVENTORY mailstack.accounts.list users domain=example.org format=json
    """
    _one_of("kind", kind, (None, *KINDS))
    _one_of("format", format, FORMATS)
    true_or_false(inactive=inactive, never=never, used=True if used is None else used)
    _for_users_alone(kind, never=never, over=over is not None, used=bool(used))
    if over is not None and not (type(over) is int and 0 <= over <= 100):
        raise OperationValueError(
            f"over = {over!r}: must be a whole number from 0 to 100, the percentage of the quota"
        )
    name = None if domain is None else _domain(domain)
    kinds = (kind,) if kind else ("users",) if never or over is not None else KINDS
    with naming_the_host(), not_collected():
        settings = _settings()
        if settings is None:
            return
        found = ask(settings, listed.queries(engine_of(settings).dialect, kinds))
        wanted = None if text is None else str(text).lower()
        listing = Listing.of(host.name, kinds, found, Filters(name, inactive, never, over, wanted))
        if over is not None or used or (used is None and len(listing.users) <= FEW):
            listing.users = [*with_used(settings, _with_directories(settings, listing.users))]
        elif used is None and listing.users:
            host.log(f"what the mailboxes have is left out for more than {FEW} users; the option used asks")
        listing.users = Filters(over=over).over_quota(listing.users)
        answer(listing.json() if format == "json" else listing.table())


@command
@only_looks
def show(address: str, *, format: str = "table", **pyinfras: Unpack[GlobalArguments]) -> None:
    """Print everything about one address: its user, aliases, quota, logins, and where its mail goes.

    + address: the address
    + format: ``table`` or ``json``

    Raises ``OperationValueError`` for a malformed address; fails if there is none like it.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.accounts.show alice@example.org
    """
    _one_of("format", format, FORMATS)
    try:
        key = addresses.address_key(str(address))
    except ValueError as error:
        raise OperationValueError(f"address = {address!r}: {error}") from None
    with naming_the_host():
        settings = _settings()
        if settings is None:
            return
        dialect = engine_of(settings).dialect
        found = showing.Found.of(key, ask(settings, showing.queries(settings, key)), settings)
        problem = None
        if not found.is_known:
            near = ask(settings, showing.near(dialect, key))
            names = {name for rows in near.values() for (name,) in rows}
            problem = f"there is no address {key}: {found.fate[0]}{nearest(key, names)}"
        elif found.user:
            (user,) = with_used(settings, [found.user])
            found.user = user
    if problem:
        leave_out(f"{host.name}: {problem}")
    shown = {"host": host.name, **found.shown()}
    text = json.dumps(shown, indent=2) if format == "json" else found.text()
    answer(f"{text}\n")


def _one_of(name: str, value: object, allowed: Sequence[str | None]) -> None:
    if value not in allowed:
        names = [each for each in allowed if each]
        near = nearest(str(value), names)
        raise OperationValueError(f"{name} = {value!r}: allowed: {', '.join(names)}{near}")


def _for_users_alone(kind: str | None, **given: bool) -> None:
    for name, is_given in given.items():
        if is_given and kind not in (None, "users"):
            raise OperationValueError(f"{name} is about users, and kind = {kind!r}; allowed: kind = 'users'")


def _domain(domain: str) -> str:
    try:
        return addresses.domain_name(str(domain))
    except ValueError as error:
        raise OperationValueError(f"domain = {domain!r}: {error}") from None


def _settings() -> Settings | None:
    """Return the settings, or ``None`` if another host of this run has the database."""
    settings = deployed_with() or Settings.from_data(host.data)
    try:
        runs_here = topology_rules.does_accounts(settings, hosts.topology())
    except OperationValueError as error:
        leave_out(str(error))
    return settings if runs_here else None


def ask(settings: Settings, queries: Mapping[str, Rows]) -> Mapping[str, Any]:
    """Return the rows. Raises ``OperationValueError`` if no database answers."""
    engine = engine_of(settings)
    found = engine.database(settings).query(settings.mail_db_name, engine.dialect.read_rows(queries))
    if found is None:
        raise OperationValueError(
            f"there is no mail database {settings.mail_db_name!r} that answers: first deploy the mail server "
            "(pyinfra INVENTORY deploy.py); if it is deployed, start its database server"
        )
    return engine.dialect.rows(found)


def _with_directories(settings: Settings, users: Sequence[User]) -> Sequence[User]:
    """Return the users of a list with the directories that the database has for them."""
    if not users:
        return users
    asked = listed.directories(engine_of(settings).dialect, users if len(users) <= FEW else None)
    found = {email: own for email, *own in ask(settings, asked).get("directories", ())}
    return [
        user._replace(home_directory=own[0], mail_directory=own[1])
        for user in users
        if (own := found.get(user.email))  # else removed by now
    ]


def with_used(settings: Settings, users: Sequence[User]) -> Sequence[User]:
    """Return the users with what their mailboxes have, read on the host that has the mail."""
    topology = hosts.topology()
    node = next(topology_rules.mail_nodes(settings, topology), None)
    if node is None or (node != topology.here and node.name not in topology.reached):
        _warn("what the mailboxes have is left out: the host with the mail is not in this run")
        return users
    asked = [
        Mailbox(user.email, home_of(user.row(), settings.mail_home_root)) for user in users if user.active
    ]
    found: Mapping[str, Used] = read(QuotasUsed.of(asked), hosts.host_of(node)) if asked else {}
    return [user._replace(used=found.get(user.email)) for user in users]


def _warn(text: str) -> None:
    host.log_styled(text, fg="yellow", log_func=logger.warning)
