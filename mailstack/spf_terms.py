"""The terms of SPF records (RFC 7208, 4.6.1 and 12), for records that are read and for settings. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MECHANISM = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?::(?P<value>(?:[^\s/%]|%\{[^}\s]*\}|%(?!\{))+))?"
    r"(?P<prefix>/(?:0|[1-9][0-9]{0,2}))?(?P<prefix6>//(?:0|[1-9][0-9]{0,2}))?",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.IGNORECASE)
_MACRO = r"%(?:\{[slodiphcrtv][0-9]*r?[.+,/_=-]*\}|[%_-])"
_DOMAIN = re.compile(
    rf"(?:[a-z0-9_+=&*.-]|{_MACRO})*"
    rf"(?:[.](?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])[.]?|{_MACRO})",
    re.IGNORECASE,
)
_WITH_PREFIX = {"a": (32, 128), "mx": (32, 128), "ip4": (32, None), "ip6": (128, None)}
"""The longest prefixes: after one slash, and after two."""
_NEED_VALUE = {"include", "exists", "ip4", "ip6"}


class Mechanism(NamedTuple):
    """A mechanism, such as ``~mx:example.org/24``.

    + value: a domain or an address; empty without one
    + prefix: the length of the prefix, for ``a`` and ``mx`` that of IPv4 addresses
    + prefix6: that of the IPv6 addresses of ``a`` and ``mx``
    """

    qualifier: str
    name: str
    value: str = ""
    prefix: int = 32
    prefix6: int = 128

    def network(self, address: str) -> Network:
        """Return the network of an address that it leads to."""
        is_second = ":" in address and self.name != "ip6"
        length = self.prefix6 if is_second else self.prefix
        return ipaddress.ip_network(f"{address}/{length}", strict=False)


class Modifier(NamedTuple):
    """A modifier, such as ``redirect=example.org``."""

    name: str
    value: str


def parsed(word: str) -> Mechanism | Modifier:
    """Return a term. Raises ``ValueError`` that says why it is none."""
    if match := _MECHANISM.fullmatch(word):
        return _mechanism(match)
    if match := _MODIFIER.fullmatch(word):
        name, value = match["name"].lower(), match["value"]
        if name in ("redirect", "exp"):
            _check_domain(value)
        return Modifier(name, value)
    raise ValueError("is no term of SPF (RFC 7208, 5)")


def _mechanism(match: re.Match[str]) -> Mechanism:
    name, value = match["name"].lower(), match["value"] or ""
    if name in _NEED_VALUE and not value:
        raise ValueError(f"has nothing after {name}:")
    if name == "all" and value:
        raise ValueError("has something after all")
    if name in ("ip4", "ip6"):
        try:
            ipaddress.IPv4Address(value) if name == "ip4" else ipaddress.IPv6Address(value)
        except ValueError:
            raise ValueError(f"has no {'IPv4' if name == 'ip4' else 'IPv6'} address") from None
    elif value:
        _check_domain(value)
    longest = _WITH_PREFIX.get(name, (None, None))
    lengths = [
        _length(match[group], most) for group, most in zip(("prefix", "prefix6"), longest, strict=True)
    ]
    return Mechanism(match["qualifier"] or "+", name, value, *lengths)


def _length(given: str | None, longest: int | None) -> int:
    if given is None:
        return longest or 0
    if longest is None:
        raise ValueError(f"can't have the prefix {given}")
    if int(given.lstrip("/")) > longest:
        raise ValueError(f"has the prefix {given}; allowed: 0 to {longest}")
    return int(given.lstrip("/"))


def _check_domain(value: str) -> None:
    labels = value.removesuffix(".").split(".")
    well_sized = len(value) < 254 and ("%" in value or all(0 < len(label) < 64 for label in labels))
    if not well_sized or not _DOMAIN.fullmatch(value):
        raise ValueError(f"has no domain: {value!r}")
