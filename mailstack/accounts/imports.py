"""Import of accounts from other software."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta
from pyinfra.context import host

from mailstack.accounts import postfixadmin_tables
from mailstack.accounts.arguments import command, true_or_false
from mailstack.accounts.fulfil import fulfil
from mailstack.accounts.rows import Current
from mailstack.accounts.step import Wish, stored
from mailstack.accounts.wanted import Accounts

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments


@command
def postfixadmin(
    file: str, *, cleartext: bool | None = None, **pyinfras: Unpack[GlobalArguments]
) -> OperationMeta:
    """Add the domains, mailboxes and aliases of PostfixAdmin, with their passwords and quotas.

    + file: a dump of its tables ``domain``, ``mailbox``, ``alias`` and ``alias_domain``, on the machine that
      runs pyinfra: ``mysqldump --xml``, or JSON (docs/adopting.md)
    + cleartext: whether PostfixAdmin had ``$CONF['encrypt'] = 'cleartext'``; required if a password looks
      like a hash

    Existing rows stay unchanged, so a second run changes nothing.

    Raises ``OperationValueError`` if the file is not such a dump, or has an address that is not allowed here.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.postfixadmin postfixadmin.xml
    """
    if cleartext is not None:
        true_or_false(cleartext=cleartext)
    moved = postfixadmin_tables.accounts(tables_of(file), cleartext)
    for text in moved.left_out:
        host.log_styled(f"left out: {text}", fg="yellow", log_func=logger.warning)
    return fulfil(
        lambda current: Wish(new_to(current, moved.accounts)), f"From PostfixAdmin's tables in {file}"
    )


def tables_of(file: str) -> postfixadmin_tables.Tables:
    """Return the rows of a dump. Raises ``OperationValueError`` if the file is not a dump."""
    try:
        return postfixadmin_tables.parse(Path(file).read_text())
    except OSError as error:
        raise OperationValueError(f"file = {file!r}: {error.strerror}") from None
    except ValueError as error:
        raise OperationValueError(f"file = {file!r}: not a dump of PostfixAdmin's tables: {error}") from None


def new_to(current: Current, accounts: Accounts) -> Accounts:
    """Return the accounts without an existing row."""

    def exists(table: str, key: str) -> bool:
        return bool(stored(current, table, (key,)))

    sources = {source.lower() for source, _ in current["mail_alias"]}
    return Accounts(
        domains=tuple(d for d in accounts.domains if not exists("mail_domain", d.domain_name)),
        users=tuple(u for u in accounts.users if not exists("mail_users", u.email)),
        aliases=tuple(a for a in accounts.aliases if a.source_email not in sources),
        alias_domains=tuple(
            d for d in accounts.alias_domains if not exists("mail_alias_domain", d.alias_domain)
        ),
        relay_domains=tuple(
            d for d in accounts.relay_domains if not exists("mail_relay_domain", d.domain_name)
        ),
    )
