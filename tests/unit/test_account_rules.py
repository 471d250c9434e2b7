"""Rules between accounts and settings, for declared accounts and commands."""

from __future__ import annotations

from typing import Any

import pytest

from mailstack.accounts import sql as account_sql
from mailstack.accounts.inventory import declared_step
from mailstack.accounts.plan import Absent, PlanError, plan
from mailstack.accounts.quotas import too_much
from mailstack.accounts.rows import DOMAINS, READ, Change, Current, applied
from mailstack.accounts.rules import Given, dead_ends, dead_settings, shadowed
from mailstack.accounts.step import Step, Wish
from mailstack.accounts.wanted import Accounts
from mailstack.settings import Alias, AliasDomain, Domain, RelayDomain, Settings, User


def settings(**values: Any) -> Settings:
    return Settings(**({"mail_hostname": "mail.example.org"} | values))


def stored(**tables: list[dict[str, Any]]) -> Current:
    """Return rows as the query returns them."""
    rows = {"mail_domain": [{"domain_name": "example.org"}]} | tables
    return account_sql.parse({table: [{"active": True, **row} for row in rows[table]] for table in rows})


OURS = Accounts(domains=(Domain(domain_name="x.example.org"),))
ALIAS_DOMAIN = Accounts(alias_domains=(AliasDomain(alias_domain="x.example.org", domain_name="example.org"),))
RELAYED = Accounts(relay_domains=(RelayDomain(domain_name="x.example.org"),))
KINDS = {"a domain of ours": OURS, "an alias domain": ALIAS_DOMAIN, "a relay domain": RELAYED}
ROWS = {
    "a domain of ours": {"mail_domain": [{"domain_name": name} for name in ("example.org", "x.example.org")]},
    "an alias domain": {
        "mail_alias_domain": [{"alias_domain": "x.example.org", "domain_name": "example.org"}]
    },
    "a relay domain": {"mail_relay_domain": [{"domain_name": "X.example.org"}]},
}
DECLARED: dict[str, dict[str, Any]] = {
    "a domain of ours": {"mail_domains": ["x.example.org"]},
    "an alias domain": {"mail_alias_domains": {"x.example.org": "example.org"}},
    "a relay domain": {"mail_relay_domains": ["x.example.org"]},
}
PAIRS = [(new, old) for new in KINDS for old in KINDS if new != old]


@pytest.mark.parametrize(("new", "old"), PAIRS)
def test_a_domain_has_one_class(new: str, old: str) -> None:
    """The other domain may be a row, or declared and not yet a row."""
    for there, given in (
        (stored(**ROWS[old]), Given()),
        (stored(), Given.of(settings(**DECLARED[old]))),
    ):
        with pytest.raises(PlanError, match=r"x\.example\.org can't be") as caught:
            plan(there, KINDS[new], given=given)
        assert old in str(caught.value) and new in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "local",
    [
        {"mail_hostname": "x.example.org"},
        {"mail_mydestination": ["localhost", "X.example.org"]},
        {"mail_mydestination": ["${mydomain}"], "mail_domain": "x.example.org"},
    ],
)
def test_no_command_takes_a_domain_of_the_host_itself(kind: str, local: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="and one of mail_mydestination") as caught:
        plan(stored(), KINDS[kind], given=Given.of(settings(**local)))
    assert f"x.example.org can't be {kind}" in str(caught.value)


def test_a_row_written_by_sql_stops_a_deploy_and_no_command() -> None:
    there = stored(mail_domain=[{"domain_name": "example.org"}, {"domain_name": "mail.example.org"}])
    other = Accounts(domains=(Domain(domain_name="example.com"),))
    assert len(plan(there, other, given=Given.of(settings()))) == 1
    with pytest.raises(PlanError, match=r"mail\.example\.org can't be a domain of ours and one of"):
        plan(there, Accounts(), given=Given.of(settings(), all_rows=True))
    absent = Absent({"mail_domain": frozenset({("mail.example.org",)})})
    assert plan(there, Accounts(), absent, Given.of(settings(), all_rows=True))


def test_a_domain_may_change_its_class() -> None:
    there = stored(**ROWS["a domain of ours"])
    absent = Absent({"mail_domain": frozenset({("x.example.org",)})})
    assert [str(change) for change in plan(there, RELAYED, absent)] == [
        "- domain x.example.org",
        "+ relay domain x.example.org",
    ]


def test_detail_folders_need_sieve() -> None:
    there = stored(mail_users=[{"email": "a@example.org", "password": "x"}])
    wanted = Accounts(users=(User(email="a@example.org", detail_folders=True),))
    assert plan(there, wanted, given=Given.of(settings()))
    with pytest.raises(PlanError, match=r"user a@example\.org: detail_folders needs mail_sieve"):
        plan(there, wanted, given=Given.of(settings(mail_sieve=False)))


THERE = stored(
    mail_users=[{"email": "Alice@example.org", "password": "x"}],
    mail_alias=[{"source_email": "info@example.org", "destination_email": "alice@example.org"}],
    mail_alias_domain=[{"alias_domain": "other.example", "domain_name": "example.org"}],
    mail_wildcard=[{"local_part": "abuse", "destination_email": "alice@example.org"}],
)


@pytest.mark.parametrize(
    ("target", "warned"),
    [
        ("alice@example.org", False),
        ("ALICE+tag@example.org", False),
        ("info@example.org", False),
        ("alice@other.example", False),
        ("abuse@example.org", False),
        ("postmaster@example.org", False),
        ("anybody@remote.example", False),
        ("alcie@example.org", True),
        ("alcie@other.example", True),
        ("alcie+tag@example.org", True),
    ],
)
def test_an_alias_to_a_missing_address(target: str, warned: bool) -> None:
    destinations: Any = [target]
    wanted = Accounts(aliases=(Alias(source_email="new@example.org", destinations=destinations),))
    changes = plan(THERE, wanted)
    asked = [row.key for row in wanted.rows()["mail_alias"]]
    said = [f"alias new@example.org -> {target}: there is no such address"] if warned else []
    assert list(dead_ends(asked, changes, THERE)) == said
    assert list(dead_ends(asked, [], applied(THERE, changes))) == said, "the next run says it, too"
    assert list(dead_ends((), [], applied(THERE, changes))) == [], "and none that is about other aliases"


@pytest.mark.parametrize(
    ("targets", "warned"), [(("x@a.example",), True), (("x@a.example", "alice@example.org"), False)]
)
def test_an_alias_that_takes_the_mail_of_a_user(targets: tuple[str, ...], warned: bool) -> None:
    alias = Accounts(aliases=(Alias(source_email="alice@example.org", destinations=targets),))
    changes = plan(THERE, alias)
    said = ["user alice@example.org: gets no mail, which the alias alice@example.org -> x@a.example takes"]
    assert list(shadowed(changes, THERE)) == (said if warned else [])
    assert list(shadowed([], applied(THERE, changes))) == [], "it was said when it was made"


def test_a_user_who_is_renamed_to_an_alias() -> None:
    there = stored(
        mail_users=[{"email": "bob@example.org"}],
        mail_alias=[{"source_email": "info@example.org", "destination_email": "x@a.example"}],
    )
    changes = plan(there, Accounts(), renamed=("bob@example.org", "info@example.org"))
    assert list(shadowed(changes, there)) == [
        "user info@example.org: gets no mail, which the alias info@example.org -> x@a.example takes"
    ]


def test_a_setting_that_sends_mail_to_a_missing_address() -> None:
    data = {
        "mail_hostname": "mail.example.org",
        "mail_postmaster": "Nix@example.org",
        "mail_local_aliases": {
            "cron": ["alice@example.org", "nobody@example.org", "x@remote.example"],
            "ops": ["root", "|/bin/x a@example.org"],
            "news": ["new@example.org", "any@other.example"],
        },
        "mail_virtual": {
            "New@example.org": ["x@remote.example", "no@example.org"],
            "@other.example": "root",
        },
    }
    given = Given.of(Settings.from_data(data))
    assert list(dead_settings(given.targets, THERE)) == [
        "mail_postmaster -> Nix@example.org: there is no such address",
        "mail_local_aliases: cron -> nobody@example.org: there is no such address",
        "mail_virtual: new@example.org -> no@example.org: there is no such address",
    ]


@pytest.mark.parametrize(
    "given", [{"mail_postmaster": "a@example.org"}, {"mail_virtual": {"a@b.example": "c@d.example"}}]
)
def test_where_a_setting_leads_to_an_address_all_accounts_are_read(given: dict[str, Any]) -> None:
    assert tuple(declared_step(settings(**given)).tables) == tuple(READ)
    assert tuple(declared_step(settings()).tables) == DOMAINS


def test_a_command_that_removes_the_target_of_a_setting() -> None:
    found = settings(mail_postmaster="alice@example.org", mail_local_aliases={"cron": ["no@example.org"]})
    gone = Wish(absent=Absent({"mail_users": frozenset({("Alice@example.org",)})}))
    said = Step(found, lambda _: gone).plan(THERE).warnings
    assert "mail_postmaster -> alice@example.org: there is no such address" in said
    assert not any("no@example.org" in text for text in said)
    assert Step(found, lambda _: Wish()).plan(THERE).warnings == ()


def test_a_catch_all_has_every_address() -> None:
    there = stored(mail_alias=[{"source_email": "@example.org", "destination_email": "x@remote.example"}])
    key = ("new@example.org", "anybody@example.org")
    assert list(dead_ends([key], plan(there, Accounts()), there)) == []


def test_changes_that_remove_the_target_of_an_alias() -> None:
    absent = Absent({"mail_users": frozenset({("Alice@example.org",)})})
    gone = plan(THERE, Accounts(), absent)
    assert list(dead_ends((), gone, THERE)) == [
        "alias info@example.org -> alice@example.org: there is no such address",
        "alias in all domains abuse -> alice@example.org: there is no such address",
    ]
    there = stored(mail_alias=[{"source_email": "a@example.org", "destination_email": "b@remote.example"}])
    ours = plan(there, Accounts(domains=(Domain(domain_name="remote.example"),)))
    assert list(dead_ends((), ours, there)) == [
        "alias a@example.org -> b@remote.example: there is no such address"
    ]


@pytest.mark.parametrize(
    ("source", "target", "closes"),
    [
        ("alice2@example.org", "INFO@example.org", True),
        ("alice2@example.org", "info+x@other.example", True),
        ("alice2@example.org", "alice2@example.org", False),
        ("alice2@example.org", "alice3@example.org", False),
    ],
)
def test_no_alias_closes_a_circle(source: str, target: str, closes: bool) -> None:
    there = stored(
        mail_alias=[{"source_email": "info@example.org", "destination_email": "Alice2@example.org"}],
        mail_alias_domain=[{"alias_domain": "other.example", "domain_name": "example.org"}],
    )
    destinations: Any = [target]
    wanted = Accounts(aliases=(Alias(source_email=source, destinations=destinations),))
    if closes:
        with pytest.raises(PlanError, match="the aliases would go in a circle"):
            plan(there, wanted)
    else:
        plan(there, wanted)


def test_a_disabled_alias_closes_no_circle() -> None:
    old = {"source_email": "a@example.org", "destination_email": "b@example.org", "active": False}
    destinations: Any = ["a@example.org"]
    wanted = Accounts(aliases=(Alias(source_email="b@example.org", destinations=destinations),))
    assert len(plan(stored(mail_alias=[old]), wanted)) == 1


def test_a_removed_user_does_not_count_in_the_quota_of_the_domain() -> None:
    there = stored(
        mail_domain=[{"domain_name": "example.org", "quota_mb": 10}],
        mail_users=[{"email": "a@example.org", "quota_mb": 6}],
    )
    new = Change("+", "mail_users", ("b@example.org",), {"quota_mb": 6})
    assert len(list(too_much([new], there))) == 1
    assert list(too_much([Change("-", "mail_users", ("a@example.org",), {}), new], there)) == []


def test_an_existing_circle_is_ignored() -> None:
    pairs = [("a@example.org", "b@example.org"), ("b@example.org", "a@example.org")]
    there = stored(mail_alias=[{"source_email": a, "destination_email": b} for a, b in pairs])
    destinations: Any = ["x@example.net"]
    assert plan(there, Accounts(aliases=(Alias(source_email="c@example.org", destinations=destinations),)))


def test_rows_of_a_user_are_removed_with_it_and_follow_its_name() -> None:
    there = stored(
        mail_users=[{"email": "a@example.org"}],
        mail_sender=[{"email": "a@example.org", "sender_email": "x@example.org"}],
        mail_app_password=[{"email": "a@example.org", "name": "phone"}],
    )
    renamed = applied(there, [Change("~", "mail_users", ("a@example.org",), {"email": "b@example.org"})])
    assert list(renamed["mail_users"]) == [("b@example.org",)]
    assert list(renamed["mail_sender"]) == [("b@example.org", "x@example.org")]
    assert list(renamed["mail_app_password"]) == [("b@example.org", "phone")]
    gone = applied(there, [Change("-", "mail_users", ("a@example.org",), {})])
    assert not gone["mail_users"] and not gone["mail_sender"] and not gone["mail_app_password"]
    assert list(there["mail_users"]) == [("a@example.org",)], "what was read stays as it is"
