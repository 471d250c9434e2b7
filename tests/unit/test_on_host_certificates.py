"""What the program for certificates decides on a host: when it asks, for which names, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.certificates import ca, keeper
from mailstack.on_host.certificates.files import FailureError, Present, Wanted
from mailstack.on_host.certificates.keeper import Keeper

DAY = 24 * 3600.0
NOW = 1_000_000 * DAY / 1000
CONFIGURATION: dict[str, Any] = {
    "hostname": "mail.example.org",
    "names": ["mta-sts.@DOMAIN@", "autoconfig.@DOMAIN@"],
    "kinds": ["ecdsa"],
    "challenge": "http-01",
    "services": [],
    "site": None,
}


class Dns:
    """A DNS in which names have problems."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.asked: list[str] = []

    def problem(self, name: str) -> str | None:
        """See `Names.problem`."""
        self.asked.append(name)
        return self.problems.get(name)


class World:
    """A CA and a disk."""

    def __init__(self) -> None:
        self.there: dict[Path, Present] = {}
        self.orders: list[list[str]] = []
        self.failure: FailureError | None = None

    def order(self, _: object, names: list[str], key: Path) -> str:
        """See `ca.order`."""
        self.orders.append(list(names))
        if self.failure:
            raise self.failure
        self.there[key.with_name("cert.pem")] = Present(tuple(names), NOW, NOW + 90 * DAY)
        return "PEM"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(keeper, "order", world.order)
    monkeypatch.setattr(keeper, "install", lambda *_: None)
    monkeypatch.setattr(keeper, "public", lambda _: "a key")
    monkeypatch.setattr(keeper, "present", lambda wanted: world.there.get(wanted.certificate))
    return world


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keeper:
    monkeypatch.setattr(keeper, "Names", lambda _: Dns())
    monkeypatch.setattr(keeper, "STATE", tmp_path / "state")
    return Keeper(CONFIGURATION)


def of_domain(kept: Keeper) -> Wanted:
    return kept.of_domain("example.org")


def test_a_missing_certificate_is_ordered_and_then_left_alone(world: World, kept: Keeper) -> None:
    for hour in range(3):
        kept.tend(of_domain(kept), NOW + hour * 3600)
    assert world.orders == [["mta-sts.example.org", "autoconfig.example.org"]]
    assert kept.state["example.org"]["expires"] == NOW + 90 * DAY


def test_it_is_renewed_with_a_third_of_its_life_to_go(world: World, kept: Keeper) -> None:
    kept.tend(of_domain(kept), NOW)
    for day in (50, 55):
        kept.tend(of_domain(kept), NOW + day * DAY)
    assert len(world.orders) == 1
    kept.tend(of_domain(kept), NOW + 61 * DAY)
    assert len(world.orders) == 2


def test_not_all_are_renewed_at_once() -> None:
    present = Present(("a",), NOW, NOW + 90 * DAY)
    moments = {present.renew_at(f"d{number}.example") for number in range(50)}
    assert len(moments) > 40
    assert min(moments) >= NOW + 55 * DAY and max(moments) <= NOW + 60 * DAY


def test_a_name_that_is_wrong_is_left_out_and_added_later(world: World, kept: Keeper) -> None:
    names: Any = kept.names
    names.problems["autoconfig.example.org"] = "has no address in the DNS"
    kept.tend(of_domain(kept), NOW)
    entry = kept.state["example.org"]
    assert entry["problems"] == {"autoconfig.example.org": "has no address in the DNS"}
    assert entry["next"] == NOW + 300
    kept.tend(of_domain(kept), NOW + 299)
    assert len(names.asked) == 2, "the DNS is not asked either"
    kept.tend(of_domain(kept), NOW + 301)
    assert world.orders == [["mta-sts.example.org"]], "no order without a new name"
    names.problems.clear()
    kept.tend(of_domain(kept), NOW + 2 * 3600)
    assert world.orders[1:] == [["mta-sts.example.org", "autoconfig.example.org"]]
    assert entry["problems"] == {}
    assert entry["next"] is None


def test_the_ca_is_not_asked_for_a_domain_without_a_name(world: World, kept: Keeper) -> None:
    names: Any = kept.names
    names.problems = dict.fromkeys(of_domain(kept).names, "has no address in the DNS")
    for minute in range(0, 24 * 60, 5):
        kept.tend(of_domain(kept), NOW + minute * 60)
    assert world.orders == []
    assert len(names.asked) / 2 < 30, "at least every hour, and not much more often"


def test_after_failures_it_waits_longer_and_longer(world: World, kept: Keeper) -> None:
    world.failure = FailureError("no")
    moments = []
    for minute in range(0, 4 * 24 * 60, 5):
        before = len(world.orders)
        kept.tend(of_domain(kept), NOW + minute * 60)
        if len(world.orders) > before:
            moments.append(minute)
    assert moments == [0, 15, 45, 105, 225, 465, 945, 1905, 3345, 4785]
    assert kept.state["example.org"]["error"] == "no"
    world.failure = None
    kept.patient = False
    kept.tend(of_domain(kept), NOW + 4 * DAY)
    assert kept.state["example.org"]["error"] is None


def test_it_waits_as_long_as_the_ca_says(world: World, kept: Keeper) -> None:
    world.failure = FailureError("too many", after=NOW + 5 * DAY)
    kept.tend(of_domain(kept), NOW)
    kept.tend(of_domain(kept), NOW + 4 * DAY)
    assert len(world.orders) == 1


SAID = """
Certbot failed to authenticate some domains (authenticator: webroot). The CA reported these problems:
  Domain: mail.example.org
  Type:   unauthorized
  Detail: 192.0.2.1: Invalid response from http://mail.example.org/.well-known/acme-challenge/x: 404

Hint: …
Some challenges have failed.
"""
LIMIT = (
    "An unexpected error occurred:\nError creating new order :: too many certificates already issued: "
    "urn:ietf:params:acme:error:rateLimited, retry after 2026-11-30 10:20:30 UTC"
)


def test_what_certbot_says_becomes_a_line() -> None:
    failure = ca.failure_of(SAID)
    assert str(failure).startswith(
        "mail.example.org: 192.0.2.1: Invalid response from http://mail.example.org"
    )
    assert "\n" not in str(failure)
    limit = ca.failure_of(LIMIT)
    assert "too many certificates" in str(limit) or "rateLimited" in str(limit)
    assert limit.after == 1796034030
    away = "An unexpected error occurred:\nAccount https://ca.example not found.\nAsk for help or search …"
    assert str(ca.failure_of(f"{away}\nRequesting a certificate")) == "Account https://ca.example not found."
    assert str(ca.failure_of("")) == "certbot failed"


def test_the_error_of_the_ca_is_in_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ca, "LOG", tmp_path / "log")
    assert ca.logged() == ""
    error = "urn:ietf:params:acme:error:malformed :: not so :: no"
    (tmp_path / "log").write_text(
        f"2026 x\nacme.messages.Error: {error}\n\nAttributeError: can't set attribute\n"
    )
    assert str(ca.failure_of(f"{ca.logged()}\nAttributeError: can't set attribute")) == error


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ("urn:ietf:params:acme:error:accountDoesNotExist :: unknown", True),
        ("urn:ietf:params:acme:error:unauthorized :: Account is not valid, has status deactivated", True),
        ("An unexpected error occurred:\nAccount https://ca.example/my-account/1 not found.", True),
        (SAID, False),
    ],
)
def test_an_account_that_the_ca_has_forgotten_is_moved_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, gone: bool
) -> None:
    monkeypatch.setattr(ca, "ACCOUNT", tmp_path)
    (tmp_path / "accounts").mkdir()
    assert ca.forget_account(said) is gone
    assert (tmp_path / "accounts.gone").exists() is gone
