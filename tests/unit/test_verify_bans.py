"""Whether the machine that runs pyinfra is shut out, by what fail2ban says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mailstack.on_host.verify import bans
from mailstack.on_host.verify.results import Problem, Skip
from mailstack.verify import seen

SAID = (
    "[{'sshd': ['192.0.2.7']}, {'mailstack': ['192.0.2.7', '2001:db8:1:2::9']},"
    " {'theirs': ['2001:db8:1:3::9']}]\n"
)


@pytest.fixture
def fail2ban(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the program that stands for ``fail2ban-client``; it prints ``SAID``."""
    program = tmp_path / "fail2ban-client"
    program.write_text(f'#!/bin/sh\n[ "$*" = banned ] && cat <<END\n{SAID}END\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return program


@pytest.mark.parametrize(
    ("address", "text", "way"),
    [
        ("192.0.2.8", None, ""),
        ("192.0.2.7", "the jails sshd, mailstack", "fail2ban-client set sshd unbanip 192.0.2.7; pyinfra "),
        # all of a /64 is shut out by mailstack, and by others an address
        ("2001:db8:1:2::1", "the jail mailstack", " mailstack.ban.remove 2001:db8:1:2::1 lets"),
        ("2001:db8:1:3::1", None, ""),
        ("2001:db8:1:3::9", "the jail theirs", "fail2ban-client set theirs unbanip 2001:db8:1:3::9 lets"),
    ],
)
def test_the_jail_and_the_address_are_named(fail2ban: Path, address: str, text: str | None, way: str) -> None:
    if text is None:
        bans.not_banned(address)
        return
    with pytest.raises(Problem, match=f"^{address} is shut out by {text} of fail2ban$") as problem:
        bans.not_banned(address)
    assert way in problem.value.advice


@pytest.mark.parametrize("script", ["echo no >&2; exit 255", "echo 'a word'", "echo '[1]'"])
def test_a_fail2ban_that_does_not_say(fail2ban: Path, script: str) -> None:
    fail2ban.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(Skip, match="does not say"):
        bans.not_banned("192.0.2.7")


def test_from_outside_a_refused_connection_may_be_a_ban() -> None:
    with pytest.raises(ConnectionRefusedError) as refused, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        socket.create_connection(bound.getsockname(), 5)
    assert "mailstack.ban.remove" in seen._unreached(refused.value).advice
    assert "mailstack.ban.remove" not in seen._unreached(TimeoutError()).advice
