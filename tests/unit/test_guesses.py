"""The program that counts guesses for fail2ban, and what it says of a login."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailstack.on_host import guesses
from mailstack.on_host.guesses import DAY, TOO_MANY

ADDRESS = "192.0.2.7"


def guess(state: Path, number: int, address: str = ADDRESS, limit: int = 5) -> bool:
    """Guess the password of another user, and return whether it is a guess too many."""
    return guesses.count(limit, "", address, f"user{number}@example.org", "a", state) == TOO_MANY


def log_in(state: Path, address: str = ADDRESS) -> None:
    assert guesses.count(5, "Login", address, "", "", state) == 0


def test_different_users_are_counted(tmp_path: Path) -> None:
    assert [guess(tmp_path, number) for number in range(6)] == [False] * 4 + [True, False]


def test_different_passwords_are_counted(tmp_path: Path) -> None:
    said = [guesses.count(5, "", ADDRESS, "bob", each, tmp_path) for each in "0123456789"]
    assert said == [*[0] * 4, TOO_MANY] * 2


def test_the_same_again_is_one_guess(tmp_path: Path) -> None:
    for number in range(4):
        guess(tmp_path, number)
    assert not any(guess(tmp_path, 3) for _ in range(100))
    assert guess(tmp_path, 4)


def test_addresses_are_counted_apart(tmp_path: Path) -> None:
    assert not any(guess(tmp_path, number, f"192.0.2.{number}") for number in range(20))


def test_an_ipv6_network_is_counted_as_one(tmp_path: Path) -> None:
    said = [guess(tmp_path, number, f"2001:db8:0:1:{number:x}::{number:x}") for number in range(1, 6)]
    assert said == [False] * 4 + [True]
    assert not guess(tmp_path, 6, "2001:db8:0:2::1")


@pytest.mark.parametrize(
    "address, key",
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8::1", "2001:db8::"),
    ],
)
def test_the_name_of_an_address(address: str, key: str) -> None:
    assert guesses.key(address) == key


def test_after_a_good_login_there_are_ten_times_as_many(tmp_path: Path) -> None:
    log_in(tmp_path)
    assert not any(guess(tmp_path, number) for number in range(49))
    assert guess(tmp_path, 49)


def test_a_good_login_counts_for_a_week(tmp_path: Path) -> None:
    log_in(tmp_path)
    file = tmp_path / "good" / ADDRESS
    then = file.stat().st_mtime - 7 * DAY - 60
    os.utime(file, (then, then))
    assert any(guess(tmp_path, number) for number in range(5))


def test_guesses_count_for_a_day(tmp_path: Path) -> None:
    for number in range(4):
        guess(tmp_path, number)
    file = tmp_path / "guesses" / ADDRESS
    lines = [line.partition("\t") for line in file.read_text().splitlines()]
    file.write_text("".join(f"{int(at) - DAY - 60}\t{rest}\n" for at, _, rest in lines))
    assert not guess(tmp_path, 4)
    assert file.read_text().count("\n") == 1


def test_guesses_that_led_to_a_ban_do_not_lead_to_the_next_one(tmp_path: Path) -> None:
    for _ in range(2):  # nobody says that a ban has ended while fail2ban does not run
        assert [guess(tmp_path, number) for number in range(5)] == [False] * 4 + [True]
        assert len((tmp_path / "banned" / ADDRESS).read_text().splitlines()) == 5


def test_when_a_ban_has_ended_nothing_is_kept(tmp_path: Path) -> None:
    for number in range(7):
        guess(tmp_path, number)
    guesses.forget(ADDRESS, tmp_path)
    assert [*tmp_path.glob("*/*")] == []
    guesses.forget("192.0.2.8", tmp_path)


def test_a_name_may_have_anything(tmp_path: Path) -> None:
    for name in ("a b", "", "x'; reboot", "\udcff", "-h"):
        assert guesses.count(50, "", ADDRESS, name, "", tmp_path) == 0
    assert guess(tmp_path, 1, limit=6)


def test_files_are_for_root_alone(tmp_path: Path) -> None:
    guess(tmp_path / "new", 1)
    assert (tmp_path / "new/guesses" / ADDRESS).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new/guesses").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "arguments", [[], ["count"], ["count", "5", "", ADDRESS, "x"], ["forget"], ["x", "y"]]
)
def test_other_arguments_are_no_guess(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert guesses.main(arguments) == 2
    assert capsys.readouterr().err.startswith("guesses count LIMIT")


def test_what_is_no_address_is_an_error_and_no_guess() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        guesses.main(["count", "5", "", "x/../y", "bob", "a"])
