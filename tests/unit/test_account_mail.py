"""Directories of mail, notes on them, and users that get another address."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from mailstack.accounts import sql as account_sql
from mailstack.accounts.mail import former_key, home_of, with_mail_named
from mailstack.accounts.plan import PlanError, plan
from mailstack.accounts.rights import BECOME, former_addresses, mail_places, revoke
from mailstack.accounts.rows import Change, Rows
from mailstack.accounts.wanted import Accounts
from mailstack.engines import Dialect, mariadb, postgresql

A, B = "a@example.org", "b@example.org"


def current() -> dict[str, Rows]:
    """Return two users, one that has been removed, and an alias."""
    return account_sql.parse(
        {
            "mail_domain": [{"domain_name": "example.org"}],
            "mail_users": [
                {"email": A, "mail_directory": "example.org/a.1"},
                {"email": B, "mail_directory": "example.org/b.1", "home_directory": "/srv/b/"},
            ],
            "mail_alias": [
                {"source_email": "info@example.org", "destination_email": A},
                {"source_email": "both@example.org", "destination_email": A},
                {"source_email": "both@example.org", "destination_email": "c@example.org"},
            ],
            "mail_former_users": [
                {"email": "c@example.org", "directory": "example.org/c.1"},
                {"email": "c@example.org", "directory": "/srv/c"},
            ],
        }
    )


@pytest.mark.parametrize(
    ("row", "home"),
    [
        ({"email": "A@example.org"}, "/m/example.org/a"),
        ({"email": A, "mail_directory": "example.org/x.1"}, "/m/example.org/x.1"),
        ({"email": A, "mail_directory": "example.org/x.1", "home_directory": "/srv/x/"}, "/srv/x"),
    ],
    ids=["before a first run", "below the root", "elsewhere"],
)
def test_home(row: Mapping[str, str], home: str) -> None:
    assert home_of(row, "/m") == home


def test_mail_that_stays_is_named() -> None:
    changes = [
        Change("-", "mail_users", (A,), {}),
        Change("-", "mail_users", (B,), {}),
        Change("+", "mail_users", ("c@example.org",), {}, "disabled"),
        Change("+", "mail_users", ("d@example.org",), {}),
        Change("+", "mail_users", ("e@example.org",), {"home_directory": "/srv/c/"}),
        Change("+", "mail_users", ("c@example.org",), {"home_directory": "/srv/c/"}),
    ]
    said = [str(change) for change in with_mail_named(changes, current(), "/m", delete_mail=False)]
    assert said == [
        f"- user {A}: the mail stays in /m/example.org/a.1",
        f"- user {B}: the mail stays in /srv/b",
        "+ user c@example.org: disabled, gets nothing of the former user's mail in /m/example.org/c.1, "
        "/srv/c",
        "+ user d@example.org",
        "+ user e@example.org: takes over what c@example.org left in /srv/c",
        "+ user c@example.org: takes over what c@example.org left in /srv/c, "
        "gets nothing of the former user's mail in /m/example.org/c.1",
    ]
    assert with_mail_named(changes[:2], current(), "/m", delete_mail=True) == changes[:2]


@pytest.mark.parametrize("dialect", [postgresql.dialect, mariadb.dialect], ids=["postgresql", "mariadb"])
def test_mail_that_is_deleted_is_not_remembered(dialect: Dialect) -> None:
    key = former_key(current()["mail_users"][(B,)])
    assert key == (B, "/srv/b/")
    script = account_sql.script(
        dialect, [Change("-", "mail_users", (B,), {})], "mailadmin", str, deleted=[key]
    )
    users, former = (script.index(f"DELETE FROM {table}") for table in ("mail_users", "mail_former_users"))
    assert users < former and f"('{B}', '/srv/b/')" in script


def renamed(old: str, new: str, there: Mapping[str, Rows] | None = None) -> list[str]:
    """Return the changes for a user that gets another address, as they are shown."""
    return [str(change) for change in plan(there or current(), Accounts(), renamed=(old, new))]


def test_a_renamed_user_is_followed_by_aliases() -> None:
    assert renamed(A, "c@example.org") == [
        f"~ user {A}: is now c@example.org, with all its mail",
        f"- alias both@example.org -> {A}",
        f"~ alias info@example.org -> {A}: now to c@example.org",
    ]
    assert renamed("gone@example.org", A) == [], "once more"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (A, B, f"there is a user {B} already"),
        ("c@example.org", "d@example.org", "there is no user c@example.org"),
        (A, "a@example.net", "there is no domain example.net"),
    ],
)
def test_a_user_can_not_be_renamed_so(old: str, new: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        renamed(old, new)


def test_a_renamed_user_keeps_the_rules_of_aliases() -> None:
    there = current()
    there["mail_alias"] = {("c@example.org", "info@example.org"): {}, **there["mail_alias"]}
    with pytest.raises(PlanError, match=r"the aliases would go in a circle: .*c@example\.org"):
        renamed(A, "c@example.org", there)
    assert renamed(B, "c@example.org", there)


def test_a_renamed_user_keeps_the_quotas_of_its_domain() -> None:
    there = current()
    there["mail_domain"] = {("example.org",): {}, ("tight.example",): {"quota_mb": 3}}
    with pytest.raises(
        PlanError, match=r"tight\.example has a quota of 3 MiB, so every user in it needs one"
    ):
        renamed(A, "a@tight.example", there)
    there["mail_users"][A,]["quota_mb"] = 5
    with pytest.raises(PlanError, match=r"the users in tight\.example add up to 5 MiB, more than the 3 of"):
        renamed(A, "a@tight.example", there)
    there["mail_users"][A,]["quota_mb"] = 3
    assert renamed(A, "a@tight.example", there)


def test_rights_of_former_addresses_are_revoked() -> None:
    there: dict[str, Rows] = {**current(), "mail_former_addresses": {("gone@example.org",): {}}}
    changes = [
        Change("-", "mail_users", (A,), {}),
        Change("~", "mail_users", (B,), {"email": "c@example.org"}),
        Change("~", "mail_users", ("D@example.org",), {"email": "d@example.org"}, "in lower case"),
        Change("~", "mail_users", ("e@example.org",), {"active": False}),
    ]
    assert former_addresses(there, changes) == [A, B, "gone@example.org"]
    assert mail_places(there["mail_users"], "/m/") == ["/m", "/srv/b"]


@pytest.mark.parametrize("address", ["a.b@example.org", "o'brien@example.org", "a*$^`|{}~x@example.org"])
def test_only_rights_of_that_address_are_revoked(tmp_path: Path, address: str) -> None:
    kept = [f"user=x{address} lr", f"user={address}x lr", "user=aXb@example.org lr", "owner lrwstipekxa"]
    (tmp_path / "dovecot-acl").write_text("\n".join([f"user={address} lrs", f"-user={address} w", *kept, ""]))
    script = revoke([address], [str(tmp_path), str(tmp_path / "nowhere")])
    # as the system user of the tests
    subprocess.run(["sh", "-c", script.replace(BECOME, "")], check=True)
    assert (tmp_path / "dovecot-acl").read_text().splitlines() == kept
