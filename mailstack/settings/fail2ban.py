"""The settings of fail2ban: which addresses are shut out."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.types import ListOf, Model, each, without_effect


def _network(text: str) -> str:
    network = addresses.ip_network(text)
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise ValueError("so large that it has strangers in it")
    return str(network) if network.num_addresses > 1 else str(network.network_address)


class Fail2banSettings(Model):
    """Guessed passwords."""

    mail_fail2ban: bool = Field(
        default=True,
        description="Whether fail2ban shuts out addresses that guess passwords, on all mail ports. It needs "
        "nftables: a host whose kernel has none gets no fail2ban. See `docs/fail2ban.md`.",
    )
    mail_fail2ban_guesses: Annotated[int, Field(ge=3, le=1000), Allowed("a number, 3 to 1000")] = Field(
        default=10,
        description="The number of different guesses within a day after which an address is shut out. The "
        "same wrong password for the same user counts once, however often a program tries it. After a good "
        "login from an address it has ten times as many.",
    )
    mail_fail2ban_hours: Annotated[int, Field(ge=1, le=672), Allowed("hours, 1 to 672")] = Field(
        default=24,
        description="How long an address is shut out. Each further time it is twice as long, up to four "
        "weeks.",
    )
    mail_fail2ban_spared: Annotated[
        ListOf[str],
        each(_network),
        Allowed("a list of IP addresses and networks, such as `192.0.2.0/24` and `2001:db8::/32`"),
    ] = Field(
        default=(),
        description="Addresses that are never shut out. `mail_mynetworks`, the host itself and the machine "
        "that runs the deploy are never, too. A webmail or a proxy on another host belongs here: all of its "
        "users have its address.",
    )

    @model_validator(mode="after")
    def _addresses_shut_out(self) -> Self:
        without_effect(self, "mail_fail2ban", Fail2banSettings.model_fields)
        return self
