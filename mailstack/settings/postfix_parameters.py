"""Which ``main.cf`` parameters exist: in Postfix itself, and through settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from mailstack.settings.postfix import PostfixSettings
from mailstack.settings.postfix_relays import SENDER_RELAY

VERSIONS = ("3.7", "3.10")
"""Those that ``postfix_parameters.txt`` knows, oldest first: Debian 12's and Debian 13's."""

TRANSPORTS = ("smtp", "relay", "lmtp", "local", "virtual", "error", "retry", "discard")
"""The delivery transports of Postfix's own ``master.cf``."""

_TRANSPORT_SUFFIXES = (
    "delivery_slot_cost",
    "delivery_slot_discount",
    "delivery_slot_loan",
    "destination_concurrency_failed_cohort_limit",
    "destination_concurrency_limit",
    "destination_concurrency_negative_feedback",
    "destination_concurrency_positive_feedback",
    "destination_rate_delay",
    "destination_recipient_limit",
    "extra_recipient_limit",
    "initial_destination_concurrency",
    "minimum_delivery_slots",
    "recipient_limit",
    "recipient_refill_delay",
    "recipient_refill_limit",
    "time_limit",  # pipe(8) and spawn(8) only
    "transport_rate_delay",
)


@cache
def built_in(version: str | None = None) -> frozenset[str]:
    """The parameters of a Postfix version (one of ``VERSIONS``), or those that any of them has."""
    text = resources.files(__package__).joinpath("postfix_parameters.txt").read_text("utf-8")
    rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return frozenset(name for name, *versions in rows if version is None or version in versions)


def transport_parameters(transports: Iterable[str]) -> frozenset[str]:
    """The parameters that exist because these services do: ``<transport>_destination_rate_delay`` …"""
    return frozenset(f"{transport}_{suffix}" for transport in transports for suffix in _TRANSPORT_SUFFIXES)


def transports(settings: PostfixSettings) -> list[str]:
    """Every service that mail can be handed to: Postfix's own, ours, and those in ``mail_postfix_master``."""
    ours = [service.name for service in settings.mail_postfix_master if service.type in ("unix", "inet")]
    senders = [SENDER_RELAY] if any(relay.user for relay in settings.mail_sender_relayhosts.values()) else []
    return [*TRANSPORTS, *senders, *ours]


def unknown_parameters(settings: PostfixSettings, postfix_version: str | None = None) -> list[str]:
    """The parameters that are set and that Postfix does not know, as ``postconf(1)`` would warn.

    + postfix_version: such as ``3.7.11``; ``None`` for any version that this package serves

    Known are: Postfix's own, those of a transport, restriction classes, and names of the user's own
    that another value refers to as ``$name``. Raises ``ValueError`` for a version older than all known.
    """
    known = built_in(None if postfix_version is None else nearest_version(postfix_version))
    known |= transport_parameters(transports(settings)) | _own_names(settings)
    names = [*settings.mail_postfix_main]
    for service in settings.mail_postfix_master:
        names += service.options
    return sorted(set(names) - known)


def nearest_version(postfix_version: str) -> str:
    """The newest of ``VERSIONS`` that is not newer than ``postfix_version``, such as ``3.10.13``."""
    actual = tuple(int(number) for number in re.findall(r"\d+", postfix_version)[:2])
    older = [version for version in VERSIONS if tuple(map(int, version.split("."))) <= actual]
    if not older:
        raise ValueError(f"Postfix {postfix_version} is older than {VERSIONS[0]}")
    return older[-1]


def differences(postfix_version: str, names: Iterable[str]) -> tuple[set[str], set[str]]:
    """How the list here differs from a real host.

    + postfix_version: the host's, such as ``3.7.11``
    + names: what ``postconf -dH`` printed there

    Returns what only the host has, and what only the list has. Parameters of transports don't count:
    they depend on the host's ``master.cf``.
    """
    real, listed = set(names), built_in(nearest_version(postfix_version))
    of_transports = {name for name in real - listed if name.endswith(_TRANSPORT_SUFFIXES)}
    return real - listed - of_transports, set(listed - real)


def _own_names(settings: PostfixSettings) -> frozenset[str]:
    names = set(settings.mail_postfix_main.get("smtpd_restriction_classes", "").replace(",", " ").split())
    for text in _texts(settings):
        names |= {bracketed or bare for bracketed, bare in re.findall(r"\$(?:[{(](\w+)|(\w+))", text)}
    return frozenset(names)


def _texts(settings: PostfixSettings) -> Iterator[str]:
    """Every value in which Postfix expands ``$name``."""
    yield from settings.mail_postfix_main.values()
    for service in settings.mail_postfix_master:
        yield service.command
        yield from service.options.values()
    yield from (settings.mail_myorigin, *settings.mail_mydestination, *settings.mail_inet_interfaces)
    yield from settings.mail_smtpd_relay_restrictions
    for tables in (
        settings.mail_virtual_mailbox_domains,
        settings.mail_virtual_mailbox_maps,
        settings.mail_virtual_alias_maps,
    ):
        yield from tables or ()
