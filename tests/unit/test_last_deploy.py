"""The record of the last deploy: who is warned, and what is in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand

from mailstack import Settings, last_deploy
from mailstack.last_deploy import Deploy, digest, parse, replaced
from mailstack.shell import shell

FIRST = Deploy("alice@laptop", 1_800_000_000, "0.1.0", "a" * 64)


def test_another_machine_with_other_settings_is_named() -> None:
    second = Deploy("ci@runner", 1_800_000_100, "0.2.0", "b" * 64)
    assert replaced(FIRST._asdict(), second) == (
        "the last deploy came from alice@laptop, at 2027-01-15 08:00 UTC with mailstack 0.1.0, and had other "
        "settings: those of ci@runner replace them"
    )


@pytest.mark.parametrize(
    "this",
    [
        FIRST._replace(settings="b" * 64),
        FIRST._replace(by="ci@runner", mailstack="0.2.0"),
    ],
    ids=["the same machine", "the same settings"],
)
def test_nobody_else_is(this: Deploy) -> None:
    assert replaced(FIRST._asdict(), this) is None
    assert replaced({}, this) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"by": "alice@laptop"}'])
def test_a_missing_or_damaged_record_is_none(text: str) -> None:
    assert parse(text) == {}
    assert parse(json.dumps(FIRST._asdict())) == FIRST._asdict()


def test_secrets_are_not_in_the_digest() -> None:
    def of(password: str, limit: int = 10_000_000) -> str:
        user = {"email": "alice@example.org", "initial_password": password}
        return digest(
            Settings.from_data(
                {
                    "mail_hostname": "mail.example.org",
                    "mail_domains": ["example.org"],
                    "mail_users": [user],
                    "mail_db_owner_password": password,
                    "mail_message_size_limit": limit,
                }
            )
        )

    assert of("one of them") == of("another one")
    assert of("one of them") != of("one of them", 20_000_000)


def test_a_default_of_another_version_is_not_in_the_digest() -> None:
    class Later(Settings):
        mail_of_a_later_version: bool = True

    given = {"mail_hostname": "mail.example.org"}
    later = Later.from_data(given)
    assert isinstance(later, Later)
    assert digest(later) == digest(Settings.from_data(given))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the warnings of a run that deploys a host which another machine has deployed."""
    warnings: list[str] = []
    host = SimpleNamespace(name="mail")
    monkeypatch.setattr(last_deploy, "_deploys", {"mail": Settings(mail_hostname="mail.example.org")})
    monkeypatch.setattr(last_deploy, "current_host", lambda: host.name)
    monkeypatch.setattr(last_deploy, "read", lambda _: {last_deploy.PATH: json.dumps(FIRST._asdict())})
    monkeypatch.setattr(last_deploy, "is_executing", lambda: True)
    monkeypatch.setattr(last_deploy, "warn_once", warnings.append)
    return warnings


def script_of(command: PyinfraCommand) -> str:
    """Return the script that a command runs."""
    return str(command.connector_arguments.get("_stdin"))


def test_the_first_command_of_a_deploy_records_it(said: list[str]) -> None:
    first, second = (last_deploy.noted(shell("true")) for _ in range(2))
    assert script_of(shell("true")) in script_of(first)
    assert last_deploy.PATH in script_of(first)
    assert script_of(second) == script_of(shell("true"))
    assert len(said) == 1 and "alice@laptop" in said[0]


@pytest.mark.parametrize(("change", "status"), [("cat", 0), ("exit 3", 3), ("set -e; false; true", 1)])
def test_a_change_that_fails_is_not_recorded(
    said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str, status: int
) -> None:
    record = tmp_path / "made/last-deploy.json"
    monkeypatch.setattr(last_deploy, "read", lambda _: {})
    monkeypatch.setattr(last_deploy, "PATH", str(record))
    command = last_deploy.noted(shell(change, "some data\n"))
    done = subprocess.run(["sh"], input=script_of(command), capture_output=True, text=True, timeout=60)
    assert (done.returncode, record.exists()) == (status, status == 0)
    assert done.stdout == ("some data\n" if change == "cat" else "")
    assert said == []


def test_a_dry_run_warns_and_records_nothing(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_deploy, "is_executing", lambda: False)
    for command in (shell("true"), StringCommand("true")):  # one stands for files whose secrets are missing
        assert last_deploy.noted(command) is command
        assert said.pop()


def test_what_is_no_script_is_left_alone(said: list[str]) -> None:
    for command in (FunctionCommand(print, (), {}), StringCommand("true")):
        assert last_deploy.noted(command) is command
    assert not said
