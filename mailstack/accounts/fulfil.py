"""Make the database have the accounts that a call asks for: read, plan, show, write."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple, cast

from pyinfra.api.command import FunctionCommand, PyinfraCommand
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import operation
from pyinfra.context import host

from mailstack import hosts, topology
from mailstack.accounts import sql
from mailstack.accounts.mail import deletable_homes, former_key, with_mail_named
from mailstack.accounts.plan import Absent, PlanError, plan, renamed
from mailstack.accounts.rows import Change, Key, Rows
from mailstack.accounts.wanted import Accounts
from mailstack.engines import engine_of
from mailstack.facts import reading
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import current_host, give_up
from mailstack.passwords import hash_password
from mailstack.settings import Settings
from mailstack.shell import shell

Current = Mapping[str, Rows]


class Wish(NamedTuple):
    """What one call asks for, once the rows of the database are known.

    + accounts: that should be there
    + absent: that should not
    + renamed: the address of a user, and the one that it gets
    + delete_mail: whether the mail of users that are deleted goes too
    + first: what is done on the machine that runs pyinfra before anything is changed
    """

    accounts: Accounts = Accounts()
    absent: Absent = Absent()
    renamed: tuple[str, str] | None = None
    delete_mail: bool = False
    first: Callable[[], None] | None = None


def stored(current: Current, table: str, key: Key) -> list[Key]:
    """The rows with this key, in whatever case somebody stored them."""
    return [there for there in current[table] if tuple(part.lower() for part in there) == key]


def without(current: Current, table: str, *keys: Key) -> Wish:
    """The wish that these rows should not be there."""
    return Wish(absent=Absent({table: frozenset(k for key in keys for k in stored(current, table, key))}))


def fulfil(wish: Callable[[Current], Wish], name: str) -> None:
    """Fulfil a wish on the host that has the database; on every other one there is nothing to do.

    If that host is not in the run, the current one fails: to do nothing would look like success.
    """
    settings = Settings.from_data(cast("Mapping[str, object]", host.data.dict()))  # type: ignore[no-untyped-call]
    try:
        ours = topology.does_accounts(settings, current_host())
    except OperationValueError as error:
        give_up(current_host(), str(error))
    if ours:
        _plan(settings, wish)  # what can't be stops here, before anything is done
        apply(settings, wish, name)


class _Plan(NamedTuple):
    """What differs, in rows; users that go with their mail, as ``mail_former_users`` will have them, and the
    directories of it; what has to be done first."""

    changes: list[Change]
    deleted: list[Key]
    homes: list[str]
    first: Callable[[], None] | None


def _plan(settings: Settings, wish: Callable[[Current], Wish]) -> _Plan:
    """Raises ``OperationValueError`` for what can't be."""
    engine = engine_of(settings)
    answer = engine.database(settings).query(settings.mail_db_name, sql.query(engine.dialect))
    current = sql.parse(answer)
    asked = wish(current)
    try:
        changes = renamed(current, *asked.renamed) if asked.renamed else []
        changes += plan(current, asked.accounts, asked.absent)
        gone = [change.key for change in changes if (change.sign, change.table) == ("-", "mail_users")]
        if not asked.delete_mail:
            gone = []
        homes = deletable_homes(gone, current["mail_users"], settings.mail_home_root) if gone else []
    except PlanError as error:
        raise OperationValueError(str(error)) from None
    if homes and not hosts.has_role(host, "imap"):
        raise OperationValueError(
            f"delete_mail: {homes[0]} is not on {host.name}, {hosts.because(host)}, but on the one in imap"
        )
    changes = with_mail_named(changes, current, settings.mail_home_root, asked.delete_mail)
    deleted = [former_key(current["mail_users"][key]) for key in gone]
    return _Plan(changes, deleted, homes, asked.first)


def apply(settings: Settings, wish: Callable[[Current], Wish], name: str) -> None:
    """Fulfil a wish in the database that the settings speak of.

    + name: what pyinfra calls the operation
    """
    engine = engine_of(settings)
    engine.database(settings).announce(settings.mail_db_name, sql.query(engine.dialect))
    _apply(settings=settings, wish=wish, name=name)


def require(settings: Settings, wish: Callable[[Current], Wish]) -> None:
    """Stop the run before it changes anything, if the database can't have what is wished for.

    Only where nothing that comes before ``apply`` in this run makes accounts.
    """
    engine = engine_of(settings)
    database, query = engine.database(settings), sql.query(engine.dialect)
    for _ in ("is it known", "what is it"):
        database.announce(settings.mail_db_name, query)

    def problem(_: object) -> str | None:
        if not database.is_known(settings.mail_db_name, query):
            return None  # a server that does not run just now: this run starts it, and asks again then
        try:
            _plan(settings, wish)
        except OperationValueError as error:
            return str(error)
        return None

    reading.require(PLATFORM, problem)


@operation()
def _apply(settings: Settings, wish: Callable[[Current], Wish]) -> Generator[PyinfraCommand]:
    engine, name, owner = engine_of(settings), settings.mail_db_name, settings.mail_db_owner
    database = engine.database(settings)
    try:
        changes, deleted, homes, first = _plan(settings, wish)
    except OperationValueError as error:
        if not host.state.is_executing:
            raise
        # raised while pyinfra executes, it would end the run of every other host as well
        yield shell(f"echo {shlex.quote(str(error))} >&2; exit 1")
        return
    for change in changes:
        host.log(str(change))
    if homes:
        host.log(f"- mail in {', '.join(homes)}")
        # Nobody reads or delivers while it goes. A run that is cut off leaves a disabled user, and the next
        # one takes it up again.
        disabled = sql.disable(engine.dialect, (email for email, _ in deleted), owner)
        yield database.script(name, disabled, "disable the users that go")
        yield shell(f"rm -rf -- {shlex.join(homes)}")
    if changes and first:
        yield FunctionCommand(first, (), {})
    if changes:
        script = sql.script(engine.dialect, changes, owner, hash_password, deleted=deleted)
        yield database.script(name, script, _title(changes))
    else:
        host.noop("the accounts are as they should be")


def _title(changes: list[Change]) -> str:
    return f"{len(changes)} change{'s' if len(changes) > 1 else ''} of accounts"
