"""Messages of the commands on wrong arguments and missing rows. No host is asked."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

import mailstack
from mailstack import Settings, accounts
from mailstack.accounts import aliases, domains, users
from mailstack.accounts import sql as account_sql
from mailstack.accounts.rows import Current
from mailstack.accounts.step import Plan, Step, Wish

ANNA = "anna@example.org"
THERE: Current = account_sql.parse(
    {
        "mail_domain": [{"domain_name": "example.org"}],
        "mail_users": [{"email": ANNA, "password": "x"}],
        "mail_app_password": [{"email": ANNA, "name": "phone", "digest": "x", "service": "all"}],
    }
)


def call(name: str, *args: object, **kwargs: object) -> None:
    """Call a command as pyinfra does, after it has removed its own arguments."""
    getattr(accounts, name)._inner(*args, **kwargs)


def refusal(name: str, *args: object, **kwargs: object) -> str:
    with pytest.raises(OperationValueError) as caught:
        call(name, *args, **kwargs)
    return str(caught.value)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """Return a function that plans a command on a database with one user."""
    wishes: list[Callable[[Current], Wish]] = []

    def fulfil(wish: Callable[[Current], Wish], _: str) -> None:
        wishes.append(wish)

    for module in (aliases, domains, users):
        monkeypatch.setattr(module, "fulfil", fulfil)

    def plan(name: str, *args: object, **kwargs: object) -> Plan:
        call(name, *args, **kwargs)
        return Step(Settings(mail_hostname="mail.example.org"), wishes.pop()).plan(THERE)

    return plan


@pytest.mark.parametrize("name", [name for name in accounts.__all__ if name != "declared"])
def test_options_have_names(name: str) -> None:
    """Further words are not options: `alias SOURCE TARGET TARGET` is an error."""
    parameters = inspect.signature(getattr(accounts, name)).parameters.values()
    words = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert len(words) <= 2
    said = refusal(name, *(f"secret{number}@example.org" for number in range(3)))
    first = "[kind=…]" if name == "list" else words[0].upper()
    assert f"mailstack.accounts.{name} {first}" in said
    assert "too many arguments without a name" in said
    if name in ("alias", "relay_domain"):
        assert '["secret1@example.org", "secret2@example.org"]' in said
    else:  # one of them may be a password
        assert "secret" not in said


@pytest.mark.parametrize(
    ("name", "argument", "right"),
    [
        ("user", "quota", "quota_mb"),
        ("user", "sender", "senders"),
        ("domain", "quota_md", "quota_mb"),
        ("alias", "destination", "destinations"),
        ("app_password", "password_too", "password_to"),
        ("rename", "new_mail", "new_email"),
    ],
)
def test_a_misspelt_argument_is_answered_with_the_nearest_right_one(
    name: str, argument: str, right: str
) -> None:
    said = refusal(name, "x@example.org", **{argument: "hunter2"})
    assert f"there is no argument {argument}; did you mean {right!r}?" in said
    assert said.startswith(f"mailstack.accounts.{name} ")
    assert "hunter2" not in said


@pytest.mark.parametrize("kind", ["aliases", "domains"])
@pytest.mark.parametrize(("name", "value"), [("never", True), ("over", 80), ("over", 0), ("used", True)])
def test_a_filter_without_effect_is_refused(kind: str, name: str, value: object) -> None:
    said = refusal("list", kind, **{name: value})
    assert said.endswith(f"{name} is about users, and kind = {kind!r}; allowed: kind = 'users'")


@pytest.mark.parametrize("over", [-5, 101, True, "80", 80.0])
def test_a_percentage_of_a_quota(over: object) -> None:
    assert "must be a whole number from 0 to 100" in refusal("list", over=over)


def test_an_address_with_a_sign_is_no_argument() -> None:
    """pyinfra's command line makes an argument of `SRS0=x=y@example.org`."""
    for name in ("SRS0", "bounce+a"):
        said = refusal("show", **{name: "x=y@example.org"})
        assert said.endswith(f"there is no argument {name}; for a value with = in it write address={name}=…")
    assert refusal("show", **{"adress": "x@example.org"}).endswith("did you mean 'address'?")
    assert refusal("show", "x@example.org", **{"since": "2h"}).endswith("there is no argument since")


@pytest.mark.parametrize("name", ["user", "app_password"])
def test_a_password_is_no_argument(name: str) -> None:
    said = refusal(name, "x@example.org", password="hunter2")
    assert "password: never as an argument" in said and "hunter2" not in said


@pytest.mark.parametrize(
    "path", ["mailstack.accounts", "mailstack.accounts.users", "mailstack.components.postfix"]
)
def test_a_module_is_no_command(path: str) -> None:
    """pyinfra's command line calls any object that it finds by this name."""
    module: Any = sys.modules[path]
    with pytest.raises(OperationValueError, match=f"there is no command {path}; .*alias, .*, user") as caught:
        module(ANNA)
    assert ("did you mean 'user'?" in str(caught.value)) == path.endswith("users")
    assert mailstack.postfix is sys.modules["mailstack.components.postfix"]


def test_the_inventorys_accounts_are_no_command() -> None:
    assert "declared SETTINGS: missing a required argument" in refusal("declared")
    assert "settings = 'x': must be Settings; mailstack.accounts.declared is for" in refusal("declared", "x")


def test_a_missing_user_gets_nothing(planned: Callable[..., Plan]) -> None:
    for args in (
        ("sender", "ana@example.org", "x@example.org"),
        ("app_password", "ana@example.org", "phone"),
    ):
        with pytest.raises(OperationValueError, match=r"^there is no user ana@example\.org$"):
            planned(*args)
    assert [str(change) for change in planned("sender", "Anna@example.org", "x@example.org").changes] == [
        f"+ sender {ANNA} -> x@example.org"
    ]


def test_a_new_app_password_needs_a_source(planned: Callable[..., Plan]) -> None:
    with pytest.raises(
        OperationValueError, match=r"tablet is new and has no password; allowed: option password_to "
    ):
        planned("app_password", ANNA, "tablet")
    assert planned("app_password", ANNA, "phone").changes == []
    (change,) = planned("app_password", ANNA, "phone", service="imap").changes
    assert str(change) == f"~ app password {ANNA} -> phone: service all -> imap"


def test_renaming_a_missing_user(planned: Callable[..., Plan]) -> None:
    plan = planned("rename", "ana@example.org", ANNA)
    assert plan.changes == []
    assert plan.warnings == (
        f"there is no user ana@example.org: nothing to rename, as there is a user {ANNA} already",
    )
    assert planned("rename", ANNA, "ana@example.org").warnings == ()


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("alias", ("info@example.org", f"{ANNA},bob@example.org")),
        ("alias", ("info@example.org", f"{ANNA} bob@example.org")),
        ("relay_domain", ("backup.example", f"{ANNA}; bob@example.org")),
        ("user", (f"{ANNA}, bob@example.org",)),
    ],
)
def test_several_addresses_are_a_list(name: str, args: tuple[str, ...]) -> None:
    assert f'they are a list: ["{ANNA}", "bob@example.org"]' in refusal(name, *args)


def test_no_pattern_is_shown() -> None:
    for address in ("a b@example.org", ".a@example.org", "a,b@example.org", "x" * 65 + "@example.org"):
        for args in (("user", address), ("alias", "info@example.org", address)):
            said = refusal(*args)
            assert "what stands before the @ must be letters, digits, dots and " in said
            assert "(?" not in said and "[A-Z" not in said and "[a-z" not in said


@pytest.mark.parametrize(
    ("users", "more", "said"),
    [
        ("a@example.org", {"mail_driver": "mdbox"}, "mail_driver = 'mdbox': allowed: sdbox, maildir; did"),
        ("everyone", {}, "users = 'everyone': "),
        ("a@b@example.org", {}, "; allowed: an address, a domain, or all"),
        ("example.org", {"delete_old": "yes"}, "delete_old = 'yes': must be true or false"),
    ],
)
def test_what_can_not_be_carried_over(users: str, more: dict[str, Any], said: str) -> None:
    assert said in refusal("convert", users, **more)
