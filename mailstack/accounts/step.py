"""One account operation of a run: its wish, and the rows that the database has before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import OperationValueError
from pyinfra.context import host

from mailstack.accounts import sql
from mailstack.accounts.plan import Absent, PlanError, plan
from mailstack.accounts.rows import READ, WORDS, Change, Current, Key, applied, folded
from mailstack.accounts.rules import Given, dead_ends, dead_settings, shadowed
from mailstack.accounts.wanted import Accounts
from mailstack.engines import engine_of
from mailstack.operations.sql import deployed_with
from mailstack.run import current_host, is_executing

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.settings import Settings


class Wish(NamedTuple):
    """The request of one call, made when the rows of the database are known.

    + accounts: the accounts to add or change
    + absent: the rows to remove
    + renamed: the old and the new address of a user
    + missing: the accounts to remove that don't exist, as messages name them
    + delete_mail: whether the mail of removed users is deleted
    + first: called on the machine that runs pyinfra before anything is changed
    """

    accounts: Accounts = Accounts()
    absent: Absent = Absent()
    renamed: tuple[str, str] | None = None
    missing: tuple[str, ...] = ()
    delete_mail: bool = False
    first: Callable[[], None] | None = None


def stored(current: Current, table: str, key: Key) -> list[Key]:
    """Return the stored keys that equal this key, in any case of letters."""
    return [row for row in current[table] if folded(row) == folded(key)]


def need_user(current: Current, email: str) -> None:
    """Raise ``OperationValueError`` if there is no such user."""
    if not stored(current, "mail_users", (email,)):
        raise OperationValueError(f"there is no user {email}")


def without(current: Current, table: str, *keys: Key) -> Wish:
    """Return the wish to remove these rows."""
    found = {key: stored(current, table, key) for key in keys}
    absent = Absent({table: frozenset(key for rows in found.values() for key in rows)})
    missing = tuple(f"{WORDS[table]} {' -> '.join(key)}" for key, rows in found.items() if not rows)
    return Wish(absent=absent, missing=missing)


_RECORD = "mailstack_schema"
"""The table that a deploy writes last: without a row in it, mailstack has not taken the database over."""

NOTHING: Current = sql.parse(None)
"""The rows of a database that does not exist yet."""


@dataclass(eq=False)
class Step:
    """One account operation.

    + tables: the tables that it reads
    + all_rows: whether existing rows are checked by the rules too
    + backends: see ``Given``
    + previous: the account operation of this run before it, if not executed yet
    """

    settings: Settings
    wish: Callable[[Current], Wish]
    tables: Sequence[str] = tuple(READ)
    all_rows: bool = False
    backends: Mapping[str, int] = field(default_factory=dict)
    previous: Step | None = None

    @property
    def query(self) -> str:
        """SQL for the rows, and for mailstack's record of the objects that it created."""
        return sql.query(engine_of(self.settings).dialect, (*self.tables, _RECORD))

    def known(self) -> Current | None:
        """Return the rows that the database has now; ``None`` while no database answers."""
        answer = self._answer()
        return None if answer is None else sql.parse(answer)

    def read(self) -> Current:
        """Return the rows that the database has now.

        Raises ``OperationValueError`` if there is no database, or not one of mailstack's, and no operation of
        this run changes that.
        """
        answer = self._answer()
        if (answer and answer.get(_RECORD)) or (not is_executing() and deployed_with()):
            return sql.parse(answer)
        name = self.settings.mail_db_name
        if answer is None:
            raise OperationValueError(
                f"{host.name} has no mail database {name!r} that answers: first deploy the mail server "
                "(pyinfra INVENTORY deploy.py); if it is deployed, start its database server"
            )
        raise OperationValueError(
            f"{host.name} has a database {name!r} that mailstack has not taken over: first deploy the mail "
            "server (pyinfra INVENTORY deploy.py); docs/adopting.md says how"
        )

    def _answer(self) -> Mapping[str, Any] | None:
        settings = self.settings
        answer: Mapping[str, Any] | None = (
            engine_of(settings).database(settings).query(settings.mail_db_name, self.query)
        )
        return answer

    @cached_property
    def before(self) -> Current:
        """The rows at the time when the operation is executed, as far as this run can know."""
        return self.previous.after if self.previous else self.read()

    @cached_property
    def after(self) -> Current:
        """The rows after the operation."""
        return applied(self.before, self.plan(self.before).changes)

    def plan(self, current: Current) -> Plan:
        """Return the changes. Raises ``OperationValueError`` if they are impossible."""
        asked = self.wish(current)
        given = Given.of(self.settings, all_rows=self.all_rows, backends=self.backends)
        try:
            changes = plan(current, asked.accounts, asked.absent, given, asked.renamed)
        except PlanError as error:
            raise OperationValueError(str(error)) from None
        rows = asked.accounts.rows()
        aliases = [row.key for table in ("mail_alias", "mail_wildcard") for row in rows[table]]
        notes = [*_not_there(asked, changes), *dead_ends(aliases, changes, current)]
        notes += shadowed(changes, current)
        # a command changes no setting, but may remove the address that a setting sends mail to
        before = () if self.all_rows else tuple(dead_settings(given.targets, current))
        notes += [
            text for text in dead_settings(given.targets, applied(current, changes)) if text not in before
        ]
        return Plan(asked, changes, tuple(notes))


class Plan(NamedTuple):
    """The changes of an operation, and its notes on the request."""

    wish: Wish
    changes: list[Change]
    warnings: tuple[str, ...]


def _not_there(asked: Wish, changes: Sequence[Change]) -> Iterator[str]:
    yield from (f"there is no {name}: nothing to remove" for name in asked.missing)
    if asked.renamed and not changes:  # renamed already, or misspelt
        yield "there is no user {}: nothing to rename, as there is a user {} already".format(*asked.renamed)


_last: WeakKeyDictionary[Host, Step] = WeakKeyDictionary()


def has_steps() -> bool:
    """Return whether this run has prepared an account operation for the current host."""
    return current_host() in _last


def following(step: Step) -> Step:
    """Return the step linked to the previous one that this run has prepared for the same database."""
    before = _last.get(current_host())
    # the database has the rows of executed operations; a step that read only domains can't be planned on
    if not is_executing() and before is not step and step.tables == tuple(READ):
        if before is not None and before.settings.mail_db_name == step.settings.mail_db_name:
            step.previous = before
        _last[current_host()] = step
    return step
