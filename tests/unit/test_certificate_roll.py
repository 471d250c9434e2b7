"""When the next key of a certificate may be used: receivers have to know it from the DNS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailstack import certificates
from mailstack.facts.tlsa import TlsaKey

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def key(hours: float) -> TlsaKey:
    return TlsaKey("3 1 1 a", NOW - timedelta(hours=hours))


@pytest.mark.parametrize(("hours", "waits"), [(0, True), (23.9, True), (24, False), (999, False)])
def test_a_key_is_used_after_a_day(hours: float, waits: bool) -> None:
    assert bool(certificates._waits(key(hours), NOW)) is waits


@pytest.mark.parametrize(
    ("keys", "rsa", "hours"),
    [
        ({"current": 0, "next": 30}, False, 30),
        # mail_acme_rsa is new, and so is that key
        ({"next": 30, "next-rsa": 1}, True, 1),
        ({"next": 1, "next-rsa": 30}, True, 1),
        # the file is of other settings, and not used
        ({"next": 30, "next-rsa": 1}, False, 30),
        ({"next": 30}, True, 30),
    ],
)
def test_the_youngest_of_those_that_are_used_counts(keys: dict[str, float], rsa: bool, hours: float) -> None:
    found = {name: key(age) for name, age in keys.items()}
    assert certificates._youngest(found, rsa=rsa) == key(hours)
