"""Domains with mailboxes, alias domains, and domains whose mail is relayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta

from mailstack.accounts.arguments import command, given, true_or_false
from mailstack.accounts.fulfil import fulfil
from mailstack.accounts.plan import Absent
from mailstack.accounts.rows import Current
from mailstack.accounts.step import Wish, stored, without
from mailstack.accounts.wanted import Accounts
from mailstack.settings import AliasDomain, Domain, RelayDomain

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments


@command
def domain(
    domain_name: str,
    *,
    active: bool | None = None,
    quota_mb: int | None = None,
    quota_messages: int | None = None,
    user_quota_mb: int | None = None,
    user_quota_messages: int | None = None,
    present: bool = True,
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Add, change or remove a domain.

    + domain_name: the domain
    + active: whether mail to its addresses is accepted; by default true for a new domain, else unchanged
    + quota_mb, quota_messages: the largest sums of its users' quotas, in MiB and in messages
    + user_quota_mb, user_quota_messages: the quotas of its users without their own; 0 for no limit
    + present: false removes the domain, which is refused while it has addresses

    Raises ``OperationValueError`` for a malformed domain.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.domain example.org user_quota_mb=2000
        pyinfra INVENTORY mailstack.accounts.domain example.org present=false
    """
    true_or_false(present=present)
    wanted = Domain(
        **given(
            domain_name=domain_name,
            active=active,
            quota_mb=quota_mb,
            quota_messages=quota_messages,
            user_quota_mb=user_quota_mb,
            user_quota_messages=user_quota_messages,
        )
    )
    key = (wanted.domain_name,)
    return fulfil(
        lambda current: (
            Wish(Accounts(domains=(wanted,))) if present else without(current, "mail_domain", key)
        ),
        f"Domain {wanted.domain_name}",
    )


@command
def alias_domain(
    alias_domain: str,
    domain_name: str | None = None,
    *,
    active: bool | None = None,
    present: bool = True,
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Add, change or remove another name for a domain.

    + alias_domain: the other name
    + domain_name: the domain; not needed to remove the name
    + active: whether mail to the other name is accepted
    + present: false removes the name

    Raises ``OperationValueError`` for a malformed domain.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.alias_domain example.net example.org
        pyinfra INVENTORY mailstack.accounts.alias_domain example.net present=false
    """
    true_or_false(present=present)
    wanted = AliasDomain(
        **given(alias_domain=alias_domain, domain_name=domain_name or alias_domain, active=active)
    )
    if present and domain_name is None:
        raise OperationValueError("domain_name: which domain is it another name for?")
    key = (wanted.alias_domain,)
    return fulfil(
        lambda current: (
            Wish(Accounts(alias_domains=(wanted,))) if present else without(current, "mail_alias_domain", key)
        ),
        f"Alias domain {wanted.alias_domain}",
    )


@command
def relay_domain(
    domain_name: str,
    recipients: str | list[str] | tuple[str, ...] = (),
    *,
    any_recipient: bool | None = None,
    active: bool | None = None,
    present: bool = True,
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Add, change or remove a domain whose mail is relayed, and its recipients.

    + domain_name: the domain
    + recipients: addresses that the primary has. Existing others stay
    + any_recipient: whether mail to every address is accepted
    + active: whether mail to the domain is accepted
    + present: false removes these recipients, or without any the whole domain

    Raises ``OperationValueError`` for a malformed domain, or an address in another domain.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.relay_domain example.net info@example.net
        pyinfra INVENTORY mailstack.accounts.relay_domain example.net present=false
    """
    true_or_false(present=present)
    targets = [recipients] if isinstance(recipients, str) else list(recipients)
    wanted = RelayDomain(
        **given(domain_name=domain_name, recipients=targets, any_recipient=any_recipient, active=active)
    )

    def wish(current: Current) -> Wish:
        if present:
            return Wish(Accounts(relay_domains=(wanted,)))
        if wanted.recipients:
            return without(current, "mail_relay_recipient", *((address,) for address in wanted.recipients))
        known = [key for key in current["mail_relay_recipient"] if key[0].endswith(f"@{wanted.domain_name}")]
        domains = stored(current, "mail_relay_domain", (wanted.domain_name,))
        absent = {"mail_relay_domain": frozenset(domains), "mail_relay_recipient": frozenset(known)}
        missing = () if domains else (f"relay domain {wanted.domain_name}",)
        return Wish(absent=Absent(absent), missing=missing)

    return fulfil(wish, f"Relay domain {wanted.domain_name}")
