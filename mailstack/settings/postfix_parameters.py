"""The ``main.cf`` parameters that exist: in Postfix itself, and through settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from mailstack.settings.postfix import PostfixSettings
from mailstack.settings.postfix_relays import SENDER_RELAY
from mailstack.text import lines_of

VERSIONS = ("3.7", "3.10")
"""The Postfix versions in ``postfix_parameters.txt``, oldest first: Debian 12's and Debian 13's."""

TRANSPORTS = ("smtp", "relay", "lmtp", "local", "virtual", "error", "retry", "discard")
"""The delivery transports of Postfix's own ``master.cf``."""

_TRANSPORT_SUFFIXES = {
    "delivery_slot_cost": "number",
    "delivery_slot_discount": "number",
    "delivery_slot_loan": "number",
    "destination_concurrency_failed_cohort_limit": "number",
    "destination_concurrency_limit": "number",
    "destination_concurrency_negative_feedback": "text",
    "destination_concurrency_positive_feedback": "text",
    "destination_rate_delay": "time",
    "destination_recipient_limit": "number",
    "extra_recipient_limit": "number",
    "initial_destination_concurrency": "number",
    "minimum_delivery_slots": "number",
    "recipient_limit": "number",
    "recipient_refill_delay": "time",
    "recipient_refill_limit": "number",
    "time_limit": "time",  # pipe(8) and spawn(8) only
    "transport_rate_delay": "time",
}
"""The suffixes of a transport's parameters, and the kind of value of each."""

_ALLOWED = {
    "number": (r"[+-]?[0-9]+", "a whole number"),
    "time": (r"[0-9]+[smhdw]?", "a time such as 5d: a number, with s, m, h, d or w after it"),
    "yes/no": (r"(?i:yes|no)", "yes or no"),
}
"""Kinds of values that a program of Postfix checks at its start; with a bad value it exits."""


_REFERENCE = r"\$(?:[{(](\w+)[)}]|(\w+))"


class Parameter(NamedTuple):
    """A line of ``postfix_parameters.txt``. Its kind is ``number``, ``time``, ``yes/no`` or ``text``."""

    kind: str
    versions: tuple[str, ...]


@cache
def table() -> dict[str, Parameter]:
    """Return all parameters that any of ``VERSIONS`` has."""
    text = resources.files(__package__).joinpath("postfix_parameters.txt").read_text("utf-8")
    rows = (line.split() for line in lines_of(text) if not line.startswith("#"))
    return {name: Parameter(kind, tuple(versions)) for name, kind, *versions in rows}


@cache
def built_in(version: str | None = None) -> frozenset[str]:
    """Return the parameters of a Postfix version (one of ``VERSIONS``), or those that any of them has."""
    return frozenset(name for name, row in table().items() if version is None or version in row.versions)


def transport_parameters(transports: Iterable[str]) -> frozenset[str]:
    """Return the parameters that these transports add, such as ``<transport>_destination_rate_delay``."""
    return frozenset(f"{transport}_{suffix}" for transport in transports for suffix in _TRANSPORT_SUFFIXES)


def transports(settings: PostfixSettings) -> list[str]:
    """Return all delivery transports: of Postfix, of mailstack and of ``mail_postfix_master``."""
    further = [service.name for service in settings.mail_postfix_master if service.type in ("unix", "inet")]
    senders = [SENDER_RELAY] if any(relay.user for relay in settings.mail_sender_relayhosts.values()) else []
    return [*TRANSPORTS, *senders, *further]


def unknown_parameters(settings: PostfixSettings, postfix_version: str | None = None) -> list[str]:
    """Return the parameters that are set but unknown to Postfix, of which ``postconf(1)`` would warn.

    + postfix_version: such as ``3.7.11``; ``None`` for any supported version

    Known are Postfix's parameters, those of transports, restriction classes, and any name that another value
    refers to as ``$name``. Raises ``ValueError`` for a version older than all known.
    """
    known = built_in(None if postfix_version is None else nearest_version(postfix_version))
    known |= transport_parameters(transports(settings)) | _own_names(settings)
    names = [*settings.mail_postfix_main]
    for service in settings.mail_postfix_master:
        names += service.options
    return sorted(set(names) - known)


def bad_values(settings: PostfixSettings) -> list[str]:
    """Return an error for each value with which a program of Postfix could not start.

    A value that refers to a parameter outside the settings, such as ``$default_process_limit``, is accepted.
    """
    main = settings.mail_postfix_main
    known = transports(settings)
    wrong = [_problem("mail_postfix_main", name, main, known) for name in main]
    for service in settings.mail_postfix_master:
        place, parameters = f"mail_postfix_master: {service.name}", {**main, **service.options}
        wrong += [_problem(place, name, parameters, known) for name in service.options]
    return [problem for problem in wrong if problem is not None]


def _problem(place: str, name: str, parameters: Mapping[str, str], known: Iterable[str]) -> str | None:
    kind = _kind(name, known)
    value = _expanded(parameters[name], parameters)
    if kind == "text" or "$" in value or re.fullmatch(_ALLOWED[kind][0], value.strip()):
        return None
    return f"{place}: {name} = {parameters[name]!r}; allowed: {_ALLOWED[kind][1]}"


def _kind(name: str, known: Iterable[str]) -> str:
    if name in table():
        return table()[name].kind
    kinds = (_TRANSPORT_SUFFIXES.get(name.removeprefix(f"{transport}_"), "text") for transport in known)
    return next((kind for kind in kinds if kind != "text"), "text")


def _expanded(value: str, parameters: Mapping[str, str]) -> str:
    """Return the value with each ``$name`` of ``parameters`` replaced."""
    for _ in parameters:  # no chain is longer, but there may be a circle
        value = re.sub(_REFERENCE, lambda match: parameters.get(match[1] or match[2], match[0]), value)
    return value


def nearest_version(postfix_version: str) -> str:
    """Return the newest of ``VERSIONS`` that is not newer than ``postfix_version``, such as ``3.10.13``."""
    actual = tuple(int(number) for number in re.findall(r"\d+", postfix_version)[:2])
    older = [version for version in VERSIONS if tuple(map(int, version.split("."))) <= actual]
    if not older:
        raise ValueError(f"Postfix {postfix_version} is older than {VERSIONS[0]}")
    return older[-1]


def differences(postfix_version: str, names: Iterable[str]) -> tuple[set[str], set[str]]:
    """Compare this list with a real host's; return the names that only the host or only the list has.

    + postfix_version: the host's, such as ``3.7.11``
    + names: the output of ``postconf -dH`` on the host

    Parameters of transports are left out, as they depend on the host's ``master.cf``.
    """
    real, listed = set(names), built_in(nearest_version(postfix_version))
    of_transports = {name for name in real - listed if name.endswith(tuple(_TRANSPORT_SUFFIXES))}
    return real - listed - of_transports, set(listed - real)


def _own_names(settings: PostfixSettings) -> frozenset[str]:
    names = set(settings.mail_postfix_main.get("smtpd_restriction_classes", "").replace(",", " ").split())
    for text in _texts(settings):
        names |= {bracketed or bare for bracketed, bare in re.findall(r"\$(?:[{(](\w+)|(\w+))", text)}
    return frozenset(names)


def _texts(settings: PostfixSettings) -> Iterator[str]:
    """Yield every value in which Postfix expands ``$name``."""
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
