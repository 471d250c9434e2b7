"""Declared relay hosts that only some senders use."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.postfix_types import NextHop, RelayUser, folded
from mailstack.settings.types import Model, Password, as_model

SENDER_RELAY = "sender-relay"
"""The transport of senders that log in at their relay host."""


class SenderRelay(Model):
    """The relay host of one sender, for mail to other servers."""

    host: NextHop = Field(description="The server. Brackets: no MX lookup.")
    user: RelayUser | None = Field(default=None, description="The login name at that server.")
    password: Password | None = Field(default=None, description="The password of that login.")

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError(f"{self.host}: give user and password, or neither")
        return self


def _senders(table: dict[str, SenderRelay]) -> dict[str, SenderRelay]:
    return folded(table, addresses.key_or_domain)


SenderRelays = Annotated[
    dict[str, Annotated[SenderRelay, as_model(SenderRelay, "host")]],
    AfterValidator(_senders),
    Allowed(
        "a dictionary of address, or `@domain` for all senders there, to a host or a dictionary (see "
        "SenderRelay)"
    ),
]
