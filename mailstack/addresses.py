"""Domain names and mail addresses: what is one, and in which form it is stored. Pure.

The three patterns mean the same in Python's ``re`` and in PostgreSQL (``~``, an advanced regular
expression), so the settings and the CHECKs of the database share one rule.

One rule for the local part of a mailbox matters: what Postfix takes at RCPT and Dovecot refuses at
LMTP becomes a bounce to a forged sender. ``+`` is missing because Postfix cuts the extension off there
(``recipient_delimiter``), ``!`` because it takes that for a UUCP route and refuses to relay
(``allow_untrusted_routing``), ``%`` and ``/`` because Dovecot expands and separates paths by them.
"""

from __future__ import annotations

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
"""Any dot-atom (RFC 5321 4.1.2): where an alias may point to. Its case is the business of whoever has that
mailbox (RFC 5321 2.4)."""

_FORM = "with no dot at the beginning, at the end or beside another, and no more than 64 characters"
_IN_WORDS = {
    MAILBOX_LOCAL_PART: f"be letters, digits, dots and #$&'*=?^_{{|}}~-, {_FORM}, and not begin with -",
    LOCAL_PART: f"be letters, digits, dots and !#$%&'*+/=?^_`{{|}}~-, {_FORM}",
}
"""What the patterns ask for, for people."""

MAX_ADDRESS = 254
"""Octets of a whole address: a path has 256 (RFC 5321 4.5.3.1.3), two of them are ``<`` and ``>``."""

# Python's ``idna`` codec is IDNA 2003; for these four letters IDNA 2008 (RFC 5894) names another domain.
_IDNA_DEVIATIONS = re.compile("[ßς\u200c\u200d]")


@cache  # thousands of addresses have a few domains, and a Unicode one is slow to encode
def domain_name(text: str) -> str:
    """A domain in lower case, a Unicode one as A-labels (RFC 5891).

    Raises ``ValueError`` if it is none.
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
    """The address of a mailbox here, in lower case. Raises ``ValueError`` if it can't be one."""
    return _address(text, MAILBOX_LOCAL_PART, str.lower)


def alias_source(text: str) -> str:
    """What an alias stands for: an address, ``@domain`` or ``name@*``. Raises ``ValueError``."""
    if text.endswith("@*"):
        return mailbox_address(text[:-1] + "example.org").partition("@")[0] + "@*"
    return address_or_domain(text)


def address_or_domain(text: str) -> str:
    """An address, or ``@domain`` for every address there. Raises ``ValueError`` if it is neither."""
    if text.startswith("@"):
        return "@" + domain_name(text[1:])
    return mailbox_address(text)


def destination_address(text: str) -> str:
    """Return where an alias points to, any address. Only its domain is folded to lower case.

    Of an address elsewhere the local part keeps its case (RFC 5321 2.4); which domains are ours, only the
    database knows, and ``in_domains`` folds the rest there. Raises ``ValueError`` if it is no address.
    """
    return _address(text, LOCAL_PART, str)


def in_domains(address: str, ours: Container[str]) -> str:
    """Return an address in lower case if its domain is one of ``ours``, else as it is."""
    return address.lower() if address.rpartition("@")[2] in ours else address


def address_key(text: str) -> str:
    """Return any address in lower case, as Postfix looks it up. Raises ``ValueError`` if it is none."""
    return destination_address(text).lower()


def key_or_domain(text: str) -> str:
    """Return ``address_key``, or ``@domain`` for every address there. Raises ``ValueError`` for others."""
    if text.startswith("@"):
        return "@" + domain_name(text[1:])
    return address_key(text)


def without_detail(address: str) -> str:
    """The address whose sub-address this is: ``user@example.org`` of ``user+detail@example.org``."""
    local, _, domain = address.partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def local_name(text: str) -> str:
    """The name of an account of the host itself, such as ``root``. Raises ``ValueError`` if it is none."""
    if not text.isascii() or not re.fullmatch(r"[a-z0-9_][a-z0-9_.-]{0,63}", text.lower()):
        raise ValueError("not the name of a local account")
    return text.lower()


def local_name_or_address(text: str) -> str:
    """``root`` or ``admin@example.org``. Raises ``ValueError`` if it is neither."""
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
    if not local.isascii():  # some letters of other scripts have one of ours as their lower case: KELVIN SIGN
        raise ValueError("not an address: what stands before the @ must be ASCII")
    local = fold(local)
    if not re.fullmatch(local_pattern, local):
        raise ValueError(f"not an address: what stands before the @ must {_IN_WORDS[local_pattern]}")
    address = f"{local}@{domain_name(domain)}"
    if len(address) > MAX_ADDRESS:
        raise ValueError(f"not an address: longer than {MAX_ADDRESS} octets")
    return address
