"""The bans of a host, and the commands about them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack.ban import commands, printed
from mailstack.facts.bans import Ban, Bans, GuessedUsers
from mailstack.facts.platform import RELEASES
from mailstack.shell import script

BANNED = """zone=+0200
192.0.2.7 \t2026-11-29 20:00:00 + 86400 = 2026-11-30 20:00:00
2001:db8:1:2::5 \t2026-11-29 21:00:00 + 3600 = 2026-11-29 22:00:00
"""
FOUR = Ban(
    "192.0.2.7",
    "192.0.2.7",
    datetime(2026, 11, 29, 18, tzinfo=UTC),
    datetime(2026, 11, 30, 18, tzinfo=UTC),
    12,
)
SIX = Ban(
    "2001:db8:1:2::/64",
    "2001:db8:1:2::5",
    datetime(2026, 11, 29, 19, tzinfo=UTC),
    datetime(2026, 11, 29, 20, tzinfo=UTC),
)


def test_bans_are_read() -> None:
    output = f"{BANNED}guesses=192.0.2.7\t12\nguesses=192.0.2.8\t1\n"
    assert Bans.of().parse(output) == (FOUR, SIX)
    assert Bans.of().parse("zone=+0000\n\n") == ()
    assert Bans.of().parse("") is None


RULE = '{"rule": {"expr": [{"reject": {"type": "tcp reset"}}]}}'
IN_SIX = '{"prefix": {"addr": "2001:db8:1:2::", "len": 64}}'
ADJACENT = '{"range": ["2001:db8:1:1::", "2001:db8:1:2:ffff:ffff:ffff:ffff"]}'


@pytest.mark.parametrize(
    ("four", "six", "rules", "in_force"),
    [
        ('"192.0.2.7"', IN_SIX, 2, [True, True]),
        ('"192.0.2.7", "192.0.2.9"', ADJACENT, 2, [True, True]),
        ("", IN_SIX, 2, [False, True]),
        ('"192.0.2.70"', "", 2, [False, False]),
        ('"192.0.2.7"', IN_SIX, 0, [False, False]),  # after `nft flush table`
        (None, None, 0, [False, False]),  # after `nft flush ruleset`
    ],
)
def test_bans_that_the_rules_do_not_have(
    four: str | None, six: str | None, rules: int, in_force: list[bool]
) -> None:
    sets = [f'{{"set": {{"name": "x", "elem": [{each}]}}}}' for each in (four, six)]
    table = f'{{"nftables": [{{"metainfo": {{}}}}, {", ".join([*sets, *[RULE] * rules])}]}}'
    output = BANNED.replace("\n", f"\nnow=1795986000\nrules={'' if four is None else table}\n", 1)
    bans = Bans.of().parse(output)
    assert bans and [ban.in_force for ban in bans] == in_force
    assert bans[0].since.timestamp() < 1795986000 - 10


def test_fail2ban_has_a_ban_a_moment_before_the_rules() -> None:
    now = int(FOUR.since.timestamp()) + 5
    bans = Bans.of().parse(BANNED.replace("\n", f"\nnow={now}\nrules=\n", 1))
    assert bans and bans[0].in_force


@pytest.mark.parametrize("users", [False, True])
def test_the_script_counts_the_guesses_of_bans(users: bool, tmp_path: Path) -> None:
    names = {"192.0.2.7": "1795976205\ta\tbob: x\n1795976205\tb\t\udcff\x0b\n", "2001:db8:1:2::": "1\ta\t\n"}
    for name, text in {**names, "192.0.2.8.new": "1795976205\ta"}.items():
        (tmp_path / name).write_text(text, errors="surrogateescape")
    (tmp_path / "192.0.2.9").symlink_to("gone")
    asks = script("bans", *(["users"] if users else [])).replace(
        "/var/lib/fail2ban/mailstack/banned", str(tmp_path)
    )
    bans = BANNED.removeprefix("zone=+0200")
    fakes = (
        f"timeout() {{ [ $2 = nft ] || printf '%s' '{bans}'; }}; date() {{ echo zone=+0200; echo now=0; }}\n"
    )
    done = subprocess.run(["sh"], input=(fakes + asks).encode(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    output = done.stdout.decode(errors="surrogateescape")
    found = GuessedUsers.of().parse(output)
    assert found and [ban.guesses for ban in found.bans] == [2, 1]
    if users:
        assert {*found.users["192.0.2.7"]} == {"bob: x", "\udcff\x0b"}


def test_a_guessed_name_ends_no_line() -> None:
    name = "x\u2028zone=+0900\x0bguesses=192.0.2.7\t99\x85192.0.2.99 \t2026-11-29 20:00:00 + 9 = x"
    found = GuessedUsers.of().parse(f"{BANNED}guess=192.0.2.7\t1\ta\t{name}\n")
    assert found and [ban.id for ban in found.bans] == ["192.0.2.7", "2001:db8:1:2::5"]
    assert found.bans[0].guesses == 1 and found.bans[0].since == FOUR.since


def guessed() -> str:
    """Return the output with the users of the guesses."""
    users = [f"guess=192.0.2.7\t1795976205\t{number}\tuser{number % 4}@example.org\n" for number in range(12)]
    return BANNED + "".join(users) + "guess=2001:db8:1:2::\t1795976205\ta\t\x1b[2J x\n"


def test_users_are_read() -> None:
    found = GuessedUsers.of().parse(guessed())
    assert found and found.bans[0] == FOUR and found.bans[1].guesses == 1
    assert found.users["192.0.2.7"]["user3@example.org"] == 3
    assert [*found.users["2001:db8:1:2::/64"]] == ["\x1b[2J x"]


@pytest.mark.parametrize("name", ["a\u2028guess=x", "a\x85guesses=x\ty", "a\x1czone=x", "a\tguess=b", ""])
def test_a_name_by_a_stranger_is_one_name(name: str) -> None:
    found = GuessedUsers.of().parse(f"{BANNED}guess=192.0.2.7\t1795976205\ta\t{name}\n")
    assert found and dict(found.users["192.0.2.7"]) == {name: 1}


def test_a_damaged_guess_counts() -> None:
    found = GuessedUsers.of().parse(f"{BANNED}guess=192.0.2.7\n")
    assert found and found.bans[0].guesses == 1


def test_the_list_for_people_and_for_programs() -> None:
    found = GuessedUsers.of().parse(guessed())
    assert found
    text = printed.as_text("mail", found)
    assert text.splitlines()[0] == "mail: 2 addresses are shut out"
    assert "user0@example.org, user1@example.org, user2@example.org, 1 more" in text
    assert "\x1b" not in text and "2026-11-29 18:00  2026-11-30 18:00  12" in text
    bans = json.loads(printed.as_json("mail", found))["bans"]
    assert [ban["address"] for ban in bans] == ["192.0.2.7", "2001:db8:1:2::/64"]
    assert bans[0]["until"] == "2026-11-30T18:00:00Z" and bans[0]["users"]["user1@example.org"] == 3
    away = replace(found, bans=tuple(replace(ban, in_force=ban is found.bans[0]) for ban in found.bans))
    first = printed.as_text("mail", away).splitlines()[0]
    assert first.startswith(
        "mail: 1 address is shut out; 1 should be, but it is not in the rules of nftables"
    )
    assert "2001:db8:1:2::/64" in first and "systemctl restart fail2ban" in first
    listed = json.loads(printed.as_json("mail", away))["bans"]
    assert [ban["in_force"] for ban in listed] == [True, False]
    none = GuessedUsers.of().parse("zone=+0000\n")
    assert none and printed.as_text("mail", none) == "mail: no address is shut out\n"
    by_hand = GuessedUsers.of().parse(BANNED)
    assert by_hand and "by hand" in printed.as_text("mail", by_hand)


@pytest.mark.parametrize(
    "address", ["", "x", "192.0.2.0/24", "2001:db8::/48", "192.0.2.7; reboot", "-h", 7, "127.0.0.1", "::1"]
)
def test_bad_addresses_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_is_here", lambda: True)
    answers(monkeypatch, ())
    with pytest.raises((OperationValueError, OperationError), match=r"address = '.*allowed|never shut out"):
        list(commands.add._inner(address))  # type: ignore[attr-defined]


def answers(monkeypatch: pytest.MonkeyPatch, bans: tuple[Ban, ...] | None) -> list[str]:
    """Answer the questions of the commands, and return the list of what they say."""
    said: list[str] = []
    found = {"Bans": bans, "HostAddresses": ("192.0.2.1", "2001:db8::1"), "HostPlatform": RELEASES[1]}
    monkeypatch.setattr(commands, "read", lambda question: found[type(question).__name__])
    data = {"mail_hostname": "mail.example.org", "mail_mynetworks": ["192.0.2.64/26"]}
    host = SimpleNamespace(name="mail", noop=said.append, data=data)
    monkeypatch.setattr(commands, "host", host)
    monkeypatch.setattr(commands, "deployed_with", lambda: None)
    monkeypatch.setattr(commands, "_is_here", lambda: True)
    monkeypatch.setattr("mailstack.run.is_executing", lambda: False)
    monkeypatch.setattr("mailstack.run.current_host", lambda: host)
    return said


@pytest.mark.parametrize(
    "name, address, bans, does",
    [
        ("add", "192.0.2.9", (FOUR,), "banip 192.0.2.9 "),
        ("add", "192.0.2.7", (FOUR,), None),
        ("add", "2001:db8:5:6::7", (), "banip 2001:db8:5:6:: "),
        ("add", "2001:db8:5:6::/64", (), "banip 2001:db8:5:6:: "),
        ("add", "2001:db8:1:2::99", (SIX,), None),
        ("remove", "192.0.2.7", (FOUR, SIX), "unbanip 192.0.2.7 "),
        ("remove", "2001:db8:1:2::99", (FOUR, SIX), "unbanip 2001:db8:1:2::5 "),
        ("remove", "192.0.2.8", (FOUR,), None),
    ],
)
def test_nothing_is_done_twice(
    name: str, address: str, bans: tuple[Ban, ...], does: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = answers(monkeypatch, bans)
    scripts = [each.connector_arguments["_stdin"] for each in getattr(commands, name)._inner(address)]
    assert [f"set mailstack {does}" in each for each in scripts] == ([True] if does else [])
    assert bool(said) != bool(does)


def test_a_ban_that_the_rules_do_not_have_is_added_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """To fail2ban it is banned already, and it would do nothing."""
    said = answers(monkeypatch, (replace(FOUR, in_force=False),))
    (done,) = commands.add._inner("192.0.2.7")  # type: ignore[attr-defined]
    assert "systemctl restart fail2ban" in done.connector_arguments["_stdin"] and not said


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::2", "192.0.2.65", "127.0.0.9"])
def test_what_is_never_shut_out_is_not_added(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ())
    with pytest.raises(OperationError, match=r"address = .*never shut out"):
        list(commands.add._inner(address))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["add", "remove"])
def test_without_fail2ban_nothing_is_pretended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, None)
    with pytest.raises(OperationError, match="mail: fail2ban does not watch the mail server"):
        list(getattr(commands, name)._inner("192.0.2.9"))
