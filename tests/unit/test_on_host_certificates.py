"""What the program for certificates decides on a host: when it asks, for which names, and what it says."""

from __future__ import annotations

import fcntl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.certificates import __main__ as program
from mailstack.on_host.certificates import keeper
from mailstack.on_host.certificates.files import FailureError, Present, Wanted
from mailstack.on_host.certificates.keeper import Keeper
from tests.support.certificate_keeper import CONFIGURATION, DAY, NOW, World, keeper_in


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Keeper, World]:
    return keeper_in(tmp_path, monkeypatch)


@pytest.fixture
def kept(made: tuple[Keeper, World]) -> Keeper:
    return made[0]


@pytest.fixture
def world(made: tuple[Keeper, World]) -> World:
    return made[1]


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
    kept.command = "now"
    kept.tend(of_domain(kept), NOW + 4 * DAY)
    assert kept.state["example.org"]["error"] is None


def test_it_waits_as_long_as_the_ca_says(world: World, kept: Keeper) -> None:
    world.failure = FailureError("too many", after=NOW + 5 * DAY)
    kept.tend(of_domain(kept), NOW)
    kept.tend(of_domain(kept), NOW + 4 * DAY)
    assert len(world.orders) == 1


def test_looks_at_the_dns_make_no_pause_at_the_ca_longer(world: World, kept: Keeper) -> None:
    names: Any = kept.names
    names.problems = dict.fromkeys(of_domain(kept).names, "has no address in the DNS")
    for hour in range(24):
        kept.tend(of_domain(kept), NOW + hour * 3600)
    names.problems.clear()
    world.failure = FailureError("no")
    kept.tend(of_domain(kept), NOW + DAY)
    assert kept.state["example.org"]["next"] == NOW + DAY + 15 * 60
    names.problems["mta-sts.example.org"] = "has no address in the DNS"
    kept.tend(of_domain(kept), NOW + DAY + 15 * 60)
    assert kept.state["example.org"]["next"] == NOW + DAY + 45 * 60, "the second failure"


def test_a_renewal_that_would_lose_a_name_waits_as_long_as_it_can(world: World, kept: Keeper) -> None:
    """The DNS may be wrong for an hour; the policy of MTA-STS would be out of reach for longer."""
    kept.tend(of_domain(kept), NOW)
    names: Any = kept.names
    names.problems["mta-sts.example.org"] = "the DNS gives no answer (NoNameservers)"
    kept.tend(of_domain(kept), NOW + 61 * DAY)
    assert len(world.orders) == 1
    assert "no answer" in kept.faults()[1]
    names.problems.clear()
    kept.tend(of_domain(kept), NOW + 61 * DAY + 3600)
    assert world.orders[1:] == [["mta-sts.example.org", "autoconfig.example.org"]]
    names.problems["mta-sts.example.org"] = "has no address in the DNS"
    kept.tend(of_domain(kept), NOW + 76 * DAY)
    assert world.orders[2:] == [["autoconfig.example.org"]]


def test_another_ca_is_asked_at_once(world: World, kept: Keeper) -> None:
    """As after a try with the staging server of a CA, whose certificates nobody trusts."""
    kept.tend(of_domain(kept), NOW)
    # an older version has not kept which CA it was
    del kept.state["example.org"]["server"]
    kept.tend(of_domain(kept), NOW + DAY)
    assert len(world.orders) == 1
    kept.configuration = {**CONFIGURATION, "server": "https://another.example/dir"}
    kept.settings = "others"
    world.failure = FailureError("no")
    kept.tend(of_domain(kept), NOW + DAY)
    assert kept.state["example.org"]["error"] == "no"
    world.failure = None
    for hour in (1, 2):
        kept.tend(of_domain(kept), NOW + DAY + hour * 3600)
    assert len(world.orders) == 3
    assert kept.state["example.org"]["error"] is None


def test_services_are_told_again_until_all_have_read_a_certificate(
    kept: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.configuration = {**CONFIGURATION, "services": ["dovecot", "postfix", "nginx"]}
    mark = tmp_path / "RELOAD"
    told: list[str] = []
    faults: dict[str, Exception] = {"dovecot": subprocess.TimeoutExpired("systemctl", 120)}

    def run(*command: str, **_: object) -> subprocess.CompletedProcess[str]:
        if command[1] == "is-failed":
            return subprocess.CompletedProcess(command, 0 if command[-1] == "postfix" else 1, "", "")
        told.append(" ".join(command[1:]))
        assert mark.exists(), "a run that is killed now would leave no mark"
        if fault := faults.get(command[-1]):
            raise fault
        return subprocess.CompletedProcess(command, 1 if command[-1] == "nginx" else 0, "", "no")

    monkeypatch.setattr(keeper, "run", run)
    mark.touch()
    kept.reload()
    assert told == [
        "try-reload-or-restart dovecot",
        "reset-failed postfix",
        "start postfix",
        "try-reload-or-restart nginx",
    ]
    said = capsys.readouterr().err
    assert "dovecot: Command 'systemctl' timed out" in said and "nginx: no" in said
    assert mark.exists()
    faults.clear()
    kept.configuration = {**CONFIGURATION, "services": ["dovecot", "postfix"]}
    kept.reload()
    assert not mark.exists()


def test_other_settings_end_the_pause(world: World, kept: Keeper) -> None:
    world.failure = FailureError("no")
    for minute in (0, 15):
        kept.tend(of_domain(kept), NOW + minute * 60)
    kept.settings = "others"
    kept.tend(of_domain(kept), NOW + 16 * 60)
    assert len(world.orders) == 3
    assert kept.state["example.org"]["next"] == NOW + 31 * 60, "the first failure with these"
    kept.tend(of_domain(kept), NOW + 17 * 60)
    assert len(world.orders) == 3


def test_settings_are_others_once_a_deploy_has_written_them(kept: Keeper) -> None:
    before = keeper.settings_written()
    keeper.CONFIGURATION.write_text("{}")
    assert keeper.settings_written() != before


def test_a_deploy_asks_the_dns_at_once_but_not_the_ca(world: World, kept: Keeper) -> None:
    names: Any = kept.names
    names.problems = dict.fromkeys(of_domain(kept).names, "has no address in the DNS")
    kept.tend(of_domain(kept), NOW)
    names.problems.clear()
    world.failure = FailureError("no")
    kept.command = "host"
    for second in (1, 2):
        kept.tend(of_domain(kept), NOW + second)
    assert len(world.orders) == 1


def test_a_clock_that_was_ahead_does_not_block_a_certificate(world: World, kept: Keeper) -> None:
    world.failure = FailureError("no", after=NOW + 900 * DAY)
    kept.tend(of_domain(kept), NOW + 800 * DAY)
    world.failure = None
    kept.tend(of_domain(kept), NOW)
    assert kept.state["example.org"]["expires"] == NOW + 90 * DAY


def test_a_clock_that_is_ahead_does_not_order_again_and_again(world: World, kept: Keeper) -> None:
    for minute in range(0, 60, 5):
        kept.tend(of_domain(kept), NOW + 800 * DAY + minute * 60)
    assert len(world.orders) == 3
    assert "is the clock right?" in kept.faults()[1]
    kept.tend(of_domain(kept), NOW)
    assert kept.state["example.org"]["error"] is None


def test_a_ca_that_is_away_is_asked_once_in_a_look(world: World, kept: Keeper) -> None:
    world.failure = FailureError("away", unreached=True)
    for domain in ("a.example", "b.example", "c.example"):
        kept.tend(kept.of_domain(domain), NOW)
    assert len(world.orders) == 1
    again = Keeper(CONFIGURATION)
    again.state = kept.state
    for domain in ("a.example", "b.example", "c.example"):
        again.tend(kept.of_domain(domain), NOW + 300)
    assert again.state["a.example"]["failures"] == again.state["b.example"]["failures"] == 1
    assert len(world.orders) == 2


def test_a_refusal_of_the_ca_is_for_one_domain_alone(world: World, kept: Keeper) -> None:
    world.failure = FailureError("no")
    for domain in ("a.example", "b.example"):
        kept.tend(kept.of_domain(domain), NOW)
    assert len(world.orders) == 2


@pytest.mark.parametrize("text", ["", "\0\0", "[]", '{"a.example": 1}'])
def test_a_damaged_state_is_none(kept: Keeper, text: str) -> None:
    keeper.STATE.write_text(text)
    assert Keeper(CONFIGURATION).state == {}


def test_faults_have_all_that_is_wrong(world: World, kept: Keeper, tmp_path: Path) -> None:
    assert kept.faults() == ["mail.example.org: not of the CA"]
    world.there[tmp_path / "cert.pem"] = Present(("mail.example.org",), NOW, NOW + DAY)
    assert kept.faults() == []
    kept.state = {
        "a.example": {"expires": 9, "problems": {"x.a.example": "has no address in the DNS"}, "error": "no"},
        "b.example": {"expires": None, "site": "nginx refuses"},
        "c.example": {"expires": time.time() + 999, "problems": {}, "error": None, "site": None},
    }
    assert kept.faults() == [
        "a.example: x.a.example has no address in the DNS; no; it has expired",
        "b.example: nginx refuses",
    ]


def test_one_run_at_a_time_and_another_one_waits_with_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "mailstack/certificates.lock"
    monkeypatch.setattr(program, "LOCK", place)
    with program.alone():
        assert place.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(program, "LIMIT", 0)
    with place.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FailureError, match="another run has had it"), program.alone():
            pass
    with program.alone():
        pass
