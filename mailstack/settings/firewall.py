"""The settings of the firewall."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.types import ListOf, Model, as_model, each, without_effect


def _clients(text: str) -> str:
    try:
        network = addresses.ip_network(text)
    except ValueError:
        raise ValueError("neither an IP address nor a network; a name is none") from None
    if network.prefixlen == 0:
        raise ValueError("the whole Internet; for that, leave the list empty")
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _port(text: str) -> str:
    """Return a port or a range with its protocol: ``8080/tcp``."""
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", text)
    if not found:
        raise ValueError("not of the right form")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError("no port, or no range of ports")
    ports = str(first) if first == last else f"{first}-{last}"
    return f"{ports}/{found[3] or 'tcp'}"


def _number_to_text(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


Clients = Annotated[
    ListOf[str],
    each(_clients),
    Allowed("a list of addresses and networks such as `192.0.2.7`, `192.0.2.0/24` and `2001:db8::/32`"),
]


class FirewallPort(Model):
    """A port of another program, in `mail_firewall_ports`. A number or text is its `port`."""

    port: Annotated[
        str,
        BeforeValidator(_number_to_text),
        AfterValidator(_port),
        Allowed("a TCP port such as `8080`, `51820/udp`, or a range such as `60000-61000/udp`"),
    ] = Field(description="The port, or a range of ports.")
    clients: Clients = Field(default=(), description="The hosts that may connect; all, if the list is empty.")


class FirewallSettings(Model):
    """Firewall."""

    mail_firewall: bool = Field(
        default=False,
        description="Whether a firewall of nftables lets other hosts connect only to the ports of mailstack, "
        "of SSH, and of `mail_firewall_ports`. See `docs/firewall.md`.",
    )
    mail_firewall_ports: Annotated[
        ListOf[Annotated[FirewallPort, as_model(FirewallPort, "port"), BeforeValidator(_number_to_text)]],
        Allowed("a list of ports such as `8080` or `51820/udp`, or of dictionaries (see FirewallPort)"),
    ] = Field(default=(), description="Ports of other programs, to which other hosts may connect too.")
    mail_firewall_ssh_clients: Clients = Field(
        default=(),
        description="The hosts that may connect by SSH; all, if the list is empty. The machine that runs "
        "pyinfra must be one of them, or the run takes the rules back.",
    )

    @model_validator(mode="after")
    def _firewall_runs(self) -> Self:
        without_effect(self, "mail_firewall", FirewallSettings.model_fields)
        return self
