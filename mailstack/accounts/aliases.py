"""Aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta

from mailstack import addresses
from mailstack.accounts.arguments import command, given, true_or_false
from mailstack.accounts.fulfil import fulfil
from mailstack.accounts.rows import Current, Key, Rows
from mailstack.accounts.step import Wish, without
from mailstack.accounts.wanted import Accounts
from mailstack.settings import Alias

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments


@command
def alias(
    source_email: str,
    destinations: str | list[str] | tuple[str, ...] = (),
    *,
    active: bool | None = None,
    present: bool = True,
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Add, change or remove an alias.

    + source_email: the address, ``@domain`` for a catch-all, or ``name@*`` for a name in all domains
    + destinations: the addresses that get its mail, one or several. Existing others stay
    + active: whether it is enabled
    + present: false removes these destinations, or without any the whole alias

    Raises ``OperationValueError`` for a malformed address.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.alias info@example.org alice@example.org
        pyinfra INVENTORY mailstack.accounts.alias info@example.org present=false
    """
    true_or_false(present=present)
    targets = [destinations] if isinstance(destinations, str) else list(destinations)
    if present or targets:
        wanted = Alias(**given(source_email=source_email, destinations=targets, active=active))
        source_email, targets = wanted.source_email, list(wanted.destinations)
    else:
        source_email = _alias_source(source_email)

    def wish(current: Current) -> Wish:
        if present:
            return Wish(Accounts(aliases=(wanted,)))
        table = "mail_wildcard" if source_email.endswith("@*") else "mail_alias"
        source = source_email.removesuffix("@*")
        listed = [(source, target) for target in targets] or _aliases_of(current[table], source)
        if not listed:
            return Wish(missing=(f"alias {source_email}",))
        return without(current, table, *listed)

    return fulfil(wish, f"Alias {source_email}")


def _aliases_of(rows: Rows, source: str) -> list[Key]:
    return [(source, target.lower()) for stored, target in rows if stored.lower() == source]


def _alias_source(text: str) -> str:
    try:
        return addresses.alias_source(text)
    except ValueError as error:
        raise OperationValueError(f"source_email = {text!r}: {error}") from None
