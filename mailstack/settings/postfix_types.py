"""The types of Postfix's settings: values that its manuals allow, checked before a host is touched."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import AfterValidator

from mailstack import addresses
from mailstack.settings.errors import Allowed, nearest
from mailstack.settings.types import Line, ListOf, OneOrMore, each, matching, no_duplicates

T = TypeVar("T")

TABLE_TYPES = (
    "btree",
    "cidr",
    "environ",
    "fail",
    "hash",
    "inline",
    "internal",
    "ldap",
    "lmdb",
    "memcache",
    "mysql",
    "pcre",
    "pgsql",
    "pipemap",
    "proxy",
    "randmap",
    "regexp",
    "socketmap",
    "sqlite",
    "static",
    "tcp",
    "texthash",
    "unionmap",
    "unix",
)
"""The types of tables in Debian, built in or packaged: ``postconf -m``."""
TLS_LEVELS = ("none", "may", "encrypt", "verify", "secure", "fingerprint", "dane", "dane-only")
"""The values of smtp_tls_security_level, postconf(5)."""
IP_VERSIONS = {"all": (4, 6), "ipv4": (4,), "ipv6": (6,)}
"""The IP versions of each value of ``mail_inet_protocols``."""
_REFUSING = ("reject_unauth_destination", "defer_unauth_destination", "reject", "defer")
_KEY = r"[A-Za-z0-9!$%&'*+/=?^_`{|}~.-][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]*"
_CONTROL = r"[\x00-\x1f\x7f]"
_REFERENCE = r"[$](\w+|[{(]\w+[)}])"


def _network(text: str) -> str:
    bare = re.sub(r"^\[(.*)\](/\d+)?$", r"\1\2", text)
    try:
        network = addresses.ip_network(bare)
    except ValueError:
        raise ValueError(_not_a_network(bare)) from None
    if (network.version == 6) != text.startswith("["):
        raise ValueError("Postfix wants IPv6 in brackets, as in [2001:db8::]/32, and IPv4 without")
    if network.prefixlen < (8 if network.version == 4 else 7):
        raise ValueError("so large that it has strangers in it; in mail_mynetworks, it makes an open relay")
    return text


def _not_a_network(text: str) -> str:
    try:
        network = addresses.ip_network(text, strict=False)
    except ValueError:
        return "neither an IP address nor a network; a name is none"
    return f"an address within {network}, not a network"


def _origin(text: str) -> str:
    if re.fullmatch(_REFERENCE, text) or re.fullmatch(r"/[\w./-]+", text):
        return text
    return addresses.domain_name(text)


def _interface(text: str) -> str:
    if text in ("all", "loopback-only") or re.fullmatch(_REFERENCE, text):
        return text
    if ip_version(text) is None:
        raise ValueError("not an IP address")
    return text


def ip_version(interface: str) -> int | None:
    """Return 4 or 6, or ``None`` for an interface of ``mail_inet_interfaces`` that is not an address."""
    try:
        return addresses.ip_address(interface.removeprefix("[").removesuffix("]")).version
    except ValueError:
        return None


def _interfaces(values: tuple[str, ...]) -> tuple[str, ...]:
    # not by Field(min_length=1): with that, pydantic 2.11.0 forgets the first of two validators
    if not values:
        raise ValueError("must not be empty")
    if len(values) > 1 and {"all", "loopback-only"} & set(values):
        raise ValueError("'all' and 'loopback-only' must stand alone")
    return values


def _table(text: str) -> str:
    if re.search(_CONTROL, text):
        raise ValueError("must be on one line")
    kind, colon, name = text.partition(":")
    if kind not in TABLE_TYPES or not colon or not name:
        raise ValueError("not a Postfix table, type:name" + nearest(kind, TABLE_TYPES))
    return _table(name) and text if kind == "proxy" else text


def _item(text: str) -> str:
    if not re.fullmatch(r"[^\s,#\x00-\x1f\x7f][^\s,\x00-\x1f\x7f]*", text):
        raise ValueError("must be a single word, without commas, and no comment")
    return text


def _restriction(text: str) -> str:
    if text.lstrip(" \t").startswith("#"):
        raise ValueError("a comment, which main.cf leaves out")
    return text


def _refuses_strangers(restrictions: tuple[str, ...]) -> tuple[str, ...]:
    """Check for one of ``_REFUSING`` before any plain ``permit``, without which smtpd(8) refuses all mail."""
    words = [word for restriction in restrictions for word in re.split("[ \t,]+", restriction)]
    reached = words[: words.index("permit")] if "permit" in words else words
    if not set(_REFUSING) & set(reached):
        raise ValueError(f"must have one of {', '.join(_REFUSING)}; else Postfix relays for everybody")
    return restrictions


def _relayhost(text: str) -> str:
    return _next_hop(text) if text else text


def _next_hop(text: str) -> str:
    match = re.fullmatch(r"(?:\[(?P<exact>[^\[\]]+)\]|(?P<domain>[^\[\]:]+))(?::(?P<port>[a-z0-9-]+))?", text)
    if match is None or not _is_port(match["port"]):
        raise ValueError("not of the form [host]:port, [host], host:port or host")
    if not (match["exact"] and _is_address(match["exact"])):
        addresses.domain_name(match["domain"] or match["exact"])
    return text


def _is_port(text: str | None) -> bool:
    """Return whether the text is a number, a name of services(5), or ``None``."""
    return text is None or not re.fullmatch("[0-9]+", text) or 0 < int(text) < 65536


def _is_address(text: str) -> bool:
    try:
        return bool(addresses.ip_address(text.removeprefix("ipv6:")))
    except ValueError:
        return False


def _transports(table: dict[str, str]) -> dict[str, str]:
    for pattern, target in table.items():
        if pattern != "*" and not re.fullmatch(rf"(?:{_KEY}@)?[.]?[A-Za-z0-9.-]+", pattern):
            raise ValueError(f"{pattern!r} is not a pattern of transport(5): domain, .domain, address or *")
        if not re.fullmatch(r"[A-Za-z0-9._-]*:[^\x00-\x1f\x7f]*", target):
            raise ValueError(f"{pattern!r}: {target!r} is not transport:nexthop")
    return table


def _tls_policies(table: dict[str, str]) -> dict[str, str]:
    for destination, policy in table.items():
        if not re.fullmatch(r"[.]?[A-Za-z0-9.-]+|\[[A-Za-z0-9.:-]+\](:[a-z0-9-]+)?", destination):
            raise ValueError(f"{destination!r} is not a domain, .domain or [host]:port")
        level, *attributes = policy.split(" ")
        if level not in TLS_LEVELS:
            raise ValueError(f"{destination!r}: {level!r} is not a level{nearest(level, TLS_LEVELS)}")
        if not all(re.fullmatch(r"[a-z_]+=[^\x00-\x20\x7f]+", attribute) for attribute in attributes):
            raise ValueError(f"{destination!r}: after the level come attributes such as match=nexthop")
    return table


def _virtual(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {
        source: tuple(_in_table(target, addresses.local_name_or_address) for target in targets)
        for source, targets in folded(table, addresses.key_or_domain).items()
    }


def folded(table: dict[str, T], check: Callable[[str], str]) -> dict[str, T]:
    """Return the table with each key as ``check`` returns it.

    Raises ``ValueError`` that names the key that ``check`` refuses, or that occurs twice in two spellings, or
    that begins with ``#``, as its row would be a comment.
    """
    if comment := next((key for key in table if key.startswith("#")), ""):
        raise ValueError(f"{comment!r}: in a table of Postfix, what begins with # is a comment")
    keys = [_in_table(key, check) for key in table]
    no_duplicates("the key", keys)
    return dict(zip(keys, table.values(), strict=True))


def _dns_list(text: str) -> str:
    """Check ``domain`` or ``domain=127.0.0.[2..4]``, with or without ``*weight``: postscreen_dnsbl_sites."""
    match = re.fullmatch(r"([A-Za-z0-9.-]+)(=[0-9.;\[\]]+)?([*]-?[0-9]+)?", text)
    if match is None:
        raise ValueError("not of the form domain, domain=filter or domain=filter*weight")
    addresses.domain_name(match[1])
    return text


def _in_table(text: str, check: Callable[[str], str]) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def _local_aliases(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(_in_table(target, _local_target) for target in targets)
        for name, targets in folded(table, addresses.local_name).items()
    }


def _local_target(text: str) -> str:
    """Check an address, a local name, or a ``/file``, ``|command`` or ``:include:`` of aliases(5)."""
    if re.fullmatch(r"(/|:include:/|\| *[^ \"\x00-\x1f])[^\"\x00-\x1f]*", text):
        return text
    return addresses.local_name_or_address(text)


Networks = Annotated[
    ListOf[str],
    each(_network),
    Allowed("a list of networks such as `192.0.2.0/24` and `[2001:db8::]/32`; never the whole Internet"),
]
Interfaces = Annotated[
    ListOf[str],
    each(_interface),
    AfterValidator(_interfaces),
    Allowed("`all`, `loopback-only`, or a list of addresses"),
]
Origin = Annotated[
    str,
    AfterValidator(_origin),
    Allowed("`$myhostname`, `$mydomain`, a domain, or the path of a file with one"),
]
RelayUser = Annotated[str, matching(r"[^\s:\x00-\x1f\x7f]+"), Allowed("a login name, without spaces or `:`")]
Items = Annotated[ListOf[str], each(_item), Allowed("a list of domains, `$name`s or tables")]
RestrictionList = Annotated[ListOf[Line], each(_restriction)]
Restrictions = Annotated[
    RestrictionList,
    AfterValidator(_refuses_strangers),
    Allowed("a list of restrictions of postconf(5), one of them refusing to relay for strangers"),
]
DnsLists = Annotated[
    ListOf[str],
    each(_dns_list),
    Allowed("a list such as `bl.example.net=127.0.0.[2..11]*2`: domain, filter and weight"),
]
Tables = Annotated[
    ListOf[str], each(_table), Allowed("a list of Postfix tables such as `hash:/etc/postfix/x`")
]
NextHop = Annotated[str, AfterValidator(_next_hop), Allowed("`[host]:port`, `[host]`, `host:port` or `host`")]
RelayHost = Annotated[
    str,
    AfterValidator(_relayhost),
    Allowed("`[host]:port`, `[host]`, `host:port`, `host`, or empty for none"),
]
Transports = Annotated[
    dict[str, str],
    AfterValidator(_transports),
    Allowed("a dictionary such as `{'example.net': 'smtp:[192.0.2.7]:25'}`; patterns as in transport(5)"),
]
TlsPolicies = Annotated[
    dict[str, str],
    AfterValidator(_tls_policies),
    Allowed(
        "a dictionary such as `{'example.net': 'secure'}`; the level, one of "
        + ", ".join(f"`{level}`" for level in TLS_LEVELS)
        + ", may have attributes of smtp_tls_policy_maps after it"
    ),
]
Virtual = Annotated[
    dict[str, OneOrMore[str]],
    AfterValidator(_virtual),
    Allowed("a dictionary of address or `@domain` to one or several addresses"),
]
LocalAliases = Annotated[
    dict[str, OneOrMore[str]],
    AfterValidator(_local_aliases),
    Allowed("a dictionary of local name to one or several addresses, local names, `/files`, `|commands`"),
]
