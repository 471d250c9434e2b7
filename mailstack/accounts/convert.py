"""Carry the mail of users over to another mail driver."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationError, OperationValueError, PyinfraError
from pyinfra.context import host

from mailstack import addresses, hosts
from mailstack.accounts import mailbox_program
from mailstack.accounts.arguments import command, true_or_false
from mailstack.accounts.look import ask
from mailstack.accounts.mail import home_of
from mailstack.backends import backends
from mailstack.components.component import site_of
from mailstack.engines import engine_of
from mailstack.engines.contract import Rows
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.on_host import convert as program
from mailstack.on_host.convert.record import RECORD
from mailstack.operation import local_command, operation
from mailstack.operations.sql import deployed_with
from mailstack.run import answer, current_host, is_executing, run_script
from mailstack.settings import Settings
from mailstack.settings.dovecot import MAIL_DRIVER
from mailstack.settings.errors import nearest

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import OperationMeta

    from mailstack.deploys import GlobalArguments
    from mailstack.engines import Dialect

DRIVERS = ("sdbox", "maildir")
FORMATS = ("table", "json")
ALL = "all"
_COLUMNS = ("u.email", "u.home_directory", "u.mail_directory", "u.mail_driver", "u.active AND d.active")
_SOURCE = "FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name"


class User(NamedTuple):
    """A user whose mail is carried over.

    + driver: the mail driver until now
    + active: whether Dovecot knows the user
    """

    email: str
    home: str
    driver: str
    active: bool

    @property
    def obstacle(self) -> str:
        """Why its mail can't be carried over, if so."""
        if not self.active:
            return "the user is disabled"
        return (
            "doveadm would take * or ? in the address for any letters" if set("*?") & set(self.email) else ""
        )


@command
def convert(
    users: str,
    *,
    mail_driver: str = MAIL_DRIVER,
    delete_old: bool = False,
    format: str = "table",
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Carry the mail of users over to another mail driver, one after the other, while mail arrives.

    UIDs, flags, keywords, dates and subscriptions stay, and Sieve scripts are not touched. Each user
    is locked out for a moment at the end: sessions end, and mail waits in the queue. A run that was
    interrupted is continued by the next one.

    + users: an address, a domain, or ``all``
    + mail_driver: ``sdbox`` or ``maildir``
    + delete_old: whether the old mail is deleted. Without it, it stays in ``Maildir.old`` or ``sdbox.old``
    + format: ``json`` also prints, on standard output, what the host has noted about these users: when the
      mail of each was last carried over, between which drivers, and ``messages`` and ``locked`` (seconds), or
      ``failed``; ``left`` if old mail could not be deleted

    Raises ``OperationValueError`` for an unknown driver, format or user.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.convert example.org
    """
    true_or_false(delete_old=delete_old)
    if mail_driver not in DRIVERS:
        near = nearest(str(mail_driver), DRIVERS)
        raise OperationValueError(f"mail_driver = {mail_driver!r}: allowed: {', '.join(DRIVERS)}{near}")
    if format not in FORMATS:
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}")
    wanted = wanted_users(users)
    return _convert(
        settings=deployed_with() or Settings.from_data(host.data),
        wanted=wanted,
        mail_driver=mail_driver,
        delete_old=delete_old,
        as_json=format == "json",
        name=f"Mail of {wanted} to {mail_driver}",
    )


def wanted_users(users: object) -> str:
    """Return the address, the domain or ``all``, in lower case."""
    text = str(users)
    check = addresses.address_key if "@" in text else addresses.domain_name
    try:
        return ALL if text == ALL else check(text)
    except ValueError as error:
        raise OperationValueError(
            f"users = {users!r}: {error}; allowed: an address, a domain, or all"
        ) from None


@operation
def _convert(
    settings: Settings, wanted: str, mail_driver: str, delete_old: bool, as_json: bool
) -> Generator[PyinfraCommand]:
    if settings.mail_shared_folders and mail_driver != settings.new_mail_driver:
        raise OperationValueError(
            f"mail_driver = {mail_driver!r}: with mail_shared_folders, all users need the same, as Dovecot "
            f"can't see which one the owner of a folder has; allowed: {settings.new_mail_driver}, or first a "
            f"deploy with the setting mail_driver = {mail_driver!r}"
        )
    site = site_of(settings, hosts.checked(settings))
    if not site.here.has_mail:
        host.noop("the mail is on another host")
        return
    if not site.runs_primary:
        raise OperationError(
            "the mail is carried over only where the database is on the same host, as a user is locked out "
            "until the database has the new mail_driver"
        )
    users, record = users_of(settings, wanted), _record()
    found = []
    for user in users:
        last = record.get(user.email, {})
        if user.driver != mail_driver or is_unfinished(last, mail_driver, delete_old):
            found.append(user._replace(driver=other_than(mail_driver)))
            if text := last_time(last):
                host.log(f"{user.email}: {text}")
    moving = [user for user in found if not user.obstacle]
    for user in found:
        if user.obstacle:
            host.log(f"{user.email} is left out: {user.obstacle}")
    if not moving:
        if as_json and is_executing():
            _print_record(users)
        host.noop(f"the mail of {wanted} is in {mail_driver} already")
        return
    if settings.mail_shared_folders:
        text = (
            "rights that these users have granted to others are not carried over: they must grant them again"
        )
        host.log_styled(text, fg="yellow", log_func=logger.warning)
    generation = read(PLATFORM).dovecot
    for user in moving:
        host.log(f"~ user {user.email}: mail_driver {user.driver} -> {mail_driver}")

    def carry() -> None:
        failed = [
            user.email
            for number, user in enumerate(moving, 1)
            if not _carried(settings, user, mail_driver, generation, delete_old, f"{number} of {len(moving)}")
        ]
        if as_json:
            _print_record(users)
        if failed:
            raise OperationError(f"{len(failed)} of {len(moving)} failed: see above")

    yield local_command(carry)


def _record() -> dict[str, dict[str, Any]]:
    """Return what the host has noted about each user whose mail was to be carried over."""
    said = run_script(current_host(), f"cat {RECORD} 2>/dev/null || echo '{{}}'").output
    known: dict[str, dict[str, Any]] = json.loads(said)
    return known


def _print_record(users: Sequence[User]) -> None:
    known, emails = _record(), {user.email for user in users}
    about = {email: known[email] for email in sorted(emails & known.keys())}
    answer(json.dumps({"host": host.name, "users": about}, indent=2) + "\n")


def is_unfinished(last: Mapping[str, Any], driver: str, delete_old: bool) -> bool:
    """Return whether a run to this driver has left something to do, also if the database has the driver.

    + last: the record of the user, which a run without ``delete_old`` must keep if old mail is to be deleted
    """
    left = delete_old and "left" in last
    return last.get("after") == driver and (left or "messages" not in last)


def last_time(last: Mapping[str, Any]) -> str:
    """Return how the last attempt ended, if not well.

    + last: the record of the user
    """
    if not last or ("messages" in last and "left" not in last):
        return ""
    when = str(last["at"]).replace("T", " ").rstrip("Z")
    problem = last.get("failed") or last.get("left")
    how = f"failed: {problem}" if problem else "was cut off"
    return f"the last attempt, of {when} UTC, {how}"


def users_of(settings: Settings, wanted: str) -> list[User]:
    """Return the users in question.

    Raises ``OperationValueError`` for a user or a domain without any, and for mailboxes on several hosts.
    """
    if several := backends(settings, hosts.topology()):
        raise OperationValueError(
            f"the mailboxes are on {len(several.nodes)} hosts, and this command is for a server with one "
            "mail host; allowed: doveadm on the host that has the user's mail"
        )
    condition = "" if wanted == ALL else f" WHERE u.{'email' if '@' in wanted else 'domain_name'} = "
    dialect = engine_of(settings).dialect
    if condition:
        condition += dialect.literal(wanted)
    rows = ask(settings, {"users": Rows(_COLUMNS, f"{_SOURCE}{condition}")}).get("users", ())
    if not rows and wanted != ALL:
        raise OperationValueError(f"there is no user {'' if '@' in wanted else 'in '}{wanted}")
    return sorted(
        User(
            email,
            home_of(
                {"email": email, "home_directory": given, "mail_directory": own}, settings.mail_home_root
            ),
            driver,
            bool(active),
        )
        for email, given, own, driver, active in rows
    )


def _carried(
    settings: Settings, user: User, driver: str, generation: str, delete_old: bool, which: str
) -> bool:
    """Carry the mail of one user over, say how it went, and return whether all was done."""
    engine, name = engine_of(settings), settings.mail_db_name
    sql = switching(engine.dialect, user, driver, settings.mail_db_owner)
    plan = {
        "email": user.email,
        "home": user.home,
        "before": user.driver,
        "after": driver,
        "generation": generation,
        "switch": engine.database(settings).changing(name, sql),
        "delete_old": delete_old,
    }
    done = mailbox_program.run("convert", program, plan)
    try:
        said = json.loads(done.output.strip().rpartition("\n")[2])
        text = f"{said['messages']} messages, locked for {said['locked']} s"
        left = said.get("left", "")
    except (ValueError, TypeError, KeyError, AttributeError):
        text = " ".join((done.errors or done.output).split()) or "it ended without a word"
        left = outcome(settings, user, driver)
    line = f"{which}: {user.email}: {'; '.join(filter(None, [text, left]))}"
    if left:
        host.log_styled(line, fg="red", log_func=logger.error)
    else:
        host.log(line)
    return not left


def outcome(settings: Settings, user: User, driver: str) -> str:
    """Return which mail a user has after an attempt that failed: it may have failed after the switch."""
    dialect = engine_of(settings).dialect
    rows = Rows(("mail_driver",), f"FROM mail_users WHERE email = {dialect.literal(user.email)}")
    try:
        now = [found for (found,) in ask(settings, {"now": rows}).get("now", ())]
    except PyinfraError:
        return "the database does not say which mail is in use; the same command completes it"
    if now == [driver]:
        return f"the mail in {driver} is in use; the same command completes it"
    return "the mail stays as it was" if now else "the user is gone"


def other_than(driver: str) -> str:
    """Return the other mail driver."""
    return next(each for each in DRIVERS if each != driver)


def switching(dialect: Dialect, user: User, driver: str, owner: str) -> str:
    """Return a script that writes the new driver of a user."""
    email, before, after = map(dialect.literal, (user.email, user.driver, driver))
    change = f"UPDATE mail_users SET mail_driver = {after} WHERE email = {email} AND mail_driver = {before};"
    return "\n".join([*dialect.begin(owner), change, *dialect.end()])
