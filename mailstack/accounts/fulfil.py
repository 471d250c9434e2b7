"""Bring the database's accounts to the requested state: read, plan, show, write."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta
from pyinfra.context import host

from mailstack import hosts, topology_rules
from mailstack.accounts import sql
from mailstack.accounts.mail import deletable_homes, deleting, former_key, with_mail_named
from mailstack.accounts.plan import PlanError
from mailstack.accounts.rights import former_addresses, mail_places, revoke
from mailstack.accounts.rows import Change, Current, Key
from mailstack.accounts.step import NOTHING, Plan, Step, Wish, following, has_steps
from mailstack.backends import shares
from mailstack.engines import engine_of
from mailstack.facts import reading
from mailstack.facts.platform import PLATFORM
from mailstack.last_deploy import noted
from mailstack.operation import local_command, naming_the_host, operation
from mailstack.operations.sql import deployed_with
from mailstack.passwords import hash_password
from mailstack.run import given_name, is_executing, leave_out
from mailstack.settings import Settings
from mailstack.shell import script, shell


def fulfil(wish: Callable[[Current], Wish], name: str) -> OperationMeta:
    """Fulfil a wish on the host with the database; do nothing on all others.

    If that host is not in the run, fail the current one, as doing nothing would look like success. The
    settings are those of the previous deploy in this run, else those in the host's data.
    """
    settings = deployed_with() or Settings.from_data(host.data)
    try:
        runs_here = topology_rules.does_accounts(settings, topology := hosts.topology())
    except OperationValueError as error:
        leave_out(str(error))
    if not runs_here:
        return _apply(step=None, name=_called(name))
    step = following(Step(settings, wish, backends=shares(settings, topology)))
    if not is_executing():
        with naming_the_host():
            _work(step, step.before)  # an impossible wish raises here, before anything is changed
    return apply(step, name)


def apply(step: Step, name: str) -> OperationMeta:
    """Fulfil the wish of a step in the database of its settings.

    + name: the operation's name in pyinfra's output
    """
    database = engine_of(step.settings).database(step.settings)
    database.announce(step.settings.mail_db_name, step.query)
    return _apply(step=following(step), name=_called(name))


def _called(name: str) -> str:
    """Return the caller's pyinfra argument ``name`` if given, else ``name``."""
    return given_name() or name


class _Work(NamedTuple):
    """The changes to make.

    + deleted: users that are removed with their mail, by their keys in ``mail_former_users``
    + homes: the directories of that mail
    + former: addresses whose rights in other users' folders are revoked
    + places: the directories of all mail
    """

    plan: Plan
    deleted: list[Key]
    homes: list[str]
    former: list[str]
    places: list[str]


def _work(step: Step, current: Current) -> _Work:
    """Plan the changes. Raises ``OperationValueError`` if they are impossible."""
    plan, root = step.plan(current), step.settings.mail_home_root
    removed = [change.key for change in plan.changes if (change.sign, change.table) == ("-", "mail_users")]
    if not plan.wish.delete_mail:
        removed = []
    try:
        homes = deletable_homes(removed, current["mail_users"], root) if removed else []
    except PlanError as error:
        raise OperationValueError(str(error)) from None
    here = hosts.topology().here
    if homes and not here.has_role("imap"):
        raise OperationValueError(
            f"delete_mail: {homes[0]} is not on {here.name}, {here.because}, but on the one in imap"
        )
    for key in removed:
        at = current["mail_users"][key].get("backend") or next(iter(step.backends), here.name)
        if step.backends and at != here.name:
            raise OperationValueError(
                f"delete_mail: the mail of {key[0]} is on {at}, and only that on {here.name} can be deleted; "
                f"allowed: first mailstack.accounts.move to {here.name}, or no delete_mail"
            )
    changes = with_mail_named(plan.changes, current, root, plan.wish.delete_mail)
    deleted = [former_key(current["mail_users"][key]) for key in removed]
    shares = step.settings.mail_shared_folders and here.has_role("imap")
    former = former_addresses(current, changes) if shares else []
    places = mail_places(current["mail_users"], root) if former else []
    return _Work(plan._replace(changes=changes), deleted, homes, former, places)


def require(step: Step) -> None:
    """Stop the run before it changes anything, if the step's wish is impossible.

    Check nothing if an earlier operation of this run creates accounts, as the step may need those.
    """
    if has_steps():
        return
    database, name = engine_of(step.settings).database(step.settings), step.settings.mail_db_name
    for _ in ("is it known", "what is it"):
        database.announce(name, step.query)

    def problem(_: object) -> str | None:
        if not database.is_known(name, step.query):
            return None  # the server is stopped: this run starts it and asks again
        try:
            _work(step, step.known() or NOTHING)
        except OperationValueError as error:
            return str(error)
        return None

    reading.require(PLATFORM, problem)


@operation
def _apply(step: Step | None) -> Generator[PyinfraCommand]:
    if step is None:
        host.noop("the accounts are on another host")
        return
    settings = step.settings
    engine, name, owner = engine_of(settings), settings.mail_db_name, settings.mail_db_owner
    database = engine.database(settings)
    (wish, changes, warnings), deleted, homes, former, places = _work(
        step, step.read() if is_executing() else step.before
    )
    for change in changes:
        host.log(str(change))
    for warning in warnings:
        host.log_styled(warning, fg="yellow", log_func=logger.warning)
    if homes:
        host.log(f"- mail in {', '.join(homes)}")
        # No client reads or delivers mail while it is deleted. An interrupted run leaves a disabled user,
        # and the next run continues.
        disabled = sql.disable(engine.dialect, (email for email, _ in deleted), owner)
        yield database.script(name, disabled, "disable the users that are removed")
        yield shell(deleting(homes))
    if changes and wish.first:
        yield local_command(wish.first)
    if changes:
        changing = sql.script(engine.dialect, changes, owner, hash_password, deleted=deleted)
        yield noted(database.script(name, changing, _title(changes)))
        if hosts.topology().is_replicated(settings):
            wait = script("wait_for_standbys", str(settings.db_port), name)
            yield shell(f"{script('psql')}\n{wait}")
    if former:
        # once the users are removed, no rights can be granted to them
        host.log(f"- what others shared with {', '.join(former)}")
        yield shell(revoke(former, places))
        yield database.script(name, sql.forget(engine.dialect, former, owner), "forget former addresses")
    if not changes and not former:
        host.noop("the accounts are as they should be")


def _title(changes: list[Change]) -> str:
    return f"{len(changes)} change{'s' if len(changes) > 1 else ''} of accounts"
