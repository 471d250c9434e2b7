"""Move the mail of users to another host of the group ``imap``."""

from __future__ import annotations

import shlex
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts, topology_rules
from mailstack.accounts.arguments import command, true_or_false
from mailstack.accounts.convert import ALL, wanted_users
from mailstack.accounts.look import ask
from mailstack.accounts.mail import deletable_homes, deleting, home_of
from mailstack.accounts.plan import PlanError
from mailstack.accounts.rows import Key
from mailstack.backends import DOVEADM_PORT, Backends, backends
from mailstack.engines import engine_of
from mailstack.engines.contract import Rows
from mailstack.facts.reading import forget
from mailstack.operation import local_command, operation, reason
from mailstack.operations.sql import deployed_with
from mailstack.run import current_host, run_script
from mailstack.settings import Settings
from mailstack.shell import script

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.host import Host
    from pyinfra.api.operation import OperationMeta

    from mailstack.deploys import GlobalArguments
    from mailstack.topology import Node

_COLUMNS = ("u.email", "u.home_directory", "u.mail_directory", "u.backend", "u.active AND d.active")
_SOURCE = "FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name"
_COPIES = 5
"""The copies at most that are made before a mailbox is locked."""
_SHORT = 3.0
"""A mailbox is locked after a copy that took no more seconds."""
_COPYING = 24 * 3600
"""The seconds that a copy may take with the mailbox open."""
_LOCKED = 1200
"""The seconds that the last one may take."""
_CHANGING = 60
"""The seconds that a change in the database may take."""
_FLUSH = "systemctl start --no-block mailstack-flush || true"


class Placed(NamedTuple):
    """A user, and the host with its mail.

    + stored: ``mail_users.backend``
    + can_move: whether Dovecot knows the user, and doveadm takes its address for no other
    """

    email: str
    home: str
    stored: str | None
    at: Node
    can_move: bool


class Moving(NamedTuple):
    """A user whose mail moves.

    + stored: ``mail_users.backend`` as it is now
    """

    email: str
    home: str
    stored: str | None
    source: Node
    target: Node

    @property
    def copying(self) -> str:
        """The value of ``mail_users.backend`` while the mailbox is open."""
        return f"{self.source.name}>{self.target.name}"

    @property
    def locked(self) -> str:
        """The value while mail and logins wait."""
        return f"{self.source.name}>>{self.target.name}"


@command
def move(
    users: str, backend: str, *, delete_old: bool = False, **pyinfras: Unpack[GlobalArguments]
) -> OperationMeta:
    """Move the mail of users to another host, one after the other, while mail arrives.

    UIDs, flags, subscriptions and Sieve scripts stay. Each user is locked out for some seconds at the end:
    sessions end, and mail waits in the queue. If it fails, the user stays on the host before. A run that was
    killed is continued by the next one; until then the user may stay locked out.

    + users: an address, a domain, or ``all``
    + backend: the host of the group ``imap`` that gets them, by its name in the inventory
    + delete_old: whether the mail on the host before is deleted. Without it, it stays there, unused

    Raises ``OperationValueError`` for an unknown user or host, or for mail to delete with that of others in
    the same directory.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.move alice@example.org imap2.example.org
    """
    true_or_false(delete_old=delete_old)
    wanted = wanted_users(users)
    return _move(
        settings=deployed_with() or Settings.from_data(host.data),
        wanted=wanted,
        backend=str(backend),
        delete_old=delete_old,
        name=f"Mail of {wanted} to {backend}",
    )


@operation
def _move(settings: Settings, wanted: str, backend: str, delete_old: bool) -> Generator[PyinfraCommand]:
    topology = hosts.checked(settings)
    if not topology_rules.does_accounts(settings, topology):
        host.noop("the accounts are on another host")
        return
    several = backends(settings, topology)
    if several is None:
        raise OperationValueError(f"backend = {backend!r}: this server has one mail host; allowed: several")
    target = next((node for node in several.nodes if node.name == backend), None)
    if target is None:
        names = ", ".join(node.name for node in several.nodes)
        raise OperationValueError(f"backend = {backend!r}: has no mailboxes of this server; allowed: {names}")
    moving = _moving(settings, wanted, several, target)
    if delete_old:
        _check_deletable(settings, moving)
    for node in {target, *(user.source for user in moving)}:
        if moving and node.name not in topology.reached:
            raise OperationError(f"{node.name} was not reached, and mail moves from it or to it")
    if not moving:
        host.noop(f"the mail of {wanted} is on {backend} already")
        return
    for user in moving:
        host.log(f"~ user {user.email}: backend {user.source.name} -> {target.name}")

    yield local_command(lambda: carry(settings, moving, several, delete_old=delete_old))


def carry(settings: Settings, moving: Sequence[Moving], several: Backends, *, delete_old: bool) -> None:
    """Move users, one after the other. Raises ``OperationError`` once all were tried, if one failed."""
    failed = 0
    for number, user in enumerate(moving, 1):
        failed += not _moved(settings, user, several, delete_old, f"{number} of {len(moving)}")
    if failed:
        raise OperationError(f"{failed} of {len(moving)} failed: see above")


def _moving(settings: Settings, wanted: str, several: Backends, target: Node) -> list[Moving]:
    """Return the users to move. Raises ``OperationValueError`` for a user that can't, or does not exist."""
    found = []
    for user in placed(settings, wanted, several):
        if not user.can_move:
            host.log(f"{user.email} is left out: it is disabled, or has * or ? in its address")
        elif user.stored != target.name and (user.at != target or ">" in (user.stored or "")):
            found.append(Moving(user.email, user.home, user.stored, user.at, target))
    return found


def placed(settings: Settings, wanted: str, several: Backends) -> list[Placed]:
    """Return where users are.

    + wanted: an address, a domain, or ``all``

    Raises ``OperationValueError`` for users that do not exist, or are on no host of the inventory.
    """
    condition = "" if wanted == ALL else f" WHERE u.{'email' if '@' in wanted else 'domain_name'} = "
    condition += engine_of(settings).dialect.literal(wanted) if condition else ""
    rows = ask(settings, {"users": Rows(_COLUMNS, f"{_SOURCE}{condition}")}).get("users", ())
    if not rows and wanted != ALL:
        raise OperationValueError(f"there is no user {'' if '@' in wanted else 'in '}{wanted}")
    nodes = {node.name: node for node in several.nodes}
    found = []
    for email, given, own, stored, active in sorted(rows, key=lambda row: str(row[0])):
        at = (stored or several.nodes[0].name).partition(">")[0]
        if at not in nodes:
            raise OperationValueError(f"{email}: its mail is on {at}, which is not in the group imap")
        row = {"email": email, "home_directory": given, "mail_directory": own}
        home = home_of(row, settings.mail_home_root)
        found.append(Placed(email, home, stored, nodes[at], bool(active and not set("*?") & set(email))))
    return found


def _check_deletable(settings: Settings, moving: Sequence[Moving]) -> None:
    """Check that each home has the mail of one user alone, who may be the last that moves.

    Raises ``OperationValueError`` for another one.
    """
    columns = ("email", "home_directory", "mail_directory")
    rows = ask(settings, {"users": Rows(columns, "FROM mail_users")}).get("users", ())
    users: dict[Key, dict[str, object]] = {
        (str(row[0]),): dict(zip(columns, row, strict=True)) for row in rows
    }
    for user in moving:
        try:
            deletable_homes([(user.email,)], users, settings.mail_home_root, "delete_old")
        except PlanError as error:
            raise OperationValueError(str(error)) from None


def _moved(settings: Settings, user: Moving, several: Backends, delete_old: bool, which: str) -> bool:
    """Move the mail of one user, say how it went, and return whether all was done."""
    try:
        seconds = _carried(settings, user)
    except OperationError as error:
        host.log_styled(f"{which}: {user.email}: {reason(error)}", fg="red", log_func=logger.error)
        return False
    finally:
        for node in several.mail_hosts:
            if node.name in hosts.topology().reached:
                run_script(hosts.host_of(node), _FLUSH, _CHANGING)
    host.log(f"{which}: {user.email}: locked for {seconds:.1f} s")
    if not delete_old or user.source == user.target:
        return True
    try:
        _run(hosts.host_of(user.source), deleting([user.home]), _LOCKED)
    except OperationError as error:
        said = f"{which}: {user.email}: moved, but {user.home} is not deleted: {reason(error)}"
        host.log_styled(said, fg="red", log_func=logger.error)
        return False
    return True


def _carried(settings: Settings, user: Moving) -> float:
    """Move the mail of one user; return for how many seconds it was locked.

    Raises ``OperationError`` if it can't be moved; the user is then on the host before.
    """
    if user.source == user.target:  # another run left a move away from here unfinished
        _set(settings, user.email, user.stored, user.target.name)
        return 0.0
    address = user.target.reachable_at
    to = f"tcps:{f'[{address}]' if ':' in address else address}:{DOVEADM_PORT}"
    source = hosts.host_of(user.source)
    if user.stored is None:  # in another order of the inventory, the mail was on another host
        said = f"there is mail in {user.home} already: write the host that has it to mail_users.backend"
        found = f"[ ! -e {shlex.quote(user.home)} ] || {{ echo {shlex.quote(said)} >&2; exit 1; }}"
        _run(hosts.host_of(user.target), found, _CHANGING)
    # what a killed run has left copying would take new mail away, once the user is on the other host
    alone = script("lock_home", user.home)
    try:
        _set(settings, user.email, user.stored, user.copying)
        for _ in range(_COPIES):
            began = time.monotonic()
            _run(source, f"{alone}\ndoveadm backup -u {shlex.quote(user.email)} {shlex.quote(to)}", _COPYING)
            if time.monotonic() - began < _SHORT:
                break
        began = time.monotonic()
        _set(settings, user.email, user.copying, user.locked)
        _wait_for_standbys(settings)
        _run(source, f"{alone}\n{script('last_of_mailbox', user.email, to)}", _LOCKED)
        _set(settings, user.email, user.locked, user.target.name)
    except OperationError:
        for stored in (user.copying, user.locked):
            _change(settings, user.email, stored, user.source.name)
        raise
    return time.monotonic() - began


def _set(settings: Settings, email: str, before: str | None, after: str) -> None:
    """Write the backend of a user. Raises ``OperationError`` if it is not ``before``."""
    _change(settings, email, before, after)
    forget()  # the answer of before
    literal = engine_of(settings).dialect.literal(email)
    rows = ask(settings, {"users": Rows(("u.backend",), f"FROM mail_users u WHERE u.email = {literal}")})
    now = [row[0] for row in rows.get("users", ())]
    if now != [after]:
        raise OperationError(f"the database says {now[0] if now else 'nothing'} by now")


def _wait_for_standbys(settings: Settings) -> None:
    """Wait until every standby knows that a user is locked, as others would send mail to the old host.

    Raises ``OperationError`` if one does not follow.
    """
    peers = len(hosts.topology().database_peers(settings))
    if peers:
        wait = script("wait_for_standbys", str(settings.db_port), settings.mail_db_name, str(peers))
        _run(current_host(), f"{script('psql')}\n{wait}", _CHANGING)


def _change(settings: Settings, email: str, before: str | None, after: str) -> None:
    engine = engine_of(settings)
    literal = engine.dialect.literal
    statement = (
        f"UPDATE mail_users SET backend = {literal(after)}"
        f" WHERE email = {literal(email)} AND backend IS NOT DISTINCT FROM {literal(before)};"
    )
    sql = "\n".join([*engine.dialect.begin(settings.mail_db_owner), statement, *engine.dialect.end()])
    _run(current_host(), engine.database(settings).changing(settings.mail_db_name, sql), _CHANGING)


def _run(on: Host, text: str, within: float) -> None:
    """Run a script. Raises ``OperationError`` with the last line that it says if it fails."""
    said = run_script(on, text, within)
    if not said.succeeded:
        lines = (said.errors or said.output).strip().split("\n")
        raise OperationError(f"{on.name}: {lines[-1] or 'it ended without a word'}")
