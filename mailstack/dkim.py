"""Rotation of DKIM keys in steps, as receivers look for the key of a message in the DNS.

.. code:: shell

    pyinfra INVENTORY mailstack.dkim.publish example.org    # make the next keys
    ssh root@HOST /usr/local/lib/mailstack/dkim-keys records example.org    # print the records, for the DNS
    pyinfra INVENTORY mailstack.dkim.switch example.org     # once the DNS has them, sign with these keys
    pyinfra INVENTORY mailstack.dkim.retire example.org     # a week later, delete the old keys

The records of the old keys stay in the DNS until mail that was signed with them is delivered: a week.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Unpack, cast

from pyinfra.api.exceptions import OperationError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import true_or_false
from mailstack.components.dkim import SCRIPT
from mailstack.facts.dkim import DkimKey, DkimKeys
from mailstack.facts.reading import read
from mailstack.operation import operation, refused_by, warn_once
from mailstack.settings import Domain
from mailstack.shell import shell

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import OperationMeta

    from mailstack.deploys import GlobalArguments


_DELIVERED_AFTER = timedelta(days=7)
"""The time after which mail that was signed with an old key is delivered; a queue keeps it for five days."""


class Rotation(Protocol):
    """An operation about a domain. pyinfra's own type of an operation takes no argument by position."""

    def __call__(self, domain: str, **global_arguments: Unpack[GlobalArguments]) -> OperationMeta:
        """See the operation."""


class Retirement(Protocol):
    """The same, with an option."""

    def __call__(
        self, domain: str, now: bool = False, **global_arguments: Unpack[GlobalArguments]
    ) -> OperationMeta:
        """See the operation."""


def _rotation(function: Callable[[str], Generator[PyinfraCommand]]) -> Rotation:
    return refused_by(_checked)(cast("Rotation", operation(function)))


def _checked(domain: str, now: bool = False) -> str:
    """Return the name of a domain. Raises ``OperationValueError`` for arguments that are not allowed."""
    true_or_false(now=now)
    return Domain(domain_name=domain).domain_name


@_rotation
def publish(domain: str) -> Generator[PyinfraCommand]:
    """Make the next keys of a domain, unless there are some that do not sign yet.

    + domain: the domain

    Raises ``OperationValueError`` for a malformed domain.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.dkim.publish example.org
    """
    name = _checked(domain)
    if not _is_here():
        return
    if waiting := _waiting(read(DkimKeys.of(name))):
        host.noop(f"{', '.join(waiting)} of {name} do not sign yet")
        return
    yield shell(f"{SCRIPT} publish {shlex.quote(name)}")


@_rotation
def switch(domain: str) -> Generator[PyinfraCommand]:
    """Sign the mail of a domain with its newest keys.

    + domain: the domain

    Raises ``OperationValueError`` for a malformed domain.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.dkim.switch example.org
    """
    name = _checked(domain)
    if not _is_here():
        return
    keys = read(DkimKeys.of(name))
    if not keys:
        raise OperationError(f"{name} has no keys; mailstack.dkim.publish makes them")
    if not _waiting(keys):
        host.noop(f"the newest keys of {name} sign already")
        return
    yield shell(f"{SCRIPT} switch {shlex.quote(name)}")


def _retirement(function: Callable[[str, bool], Generator[PyinfraCommand]]) -> Retirement:
    return refused_by(_checked)(cast("Retirement", operation(function)))


@_retirement
def retire(domain: str, now: bool = False) -> Generator[PyinfraCommand]:
    """Delete the keys of a domain that are older than those that sign.

    Their records are printed no more, and ``mailstack.dns.publish`` deletes them.

    + domain: the domain
    + now: whether to delete them also if they signed less than a week ago

    Raises ``OperationValueError`` for a malformed domain.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.dkim.retire example.org
    """
    name = _checked(domain, now)
    if not _is_here():
        return
    keys = read(DkimKeys.of(name))
    if not keys:
        raise OperationError(f"{name} has no keys")
    if not (old := _old(keys)):
        host.noop(f"{name} has no keys that are older than those that sign")
    elif not now and (wait := _waits(keys, datetime.now(UTC))):
        warn_once(f"{', '.join(old)} of {name} {wait}")
        host.noop("the old keys stay for some days")
    else:
        yield shell(f"{SCRIPT} retire {shlex.quote(name)}")


def _is_here() -> bool:
    """Return whether the keys are on this host, and say so if they are not."""
    if hosts.topology().here.has_mail:
        return True
    host.noop("the keys are on the host with the mail server")
    return False


def _waiting(keys: Mapping[str, DkimKey]) -> list[str]:
    """Return the selectors that are newer than those that sign. The key for RSA is the last that is made."""
    signing = max((_number(key) for key in keys.values() if key.signs), default=0)
    complete = {_number(key) for key in keys.values() if key.selector.startswith("rsa")}
    return sorted(key.selector for key in keys.values() if signing < _number(key) <= max(complete, default=0))


def _old(keys: Mapping[str, DkimKey]) -> list[str]:
    """Return the selectors that are older than those that sign."""
    signing = min((_number(key) for key in keys.values() if key.signs), default=0)
    return sorted(key.selector for key in keys.values() if _number(key) < signing)


def _waits(keys: Mapping[str, DkimKey], now: datetime) -> str | None:
    """Return why old keys should not be deleted yet, or ``None``."""
    since = max((key.since for key in keys.values() if key.since), default=now)
    after = since + _DELIVERED_AFTER
    if after <= now:
        return None
    return (
        f"may have signed until {since:%Y-%m-%d %H:%M} UTC, and mail may be on its way until "
        f"{after:%Y-%m-%d %H:%M} UTC; the option now does not wait"
    )


def _number(key: DkimKey) -> int:
    return int(key.selector.lstrip("abcdefghijklmnopqrstuvwxyz") or 0)
