"""Relay hosts that only some senders use, as they are declared."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.postfix_types import NextHop, RelayUser, folded
from mailstack.settings.types import Model, Password, as_model

SENDER_RELAY = "sender-relay"
"""The transport of those who log in there."""


class SenderRelay(Model):
    """The server that takes what a sender writes to elsewhere."""

    host: NextHop = Field(description="The server. Brackets: no MX lookup.")
    user: RelayUser | None = Field(default=None, description="The name to log in there with.")
    password: Password | None = Field(default=None, description="The password for that.")

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
