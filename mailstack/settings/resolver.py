"""The settings of the resolver: how this host asks the DNS."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.types import ListOf, Model, each, without_effect


def _forwarder(text: str) -> str:
    address = addresses.ip_address(text)
    if address.is_unspecified or address.is_multicast or text == "127.0.0.1":
        raise ValueError("no resolver that the one of this host could ask")
    return str(address)


class ResolverSettings(Model):
    """The DNS."""

    mail_resolver: bool = Field(
        default=True,
        description="Whether a mail host has a resolver of its own, unbound on 127.0.0.1, which validates "
        "DNSSEC (RFC 4035). Postfix and rspamd ask it; `/etc/resolv.conf` stays as it is. See "
        "`docs/resolver.md`.",
    )
    mail_resolver_forwarders: Annotated[
        ListOf[str],
        each(_forwarder),
        Allowed("a list of IP addresses of resolvers, such as `192.0.2.53`; not 127.0.0.1, which is its own"),
    ] = Field(
        default=(),
        description="Resolvers that it asks, in a network where it can't ask the name servers of the world. "
        "They must pass on DNSSEC. By default it asks the name servers itself.",
    )

    @model_validator(mode="after")
    def _resolver_runs(self) -> Self:
        without_effect(self, "mail_resolver", ResolverSettings.model_fields)
        return self
