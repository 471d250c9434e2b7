"""The settings of DNS records: what they say, how they are checked, and which server takes updates."""

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.types import IpAddress, ListOf, Model, Secret, each, matching
from mailstack.spf_terms import Mechanism, parsed

_MECHANISMS = ("a", "mx", "ip4", "ip6", "include", "exists")
_LABELS = "[A-Za-z0-9_-]{1,63}(?:[.][A-Za-z0-9_-]{1,63})*"


def _mechanism(text: str) -> str:
    term = parsed(text)
    if term.name not in _MECHANISMS or not isinstance(term, Mechanism):
        raise ValueError(f"is none of {', '.join(_MECHANISMS)}")
    return text


def _reachable(text: str) -> str:
    address = addresses.ip_address(text)
    if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
        raise ValueError("is no address by which others reach a host")
    return text


def _base64(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if not decoded:
        raise ValueError("empty")
    return SecretStr(text)


class DnsSettings(Model):
    """DNS records."""

    mail_dns_addresses: Annotated[
        ListOf[IpAddress],
        each(_reachable),
        Allowed("a list of IP addresses, such as `192.0.2.1` and `2001:db8::1`"),
    ] = Field(
        default=(),
        description="The addresses by which the world reaches this host, if they are not those that it has "
        "itself, as behind a router that translates (NAT). By default its own, without private ones.",
    )
    mail_spf_mechanisms: Annotated[
        ListOf[str],
        each(_mechanism),
        Allowed("a list of mechanisms of SPF, such as `include:spf.example.net` or `ip4:192.0.2.7`"),
    ] = Field(
        default=(),
        description="Others who send mail for the domains of this server, such as a newsletter service. They "
        "are added to each domain's SPF record.",
    )
    mail_spf_all: Literal["-all", "~all"] = Field(
        default="-all",
        description="The end of SPF records: whether receivers should refuse mail from others (`-all`) or "
        "only suspect it.",
    )
    mail_dns_check: bool = Field(
        default=False,
        description="Whether a deploy of the whole server ends with a warning if DNS records are missing or "
        "different, as `mailstack.dns.check` finds them. See `docs/dns.md`.",
    )
    mail_dns_resolver: IpAddress | None = Field(
        default=None,
        description="The resolver that `mailstack.dns.check` asks. By default that of the machine that runs "
        "pyinfra.",
    )
    mail_dns_server: IpAddress | None = Field(
        default=None,
        description="The name server that takes updates of the domains' zones (RFC 2136, on port 53), for "
        "`mailstack.dns.publish`. It needs `mail_dns_key_name` and `mail_dns_key_secret`.",
    )
    mail_dns_key_name: (
        Annotated[str, matching(_LABELS), Allowed("the name of a key, such as `mail` or `mail.example.org`")]
        | None
    ) = Field(default=None, description="The name of the key that signs updates (TSIG, RFC 8945).")
    mail_dns_key_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = Field(
        default="hmac-sha256", description="The algorithm of that key."
    )
    mail_dns_key_secret: Annotated[Secret, AfterValidator(_base64), Allowed("base64")] | None = Field(
        default=None, description="The key itself."
    )

    @model_validator(mode="after")
    def _updates_signed(self) -> Self:
        names = ("mail_dns_server", "mail_dns_key_name", "mail_dns_key_secret")
        given = [name for name in names if getattr(self, name) is not None]
        if given and len(given) < len(names):
            missing = next(name for name in names if name not in given)
            raise ValueError(f"{missing}: is required with {given[0]}")
        return self
