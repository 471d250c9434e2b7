"""`mailstack.accounts.list` and `show`, on a server with mail and logins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, ERIN, REMOTE
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.both_engines

#: Has used nearly all of its quota; has no mail.
FULL, NEW = "full@crowd.example", "new@crowd.example"
CROWD = f"""
INSERT INTO mail_domain (domain_name, quota_mb, user_quota_mb) VALUES ('crowd.example', 5000, 1);
INSERT INTO mail_users (email, password) SELECT '{FULL}', password FROM mail_users WHERE email = '{ALICE}';
INSERT INTO mail_users (email, password, quota_messages)
    SELECT '{NEW}', password, 10 FROM mail_users WHERE email = '{ALICE}';
INSERT INTO mail_app_password (email, name, digest) VALUES ('{ALICE}', 'phone', '{"5" * 64}');
"""


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Iterator[Target]:
    """Yield a copy of the standard server with a login, mail, and a nearly full mailbox."""
    target = module_clone("look")
    clients.sql(target, CROWD)
    with clients.imap(target, ALICE):
        pass
    body = "x" * 70 + "\n" + ("y" * 70 + "\n") * 11_000
    for user in (ALICE, FULL):
        clients.send(target, clients.message(sample_accounts.STRANGER, user, body=body))
    clients.eventually(lambda: all(has_mail(target, user) for user in (ALICE, FULL)), "no mail came", 100)
    yield target


def has_mail(target: Target, user: str) -> bool:
    """Return whether a message has arrived."""
    mail = clients.mail_root(target, user)
    return bool(target.exec(f"find {mail} -name 'u.[0-9]*'", check=False).stdout)


def call(host: Target, name: str, *args: str) -> PyinfraRun:
    """Run a command as a person does."""
    return host.pyinfra("-y", f"mailstack.accounts.{name}", *args, data=sample_accounts.data())


def listed(host: Target, *args: str) -> dict[str, Any]:
    """Return what the list prints as JSON: standard output has nothing else."""
    found: dict[str, Any] = json.loads(call(host, "list", "format=json", *args).check().stdout)
    return found


def shown(host: Target, address: str) -> dict[str, Any]:
    """Return what is shown of an address."""
    found: dict[str, Any] = json.loads(call(host, "show", address, "format=json").check().stdout)
    return found


def addresses(found: dict[str, Any]) -> list[str]:
    """Return the addresses of the listed users."""
    return [user["address"] for user in found["users"]]


def test_the_list_has_everything(host: Target) -> None:
    found = listed(host)
    users = {user["address"]: user for user in found["users"]}
    assert {ALICE, BOB, CAROL, DAVE, ERIN, FULL, NEW} == users.keys()
    assert [users[name]["active"] for name in (ALICE, DAVE, ERIN)] == [True, False, False]
    assert users[ALICE]["last_login"].keys() == {"imap"} and users[ALICE]["quota_mb"] is None
    assert users[ALICE]["used_messages"] == 1 and 0.7 < users[ALICE]["used_mb"] < 0.9
    assert users[FULL]["quota_mb"] == 1 and 70 < users[FULL]["used_percent"] < 90
    assert (users[NEW]["used_mb"], users[NEW]["used_percent"], users[NEW]["last_login"]) == (0, 0, {})
    assert users[DAVE]["used_mb"] is None
    assert not host.exec(f"ls -d {clients.home(host, NEW)}", check=False).stdout  # nobody looked into it
    aliases = {(each["address"], each["active"]): each["destinations"] for each in found["aliases"]}
    assert aliases["team@example.org", True] == [ALICE, BOB, CAROL]
    assert aliases["old@example.org", False] == [ALICE]
    domains = {each["name"]: each for each in found["domains"]}
    assert domains["crowd.example"] == {
        "name": "crowd.example",
        "kind": "mailboxes",
        "active": True,
        "of": None,
        "quota_mb": 5000,
        "user_quota_mb": 1,
        "users": 2,
        "aliases": 0,
    }
    assert not domains["disabled.example"]["active"]


def test_filters(host: Target) -> None:
    assert addresses(listed(host, "users", "domain=crowd.example")) == [FULL, NEW]
    assert addresses(listed(host, "users", "inactive=true")) == [DAVE, ERIN]
    never = listed(host, "never=true")
    assert ALICE not in addresses(never) and BOB in addresses(never) and "aliases" not in never
    assert addresses(listed(host, "over=70")) == [FULL]
    found = listed(host, "text=OLD@")
    assert not found["users"] and [each["address"] for each in found["aliases"]] == ["old@example.org"]
    assert listed(host, "users", "used=false")["users"][0]["used_mb"] is None


def test_a_table_for_a_person(host: Target) -> None:
    said = call(host, "list", "users", "domain=crowd.example").check().stdout
    assert said.splitlines()[0] == "2 users"
    assert said.splitlines()[1].split() == ["USER", "USED", "QUOTA"]
    assert said.splitlines()[2].split()[0] == FULL


def test_everything_about_a_user(host: Target) -> None:
    found = shown(host, "Alice@Example.ORG")
    inactive = ("alias@disabled.example", "old@example.org")
    assert found["aliases_to_it"] == {
        **dict.fromkeys(inactive, False),
        **dict.fromkeys(("info@example.org", "team@example.org"), True),
    }
    assert found["user"]["app_passwords"] == {"phone": "all"} and found["user"]["last_login"].keys() == {
        "imap"
    }
    assert found["user"]["directory"] == clients.home(host, ALICE)
    assert found["user"]["used_messages"] == 1
    assert found["mail_to_it"] == [f"it is delivered to the mailbox {ALICE}"]
    said = call(host, "show", ALICE).check().stdout
    assert said.startswith(f"{ALICE}\n  user ") and "phone (all, never used)" in said
    assert clients.home(host, ALICE) in said and "{ARGON2ID}" not in said and "5" * 64 not in said


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (ALICE, 250),
        ("team@example.org", 250),
        ("away@example.org", 250),
        ("postmaster@example.org", 250),
        (DAVE, 550),
        (ERIN, 550),
        ("old@example.org", 550),
    ],
)
def test_what_happens_to_mail_is_what_postfix_says(host: Target, address: str, code: int) -> None:
    fate = shown(host, address)["mail_to_it"]
    assert clients.replies(host, address) == code
    assert all("refused" in sentence for sentence in fate) == (code != 250)


def test_targets(host: Target) -> None:
    assert shown(host, "team+x@example.org")["targets"] == [ALICE, BOB, CAROL]
    assert shown(host, "away@example.org")["mail_to_it"] == [f"it is sent on to away@{REMOTE}"]


def test_an_unknown_address(host: Target) -> None:
    run = call(host, "show", "alcie@example.org")
    assert run.returncode != 0 and run.stdout == ""
    said = " ".join(run.stderr.split())
    assert "there is no address alcie@example.org: it is refused with 550 5.1.1: " in said
    assert "; did you mean 'alice@example.org'?" in said
    assert "Traceback" not in run.stderr
    assert "did you mean" in call(host, "show", "alice@example.rog").stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["list", "usres"], "kind = 'usres': allowed: users, aliases, domains; did you mean 'users'?"),
        (["list", "format=xml"], "format = 'xml': allowed: table, json"),
        (["list", "over=much"], "over = 'much': must be a whole number"),
        (["show", "alice"], "address = 'alice': not an address: the @ is missing"),
    ],
)
def test_wrong_arguments(host: Target, args: list[str], said: str) -> None:
    run = call(host, *args)
    assert run.returncode != 0 and run.stdout == ""
    assert said in " ".join(run.stderr.split())
