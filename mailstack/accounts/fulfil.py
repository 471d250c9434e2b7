"""Make the database have the accounts that a call asks for: read, plan, show, write."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta
from pyinfra.context import host

from mailstack import hosts, topology_rules
from mailstack.accounts import sql
from mailstack.accounts.mail import deletable_homes, former_key, with_mail_named
from mailstack.accounts.plan import PlanError
from mailstack.accounts.rights import former_addresses, mail_places, revoke
from mailstack.accounts.rows import Change, Current, Key
from mailstack.accounts.step import NOTHING, Plan, Step, Wish, following, has_steps
from mailstack.engines import engine_of
from mailstack.facts import reading
from mailstack.facts.platform import PLATFORM
from mailstack.operation import local_command, naming_the_host, operation
from mailstack.operations.sql import deployed_with
from mailstack.passwords import hash_password
from mailstack.run import is_executing, leave_out
from mailstack.settings import Settings
from mailstack.shell import shell


def fulfil(wish: Callable[[Current], Wish], name: str) -> OperationMeta:
    """Fulfil a wish on the host that has the database; on every other one there is nothing to do.

    If that host is not in the run, the current one fails: to do nothing would look like success. The settings
    are those of the deploy before it in this run, else those in the host's data.
    """
    settings = deployed_with() or Settings.from_data(host.data)
    try:
        ours = topology_rules.does_accounts(settings, hosts.topology())
    except OperationValueError as error:
        leave_out(str(error))
    if not ours:
        return _apply(step=None, name=_called(name))
    step = following(Step(settings, wish))
    if not is_executing():
        with naming_the_host():
            _work(step, step.before)  # what can't be stops here, before anything is done
    return apply(step, name)


def apply(step: Step, name: str) -> OperationMeta:
    """Fulfil the wish of a step in the database that its settings speak of.

    + name: what pyinfra calls the operation
    """
    database = engine_of(step.settings).database(step.settings)
    database.announce(step.settings.mail_db_name, step.query)
    return _apply(step=following(step), name=_called(name))


def _called(name: str) -> str:
    """What the caller calls it, by pyinfra's argument ``name``, or else ``name``."""
    arguments: Mapping[str, object] = host.current_deploy_kwargs or {}
    return str(arguments.get("name") or name)


class _Work(NamedTuple):
    """What has to be done.

    + deleted: users that go with their mail, as ``mail_former_users`` will have them
    + homes: the directories of that mail
    + former: addresses whose rights in others' folders have to go
    + places: the directories of all mail
    """

    plan: Plan
    deleted: list[Key]
    homes: list[str]
    former: list[str]
    places: list[str]


def _work(step: Step, current: Current) -> _Work:
    """Raises ``OperationValueError`` for what can't be."""
    plan, root = step.plan(current), step.settings.mail_home_root
    gone = [change.key for change in plan.changes if (change.sign, change.table) == ("-", "mail_users")]
    if not plan.wish.delete_mail:
        gone = []
    try:
        homes = deletable_homes(gone, current["mail_users"], root) if gone else []
    except PlanError as error:
        raise OperationValueError(str(error)) from None
    here = hosts.topology().here
    if homes and not here.has_role("imap"):
        raise OperationValueError(
            f"delete_mail: {homes[0]} is not on {here.name}, {here.because}, but on the one in imap"
        )
    changes = with_mail_named(plan.changes, current, root, plan.wish.delete_mail)
    deleted = [former_key(current["mail_users"][key]) for key in gone]
    shares = step.settings.mail_shared_folders and here.has_role("imap")
    former = former_addresses(current, changes) if shares else []
    places = mail_places(current["mail_users"], root) if former else []
    return _Work(plan._replace(changes=changes), deleted, homes, former, places)


def require(step: Step) -> None:
    """Stop the run before it changes anything, if the database can't have what the step wishes for.

    Nothing is checked if an earlier operation of this run makes accounts: the step may need those.
    """
    if has_steps():
        return
    database, name = engine_of(step.settings).database(step.settings), step.settings.mail_db_name
    for _ in ("is it known", "what is it"):
        database.announce(name, step.query)

    def problem(_: object) -> str | None:
        if not database.is_known(name, step.query):
            return None  # a server that does not run just now: this run starts it, and asks again then
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
        # Nobody reads or delivers while it goes. A run that is cut off leaves a disabled user, and the next
        # one takes it up again.
        disabled = sql.disable(engine.dialect, (email for email, _ in deleted), owner)
        yield database.script(name, disabled, "disable the users that go")
        yield shell(f"rm -rf -- {shlex.join(homes)}")
    if changes and wish.first:
        yield local_command(wish.first)
    if changes:
        script = sql.script(engine.dialect, changes, owner, hash_password, deleted=deleted)
        yield database.script(name, script, _title(changes))
    if former:
        # after the users are gone: nobody can grant them anything any more
        host.log(f"- what others shared with {', '.join(former)}")
        yield shell(revoke(former, places))
        yield database.script(name, sql.forget(engine.dialect, former, owner), "forget former addresses")
    if not changes and not former:
        host.noop("the accounts are as they should be")


def _title(changes: list[Change]) -> str:
    return f"{len(changes)} change{'s' if len(changes) > 1 else ''} of accounts"
