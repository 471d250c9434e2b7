"""The changes from existing to wanted accounts."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mailstack.accounts import sql as account_sql
from mailstack.accounts.mail import deletable_homes
from mailstack.accounts.plan import Absent, PlanError, plan, undeclared
from mailstack.accounts.rows import Rows, applied
from mailstack.accounts.wanted import Accounts
from mailstack.engines.postgresql import dialect
from mailstack.passwords import app_digest, origin
from mailstack.settings import Alias, Domain, RelayDomain, User

HASH = "{SHA512-CRYPT}$6$salt$" + "x" * 86


def user(**data: Any) -> User:
    """Return a user from data as in an inventory: plain text where the model has a secret."""
    return User(**data)


def alias(**data: Any) -> Alias:
    """Return an alias from data with lists, where the model has tuples."""
    return Alias(**data)


def current(*domains: str, users: Any = (), aliases: Any = ()) -> dict[str, Rows]:
    """Return rows as the query returns them: NULLs are left out."""
    return account_sql.parse(
        {
            "mail_domain": [{"domain_name": name, "active": True} for name in domains],
            "mail_users": [{"active": True, "password": HASH, **user} for user in users],
            "mail_alias": [
                {"source_email": source, "destination_email": target, "active": True}
                for source, target in aliases
            ],
        }
    )


def rows(there: dict[str, Rows], absent: Absent | None = None, **accounts: Any) -> list[str]:
    return [str(change) for change in plan(there, Accounts(**accounts), absent)]


def test_a_domain_s_quotas_are_updated() -> None:
    there = current("example.org")
    wanted = Domain(domain_name="example.org", quota_mb=100, user_quota_mb=10)
    assert rows(there, domains=(wanted,)) == [
        "~ domain example.org: quota_mb none -> 100, user_quota_mb none -> 10"
    ]
    assert rows(there, domains=(Domain(domain_name="example.org"),)) == []


def test_an_alias_everywhere_needs_no_domain_of_its_own() -> None:
    """`info@*` is in each domain, and in none if there is no domain yet."""
    everywhere = alias(source_email="info@*", destinations=["alice@example.org"])
    for there in (current("example.org", users=[{"email": "alice@example.org"}]), current()):
        assert rows(there, aliases=(everywhere,)) == ["+ alias in all domains info -> alice@example.org"]


def test_everything_is_new() -> None:
    alice = user(email="alice@example.org", initial_password="geheim")
    dave = user(email="dave@example.org", initial_password="geheim", active=False)
    info = alias(source_email="info@example.org", destinations=["alice@example.org", "x@example.net"])
    accounts = Accounts((Domain(domain_name="example.org"),), (alice, dave), (info,))
    changes = plan(account_sql.parse(None), accounts)
    assert [str(change) for change in changes] == [
        "+ domain example.org",
        "+ user alice@example.org",
        "+ user dave@example.org: disabled",
        "+ alias info@example.org -> alice@example.org",
        "+ alias info@example.org -> x@example.net",
    ]
    sql = account_sql.script(dialect, changes, "mailadmin", lambda password: f"hash of {len(password)}")
    assert sql.count("INSERT") == 3
    assert sql.count("'hash of 6'") == 2
    assert "geheim" not in sql
    assert sql.index("INTO mail_domain") < sql.index("INTO mail_users") < sql.index("INTO mail_alias")


def test_nothing_to_do() -> None:
    there = current("example.org", users=[{"email": "alice@example.org", "quota_mb": 5}])
    alice = user(email="alice@example.org", initial_password="other", quota_mb=5, password_hash=None)
    assert rows(there, domains=(Domain(domain_name="example.org"),), users=(alice,)) == []


def test_declared_values_are_enforced() -> None:
    there = current("example.org", users=[{"email": "alice@example.org", "quota_mb": 5}])
    alice = user(
        email="alice@example.org",
        quota_mb=None,
        active=False,
        home_directory="/var/vmail/a",
        password_hash="{BLF-CRYPT}$2b$12$" + "x" * 53,
    )
    (row,) = rows(there, users=(alice,))
    assert row == (
        "~ user alice@example.org: home_directory none -> /var/vmail/a, quota_mb 5 -> none, "
        "active true -> false, password"
    )


def test_values_that_are_not_declared_stay() -> None:
    there = current("example.org", users=[{"email": "alice@example.org", "quota_mb": 5, "active": False}])
    assert rows(there, users=(user(email="alice@example.org"),)) == []


def test_the_driver_is_only_for_new_users() -> None:
    """Changed like other values, it would make all mail invisible."""
    there = current("example.org", users=[{"email": "a@example.org", "mail_driver": "maildir"}])
    assert rows(there, users=(user(email="a@example.org", mail_driver="maildir"),)) == []
    with pytest.raises(PlanError, match=r"a@example\.org: mail_driver is only for new users"):
        rows(there, users=(user(email="a@example.org", mail_driver="sdbox"),))


def test_new_users_with_and_without_a_driver() -> None:
    new = [user(email=f"{name}@example.org", password_hash=HASH) for name in "ac"]
    new.insert(1, user(email="b@example.org", password_hash=HASH, mail_driver="maildir"))
    changes = plan(current("example.org"), Accounts(users=tuple(new)))
    sql = account_sql.script(dialect, changes, "mailadmin", str)
    inserts = sql.split("INSERT INTO mail_users ")[1:]
    assert len(inserts) == 2
    assert "mail_driver" not in inserts[0] and "a@example.org" in inserts[0] and "c@example.org" in inserts[0]
    assert "mail_driver" in inserts[1] and "'maildir'" in inserts[1] and "b@example.org" in inserts[1]


def test_the_same_hash_in_another_spelling_is_no_change() -> None:
    bare = HASH.removeprefix("{SHA512-CRYPT}")
    there = current("example.org", users=[{"email": "alice@example.org", "password": bare}])
    assert rows(there, users=(user(email="alice@example.org", password_hash=HASH),)) == []


def test_authoritative() -> None:
    there = current(
        "example.org",
        "old.example",
        users=[{"email": "alice@example.org"}, {"email": "bob@old.example"}],
        aliases=[("info@old.example", "bob@old.example"), ("info@example.org", "alice@example.org")],
    )
    accounts = Accounts((Domain(domain_name="example.org"),), (user(email="alice@example.org"),))
    assert [str(change) for change in plan(there, accounts, undeclared(there, accounts))] == [
        "- alias info@example.org -> alice@example.org",
        "- alias info@old.example -> bob@old.example",
        "- user bob@old.example",
        "- domain old.example",
    ]


def test_rows_in_upper_case_are_adopted() -> None:
    """A database made by hand may have them; Postfix looks up lower case."""
    there = current("Example.org", users=[{"email": "Alice@Example.org"}])
    accounts = Accounts(users=(user(email="alice@example.org"),))
    changes = plan(there, accounts)
    assert [str(change) for change in changes] == [
        "~ domain Example.org: in lower case",
        "~ user Alice@Example.org: in lower case",
    ]
    sql = account_sql.script(dialect, changes, "mailadmin", str)
    assert "SET email = 'alice@example.org' WHERE email = 'Alice@Example.org'" in sql
    declared = Accounts((Domain(domain_name="example.org"),), accounts.users)
    assert undeclared(there, declared).rows["mail_users"] == frozenset()
    assert undeclared(there, declared).rows["mail_domain"] == frozenset()


@pytest.mark.parametrize(
    ("accounts", "absent", "said"),
    [
        ({"users": [user(email="a@example.org")]}, {}, "user a@example.org is new and has no password"),
        (
            {"users": [user(email="a@other.example", initial_password="x")]},
            {},
            "user a@other.example: there is no domain other.example",
        ),
        (
            {"aliases": [alias(source_email="@other.example", destinations=["a@b.example"])]},
            {},
            "alias @other.example: there is no domain other.example",
        ),
        (
            {},
            {"mail_domain": frozenset({("example.org",)})},
            "domain example.org can't be removed while these exist: alias i@example.org, user b@example.org",
        ),
    ],
)
def test_impossible(accounts: dict[str, Any], absent: Any, said: str) -> None:
    there = current(
        "example.org", users=[{"email": "b@example.org"}], aliases=[("i@example.org", "b@example.org")]
    )
    with pytest.raises(PlanError, match=said):
        plan(there, Accounts(**accounts), Absent(absent))


def test_a_domain_is_removed_with_its_accounts() -> None:
    there = current("example.org", users=[{"email": "b@example.org"}])
    absent = Absent(
        {"mail_domain": frozenset({("example.org",)}), "mail_users": frozenset({("b@example.org",)})}
    )
    assert rows(there, absent) == ["- user b@example.org", "- domain example.org"]


REMOTE = "Board+AbCd@remote.example"


def test_a_remote_address_keeps_its_case_and_a_local_one_does_not() -> None:
    wanted = [
        alias(source_email="info@example.org", destinations=[REMOTE, "Alice@Example.org"]),
        alias(source_email="abuse@*", destinations=["Bob@example.org", REMOTE]),
    ]
    there = current("example.org", users=[{"email": f"{name}@example.org"} for name in ("alice", "bob")])
    changes = plan(there, Accounts(aliases=tuple(wanted)))
    assert [str(change) for change in changes] == [
        f"+ alias info@example.org -> {REMOTE}",
        "+ alias info@example.org -> alice@example.org",
        "+ alias in all domains abuse -> bob@example.org",
        f"+ alias in all domains abuse -> {REMOTE}",
    ]
    after = applied(there, changes)
    assert plan(after, Accounts(aliases=tuple(wanted))) == []
    declared = Accounts((Domain(domain_name="example.org"),), aliases=tuple(wanted))
    assert undeclared(after, declared).of("mail_alias") == frozenset()


def test_the_lost_case_is_restored_and_no_copy_stays() -> None:
    """A row of an earlier version has the remote address in lower case."""
    there = current("example.org", aliases=[("info@example.org", REMOTE.lower())])
    wanted = Accounts(aliases=(alias(source_email="info@example.org", destinations=[REMOTE]),))
    changes = plan(there, wanted)
    assert [str(change) for change in changes] == [
        f"~ alias info@example.org -> {REMOTE.lower()}: written {REMOTE}"
    ]
    after = applied(there, changes)
    assert list(after["mail_alias"]) == [("info@example.org", REMOTE)]
    assert plan(after, wanted) == []


def test_an_alias_whose_target_becomes_local_is_folded() -> None:
    there = current("example.org", aliases=[("info@example.org", REMOTE)])
    wanted = Accounts(
        (Domain(domain_name="remote.example"),),
        aliases=(alias(source_email="info@example.org", destinations=[REMOTE]),),
    )
    changes = plan(there, wanted)
    assert [str(change) for change in changes] == [
        "+ domain remote.example",
        f"~ alias info@example.org -> {REMOTE}: in lower case",
    ]
    assert plan(applied(there, changes), wanted) == []


def test_thousands_are_quick() -> None:
    users = tuple(user(email=f"user{n}@example.org", initial_password="x") for n in range(5000))
    start = time.process_time()
    changes = plan(current("example.org"), Accounts(users=users))
    sql = account_sql.script(dialect, changes, "mailadmin", lambda _: "hash")
    assert time.process_time() - start < 2
    assert sql.count("INSERT") == 1


def relay_domain(**data: Any) -> RelayDomain:
    """Return a relay domain from data with lists, where the model has tuples."""
    return RelayDomain(**data)


def test_relay_domains_and_their_recipients() -> None:
    there = current("example.org")
    backup = relay_domain(domain_name="backup.example", recipients=["a@backup.example"], active=False)
    changes = plan(there, Accounts(relay_domains=(backup,)))
    assert [str(change) for change in changes] == [
        "+ relay domain backup.example: disabled",
        "+ relay recipient a@backup.example",
    ]
    stored = account_sql.parse(
        {
            "mail_relay_domain": [{"domain_name": "backup.example", "any_recipient": False, "active": True}],
            "mail_relay_recipient": [{"address": "b@backup.example", "domain_name": "backup.example"}],
        }
    )
    assert rows(stored, relay_domains=(backup,)) == [
        "~ relay domain backup.example: active true -> false",
        "+ relay recipient a@backup.example",
    ]
    assert [str(change) for change in plan(stored, Accounts(), undeclared(stored, Accounts()))] == [
        "- relay recipient b@backup.example",
        "- relay domain backup.example",
    ]


def test_homes_that_may_be_deleted() -> None:
    users = current(
        users=[
            {"email": "a@example.org"},
            {"email": "b@example.org", "home_directory": "/var/vmail/b/"},
            {"email": "c@example.org", "home_directory": "/home/c"},
            {"email": "d@example.org", "home_directory": "/var/vmail/x/../../../etc"},
            {"email": "e@example.org", "home_directory": "/var/vmail/example.org"},
            {"email": "f@example.org", "home_directory": "/var/vmail"},
            {"email": "g@example.org", "home_directory": "/var/vmail/b"},
        ]
    )["mail_users"]

    def homes(*emails: str) -> list[str]:
        return deletable_homes([(email,) for email in emails], users, "/var/vmail/")

    assert homes("a@example.org") == ["/var/vmail/example.org/a"]
    assert homes("b@example.org", "g@example.org") == ["/var/vmail/b"]
    for email in ("c", "d", "f"):
        with pytest.raises(PlanError, match="is not below /var/vmail"):
            homes(f"{email}@example.org")
    for email, other in (("e", "a"), ("b", "g")):
        with pytest.raises(PlanError, match=f"has the mail of {other}@example.org too"):
            homes(f"{email}@example.org")


OLD, NEW = HASH, "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$ZGlnZXN0"
DECLARED = user(email="alice@example.org", password_hash=OLD)


@pytest.mark.parametrize("before", [OLD, OLD.partition("}")[2]], ids=["with its scheme", "bare"])
def test_a_declared_hash_that_a_login_has_upgraded_is_as_declared(before: str) -> None:
    stored = {"email": "alice@example.org", "password": NEW, "password_origin": origin(before, NEW)}
    assert rows(current("example.org", users=[stored]), users=(DECLARED,)) == []


@pytest.mark.parametrize(
    "password_origin",
    [None, origin(OLD + "x", NEW), origin(OLD, NEW + "x")],
    ids=["set by somebody", "upgraded from another", "set after an upgrade"],
)
def test_any_other_hash_is_not(password_origin: str | None) -> None:
    stored = {"email": "alice@example.org", "password": NEW, "password_origin": password_origin}
    there = current("example.org", users=[stored])
    assert rows(there, users=(DECLARED,)) == ["~ user alice@example.org: password"]


def test_app_passwords() -> None:
    secret = "phone-phone-phone-1234567"
    there = dict(current("example.org", users=[{"email": "alice@example.org"}]))
    phone = user(email="alice@example.org", app_passwords=[{"name": "phone", "password": secret}])
    made = plan(there, Accounts(users=(phone,)))
    assert [str(change) for change in made] == ["+ app password alice@example.org -> phone"]
    assert made[0].values == {"digest": app_digest(secret), "service": "all"}

    key = ("alice@example.org", "phone")
    there["mail_app_password"] = {key: {"digest": app_digest(secret), "service": "imap"}}
    assert rows(there, users=(phone,)) == [], "what was not said stays"
    reset = [{"name": "phone", "password": secret[::-1], "service": "smtp"}]
    assert rows(there, users=(user(email="alice@example.org", app_passwords=reset),)) == [
        "~ app password alice@example.org -> phone: service imap -> smtp, password"
    ]
    kept = Accounts((Domain(domain_name="example.org"),), (user(email=key[0], app_passwords=["phone"]),))
    assert undeclared(there, kept).of("mail_app_password") == frozenset()


def test_a_new_app_password_needs_one() -> None:
    there = current("example.org", users=[{"email": "alice@example.org"}])
    with pytest.raises(PlanError, match="phone is new and has no password"):
        plan(there, Accounts(users=(user(email="alice@example.org", app_passwords=["phone"]),)))


MORE = "the quotas of the users in example.org add up to {} MiB, more than the {} of the domain"
ALL = "the domain example.org has a quota of 100 MiB, so every user in it needs one"


@pytest.mark.parametrize(
    ("there", "accounts", "said"),
    [
        # nothing is there yet, as on a bare host
        ({}, {"domain": {"quota_mb": 100, "user_quota_mb": 60}, "users": [{}, {}]}, MORE.format(120, 100)),
        ({}, {"domain": {"quota_mb": 100}, "users": [{}]}, ALL),
        ({}, {"domain": {"quota_mb": 100, "user_quota_mb": 50}, "users": [{}, {}]}, None),
        ({}, {"domain": {"quota_mb": 100, "user_quota_mb": 50}, "users": [{}, {"quota_mb": 0}]}, ALL),
        # what is there counts
        ({"quota_mb": 100, "users": [60]}, {"users": [{"quota_mb": 41}]}, MORE.format(101, 100)),
        ({"quota_mb": 100, "users": [60]}, {"users": [{"quota_mb": 40}]}, None),
        ({"quota_mb": 100, "users": [60]}, {"domain": {"quota_mb": 59}}, MORE.format(60, 59)),
        # an existing broken rule is ignored until its rows change
        ({"quota_mb": 100, "users": [160]}, {"domain": {"active": False}}, None),
        ({"users": [None]}, {"domain": {"quota_mb": 100}}, ALL),
    ],
)
def test_quotas_of_users_fit_into_their_domain(
    there: dict[str, Any], accounts: dict[str, Any], said: str | None
) -> None:
    rows_there = current()
    if there:
        users = [{"email": f"old{n}@example.org", "quota_mb": q} for n, q in enumerate(there["users"])]
        rows_there = current("example.org", users=users)
        rows_there["mail_domain"] = {
            ("example.org",): {
                "domain_name": "example.org",
                "active": True,
                "quota_mb": there.get("quota_mb"),
            }
        }
    new = tuple(
        user(email=f"new{number}@example.org", initial_password="x", **more)
        for number, more in enumerate(accounts.get("users", ()))
    )
    domains = (Domain(domain_name="example.org", **accounts["domain"]),) if "domain" in accounts else ()
    if said is None:
        plan(rows_there, Accounts(domains=domains, users=new))
        return
    with pytest.raises(PlanError) as caught:
        plan(rows_there, Accounts(domains=domains, users=new))
    assert str(caught.value) == said
