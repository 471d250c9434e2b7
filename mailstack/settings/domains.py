"""Declared domains of each kind. Pure; ``mailstack.accounts`` writes them to the database."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.postfix_types import NextHop
from mailstack.settings.types import (
    DomainName,
    ListOf,
    Megabytes,
    Messages,
    Model,
    as_model,
    each,
    no_duplicates,
)


class Domain(Model):
    """A domain that this server receives mail for."""

    domain_name: DomainName = Field(description="The domain.")
    quota_mb: Megabytes | None = Field(
        default=None,
        description="The largest sum of the quotas of all users of the domain, in MiB; each user then needs "
        "a quota. 0 or none: no limit.",
    )
    quota_messages: Messages | None = Field(
        default=None, description="The same for the number of messages. 0 or none: no limit."
    )
    user_quota_mb: Megabytes | None = Field(
        default=None, description="`quota_mb` of each user of the domain without a quota of its own."
    )
    user_quota_messages: Messages | None = Field(
        default=None, description="`quota_messages` of each user of the domain without a quota of its own."
    )
    active: bool = Field(
        default=True, description="A disabled domain's addresses are refused like unknown ones."
    )


class AliasDomain(Model):
    """Another name for a domain: mail to ``user@alias_domain`` goes to ``user@domain_name``."""

    alias_domain: DomainName = Field(description="The other name. Never one of `mail_domains`.")
    domain_name: DomainName = Field(description="The domain, which has the mailboxes.")
    active: bool = Field(default=True, description="Whether mail to the other name is accepted.")


class RelayDomain(Model):
    """A domain whose mail is relayed to another server, its primary: this server is its backup MX."""

    domain_name: DomainName = Field(description="The domain. Never one of `mail_domains`.")
    recipients: Annotated[
        ListOf[str], each(addresses.address_key), Allowed("a list of addresses in that domain")
    ] = Field(
        default=(),
        description="The addresses that the primary has. Mail to others, except `postmaster`, is refused.",
    )
    any_recipient: bool = Field(
        default=False,
        description="Whether mail to every address is accepted. A message that the primary then refuses is "
        "returned to its envelope sender, which may be forged.",
    )
    next_hop: NextHop | None = Field(
        default=None,
        description="The primary. Without it, the most preferred of the domain's other MX hosts.",
    )
    active: bool = Field(
        default=True, description="A disabled relay domain's addresses are refused like unknown ones."
    )

    @model_validator(mode="after")
    def _of_this_domain(self) -> Self:
        no_duplicates(f"{self.domain_name}: recipient", list(self.recipients))
        for address in self.recipients:
            if not address.endswith(f"@{self.domain_name}"):
                raise ValueError(f"{self.domain_name}: the recipient {address!r} is in another domain")
        return self


def _alias_domain_mapping(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return [{"alias_domain": name, "domain_name": domain} for name, domain in value.items()]


def _relay_domain_mapping(value: object) -> object:
    """Convert ``{domain: recipients}``, the short form, to a list of relay domains."""
    if not isinstance(value, Mapping):
        return value
    return [{"domain_name": name, "recipients": recipients} for name, recipients in value.items()]


def _check_relay_domains(domains: tuple[RelayDomain, ...]) -> tuple[RelayDomain, ...]:
    no_duplicates("the relay domain", [domain.domain_name for domain in domains])
    return domains


def _check_alias_domains(aliases: tuple[AliasDomain, ...]) -> tuple[AliasDomain, ...]:
    no_duplicates("the alias domain", [alias.alias_domain for alias in aliases])
    return aliases


def _check_domains(domains: tuple[Domain, ...]) -> tuple[Domain, ...]:
    no_duplicates("the domain", [domain.domain_name for domain in domains])
    return domains


Domains = Annotated[
    ListOf[Annotated[Domain, as_model(Domain, "domain_name")]],
    AfterValidator(_check_domains),
    Allowed("a list of domains, or of dictionaries with `domain_name` and `active`"),
]
AliasDomains = Annotated[
    ListOf[Annotated[AliasDomain, as_model(AliasDomain)]],
    AfterValidator(_check_alias_domains),
    BeforeValidator(_alias_domain_mapping),
    Allowed("a dictionary of alias domain to domain, or a list of dictionaries (see AliasDomain)"),
]
RelayDomains = Annotated[
    ListOf[Annotated[RelayDomain, as_model(RelayDomain, "domain_name")]],
    AfterValidator(_check_relay_domains),
    BeforeValidator(_relay_domain_mapping),
    Allowed(
        "a dictionary of domain to its recipients, or a list of domains or dictionaries (see RelayDomain)"
    ),
]
