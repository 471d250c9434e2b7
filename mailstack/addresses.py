"""Domain names and mail addresses: their syntax, and the form in which they are stored. Pure.

The three patterns mean the same in Python's ``re`` and in PostgreSQL (``~``, an advanced regular
expression). So the settings and the CHECKs of the database share one rule.

The local part of a mailbox needs one rule. A recipient that Postfix accepts at RCPT and Dovecot refuses at
LMTP becomes a bounce to a forged sender. ``+`` is excluded because Postfix splits the extension there
(``recipient_delimiter``). ``!`` would be a UUCP route, which Postfix refuses to relay
(``allow_untrusted_routing``). Dovecot expands ``%``, and separates paths at ``/``.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Container
from functools import cache

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

DOMAIN = rf"^(?=.{{1,253}}$)(?:{_LABEL}[.])+(?![0-9]+$){_LABEL}$"
"""Two or more LDH labels (RFC 1123 2.1, RFC 5890 2.3.1), the last one not a number; lower case."""

_MAILBOX_ATOM = "[a-z0-9#$&'*=?^_{|}~-]+"
MAILBOX_LOCAL_PART = rf"^(?=.{{1,64}}$)(?!-){_MAILBOX_ATOM}(?:[.]{_MAILBOX_ATOM})*$"
"""The local part of a mailbox or an alias here. No leading ``-``: ``allow_min_user=no`` of postconf(5)."""

_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LOCAL_PART = rf"^(?=.{{1,64}}$){_ATOM}(?:[.]{_ATOM})*$"
"""Any dot-atom (RFC 5321 4.1.2), for destinations of aliases. Its case is kept, as only the server with that
mailbox can interpret it (RFC 5321 2.4)."""

_FORM = "with no dot at the beginning, at the end or beside another, and no more than 64 characters"
_IN_WORDS = {
    MAILBOX_LOCAL_PART: f"be letters, digits, dots and #$&'*=?^_{{|}}~-, {_FORM}, and not begin with -",
    LOCAL_PART: f"be letters, digits, dots and !#$%&'*+/=?^_`{{|}}~-, {_FORM}",
}
"""The patterns in words, for messages."""

MAX_ADDRESS = 254
"""Octets of a whole address: a path has 256 (RFC 5321 4.5.3.1.3), two of them are ``<`` and ``>``."""

# Python's ``idna`` codec is IDNA 2003; for these four letters IDNA 2008 (RFC 5894) gives another domain.
_IDNA_DEVIATIONS = re.compile("[ßς\u200c\u200d]")


@cache  # thousands of addresses have a few domains, and a Unicode one is slow to encode
def domain_name(text: str) -> str:
    """Return a domain in lower case, a Unicode one as A-labels (RFC 5891).

    Raises ``ValueError`` for text that is not a domain.
    """
    name = text
    if not text.isascii():
        if _IDNA_DEVIATIONS.search(text.lower()):
            raise ValueError("write this internationalised domain as A-labels (xn--…)")
        try:
            name = text.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("not a domain name") from None
    name = name.lower()
    if not re.fullmatch(DOMAIN, name):
        raise ValueError("not a domain name (letters, digits and hyphens; at least two labels)")
    return name


def mailbox_address(text: str) -> str:
    """Return the address of a mailbox, in lower case. Raises ``ValueError`` for any other text."""
    return _address(text, MAILBOX_LOCAL_PART, str.lower)


def alias_source(text: str) -> str:
    """Return an alias's source: an address, ``@domain`` or ``name@*``. Raises ``ValueError`` for others."""
    if text.endswith("@*"):
        return mailbox_address(text[:-1] + "example.org").partition("@")[0] + "@*"
    return address_or_domain(text)


def address_or_domain(text: str) -> str:
    """Return an address, or ``@domain`` for every address in it. Raises ``ValueError`` for other text."""
    if text.startswith("@"):
        return "@" + domain_name(text[1:])
    return mailbox_address(text)


def destination_address(text: str) -> str:
    """Return the destination of an alias, which may be any address. Only its domain is folded to lower case.

    In another server's domain the local part keeps its case (RFC 5321 2.4). Only the database knows this
    server's domains, and ``in_domains`` folds the local part in them. Raises ``ValueError`` for other text.
    """
    return _address(text, LOCAL_PART, str)


def in_domains(address: str, domains: Container[str]) -> str:
    """Return an address in lower case if its domain is one of ``ours``, else unchanged."""
    return address.lower() if address.rpartition("@")[2] in domains else address


def address_key(text: str) -> str:
    """Return any address in lower case, as Postfix looks it up. Raises ``ValueError`` for other text."""
    return destination_address(text).lower()


def key_or_domain(text: str) -> str:
    """Return ``address_key``, or ``@domain`` for every address in it. Raises ``ValueError`` for others."""
    if text.startswith("@"):
        return "@" + domain_name(text[1:])
    return address_key(text)


def ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an IP address. Raises ``ValueError`` for other text."""
    return ipaddress.ip_address(_plain_zone(text))


def ip_network(text: str, *, strict: bool = True) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return a network, which may be one address. Raises ``ValueError`` for other text.

    + strict: whether an address within the network is other text
    """
    return ipaddress.ip_network(_plain_zone(text), strict=strict)


def _plain_zone(text: str) -> str:
    """Check the zone of an IPv6 address (RFC 4007, 11), of which ``ipaddress`` takes all text, also lines."""
    if "%" in text and not re.fullmatch(r"[^%]+%[A-Za-z0-9._-]+(/[0-9]+)?", text):
        raise ValueError("not an IP address: after the % comes the name of an interface")
    return text


def without_detail(address: str) -> str:
    """Return the address without its detail: ``user@example.org`` for ``user+detail@example.org``."""
    local, _, domain = address.partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def local_name(text: str) -> str:
    """Return the name of a system user, such as ``root``. Raises ``ValueError`` for other text."""
    if not text.isascii() or not re.fullmatch(r"[a-z0-9_][a-z0-9_.-]{0,63}", text.lower()):
        raise ValueError("not the name of a local account")
    return text.lower()


def local_name_or_address(text: str) -> str:
    """Return a name such as ``root``, or an address. Raises ``ValueError`` for other text."""
    return destination_address(text) if "@" in text else local_name(text)


def _address(text: str, local_pattern: str, fold: Callable[[str], str]) -> str:
    if text.count("@") > 1 and (several := re.split(r"[,;\s]+", text.strip()))[1:]:
        raise ValueError(
            f"not one address; where several may be given they are a list: {json.dumps(several)}, in single "
            "quotes on the command line"
        )
    local, at, domain = text.rpartition("@")
    if not at:
        raise ValueError("not an address: the @ is missing")
    if not local.isascii():  # the lower case of some other letters is ASCII: KELVIN SIGN
        raise ValueError("not an address: what stands before the @ must be ASCII")
    local = fold(local)
    if not re.fullmatch(local_pattern, local):
        raise ValueError(f"not an address: what stands before the @ must {_IN_WORDS[local_pattern]}")
    address = f"{local}@{domain_name(domain)}"
    if len(address) > MAX_ADDRESS:
        raise ValueError(f"not an address: longer than {MAX_ADDRESS} octets")
    return address
