"""The static tables of Postfix, each with its index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailstack.files import Entry, File, Shared
from mailstack.secrets import placeholder
from mailstack.settings.postfix_relays import SENDER_RELAY
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from mailstack.settings import Settings

DIRECTORY = "/etc/postfix"
INDEX = "hash"
"""Debian's default_database_type on 12 and 13; a table is ``hash:/etc/postfix/…`` in main.cf."""
PARENT_POLICIES = f"{DIRECTORY}/tls_policy_parents"
_NO_BRACKETS = str.maketrans("", "", "[]")
_RELAYHOST = "relayhost-password"


def files(settings: Settings) -> list[Entry]:
    """Return all tables; those without a setting are empty."""
    virtual = {source: ", ".join(targets) for source, targets in settings.mail_virtual.items()}
    aliases = {
        name: ", ".join(map(_quoted, targets)) for name, targets in settings.mail_local_aliases.items()
    }
    relayed = [domain.domain_name for domain in settings.mail_relay_domains if domain.active]
    return [
        _table("virtual", virtual, manual="virtual(5)"),
        _table("tls_policy", settings.mail_smtp_tls_policy, manual="postconf(5), smtp_tls_policy_maps"),
        _parent_policies(settings),
        _table("transport", _transport(settings), manual="transport(5)"),
        _trusted_forwarders(settings),
        _table("relay_domains", dict.fromkeys(relayed, "OK"), manual="postconf(5), relay_domains"),
        _table(
            "sender_relayhosts",
            _sender_relayhosts(settings),
            manual="postconf(5), sender_dependent_default_transport_maps",
        ),
        *_passwords(settings),
        # of two entries for a name, postalias(1) uses the first
        Shared(
            "/etc/aliases",
            lambda _: "".join(f"{name}: {targets}\n" for name, targets in aliases.items()),
            indexed="postalias",
        ),
    ]


def passwords(settings: Settings) -> dict[str, SecretStr]:
    """Return the passwords for Postfix's logins at other servers, by the names of their placeholders."""
    found = {}
    if settings.mail_relayhost_password is not None:
        found[_RELAYHOST] = settings.mail_relayhost_password
    for number, relay in enumerate(settings.mail_sender_relayhosts.values()):
        if relay.password is not None:
            found[_sender_secret(number)] = relay.password
    return found


def _sender_secret(number: int) -> str:
    return f"sender-relayhost-password-{number}"


def _table(name: str, rows: Mapping[str, str], *, manual: str, secret: bool = False) -> File:
    text = render("postfix/table", rows=list(rows.items()), separator=" ", manual=manual)
    path = f"{DIRECTORY}/{name}"
    if secret:
        return File(path, text, group="postfix", mode=0o640, indexed="postmap")
    return File(path, text, indexed="postmap")


def parent_policies(settings: Settings) -> dict[str, str]:
    """Return the policies for all domains below one, the longest name first.

    Postfix looks for ``.domain`` only if no table has the domain itself, and one of another component may.
    """
    found = {name: policy for name, policy in settings.mail_smtp_tls_policy.items() if name.startswith(".")}
    return dict(sorted(found.items(), key=lambda entry: -len(entry[0])))


def _parent_policies(settings: Settings) -> File:
    rows = [
        (f"/^[a-z0-9_-].*{re.escape(name)}$/", policy) for name, policy in parent_policies(settings).items()
    ]
    text = render("postfix/table", rows=rows, separator=" ", manual="regexp_table(5)") if rows else None
    return File(PARENT_POLICIES, text)


def _transport(settings: Settings) -> dict[str, str]:
    """Return the given entries, and those for the primaries of relay domains.

    This is not a table in SQL, because Postfix looks up each form of each address, also for accepted mail.
    """
    hops = {
        domain.domain_name: f"relay:{domain.next_hop}"
        for domain in settings.mail_relay_domains
        if domain.next_hop is not None
    }
    return {**settings.mail_transport, **hops}


def _sender_relayhosts(settings: Settings) -> dict[str, str]:
    return {
        sender: f"{SENDER_RELAY if relay.user else 'smtp'}:{relay.host}"
        for sender, relay in settings.mail_sender_relayhosts.items()
    }


def _passwords(settings: Settings) -> list[Entry]:
    host, senders = {}, {}
    if settings.mail_relayhost_user:
        host[settings.mail_relayhost] = f"{settings.mail_relayhost_user}:{placeholder(_RELAYHOST)}"
    for number, (sender, relay) in enumerate(settings.mail_sender_relayhosts.items()):
        if relay.user:
            senders[sender] = f"{relay.user}:{placeholder(_sender_secret(number))}"
    manual = "postconf(5), smtp_sasl_password_maps"
    return [
        _table("sasl_passwd", host, manual=manual, secret=True),
        _table("sender_passwd", senders, manual=manual, secret=True),
    ]


def _trusted_forwarders(settings: Settings) -> File:
    # cidr_table(5) has IPv6 without brackets
    rows = [(network.translate(_NO_BRACKETS), "permit") for network in settings.mail_trusted_forwarders]
    text = render("postfix/table", rows=rows, separator=" ", manual="cidr_table(5)")
    return File(f"{DIRECTORY}/trusted_forwarders", text)


def _quoted(target: str) -> str:
    r"""Quote a target in aliases(5): commands and file names may contain spaces, commas and ``\``."""
    target = target.replace("\\", "\\\\")
    return f'"{target}"' if target.startswith(("|", "/", ":include:")) else target
