"""The changes that bring the database to the wanted accounts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from pydantic import SecretStr

from mailstack import addresses
from mailstack.accounts.quotas import too_much
from mailstack.accounts.rows import KEYS, SECRETS, WORDS, Change, Current, Key, Rows, Values, folded
from mailstack.accounts.rules import Given, broken
from mailstack.accounts.wanted import Accounts, Wanted
from mailstack.backends import chosen
from mailstack.passwords import origin
from mailstack.settings.password_hashes import spellings

_IN_NO_DOMAIN = ("mail_domain", "mail_wildcard", "mail_relay_domain", "mail_relay_recipient")


class PlanError(ValueError):
    """Raised for accounts that can't be created, changed or removed; the message names them."""


@dataclass(frozen=True)
class Absent:
    """Keys of rows to remove, as they are stored."""

    rows: Mapping[str, frozenset[Key]] = field(default_factory=dict)

    def of(self, table: str) -> frozenset[Key]:
        """Return the keys of one table."""
        return self.rows.get(table, frozenset())


def plan(
    current: Current,
    accounts: Accounts,
    absent: Absent | None = None,
    given: Given | None = None,
    renamed: tuple[str, str] | None = None,
) -> list[Change]:
    """Return the changes that add these accounts, and remove those that are ``absent``.

    Only declared values of an existing account are changed: a user declared without ``active`` stays
    disabled. ``initial_password`` is only used for a new user.

    + current: the rows of each table
    + given: the settings that accounts must agree with
    + renamed: the old and the new address of a user

    Raises ``PlanError`` for any broken rule between accounts and these settings. Examples are a new user
    without a password, an address without a domain, a user that can't be renamed, the removal of a domain
    that still has addresses, or quotas that exceed the domain's.
    """
    absent = absent or Absent()
    wanted = accounts.rows()
    wanted["mail_domain"] += _misspelt_domains(wanted, current["mail_domain"])
    _fold_ours(wanted, current)
    given = given or Given()
    changes = _renamed(current, *renamed) if renamed else []
    changes += [
        Change("-", table, key, {})
        for table in reversed(KEYS)
        for key in sorted(absent.of(table) & current[table].keys())
    ]
    for table in KEYS:
        changes += _differences(table, wanted[table], current[table])
    changes = [_with_backend(change, given.backends) for change in changes]
    if problems := [
        *_problems(changes, wanted, current, absent),
        *broken(changes, current, given),
        *too_much(changes, current),
    ]:
        raise PlanError("; ".join(problems))
    return changes


def _with_backend(change: Change, weights: Mapping[str, int]) -> Change:
    """Return a change in which a new user is on one of several hosts."""
    if not weights or (change.sign, change.table) != ("+", "mail_users"):
        return change
    backend = change.values.get("backend") or chosen(change.key[0], weights)
    note = ", ".join(filter(None, (change.note, f"on {backend}")))
    return change._replace(values={**change.values, "backend": backend}, note=note)


def _renamed(current: Current, email: str, new_email: str) -> list[Change]:
    """Return the changes that give a user another address: its row, which keeps its mail, and aliases to it.

    + current: the rows of each table

    Raises ``PlanError`` if there is no such user, or if the new address is not possible.
    """
    find = _finder(current["mail_users"])
    user, taken, domain = find((email,)), find((new_email,)), _domain_of(new_email)
    if user is None and taken is not None:
        return []  # it was renamed already
    if user is None:
        raise PlanError(f"there is no user {email}")
    if taken is not None:
        raise PlanError(f"user {email}: there is a user {new_email} already")
    if _finder(current["mail_domain"])((domain,)) is None:
        raise PlanError(f"user {new_email}: there is no domain {domain}")
    changes = [
        Change("~", "mail_users", user, {"email": new_email}, f"is now {new_email}, with all its mail")
    ]
    for table in ("mail_alias", "mail_wildcard"):
        for source, target in sorted(current[table]):
            if target.lower() != email:
                continue
            if (source, new_email) in current[table]:
                changes.append(Change("-", table, (source, target), {}))
            else:
                values: Values = {"destination_email": new_email}
                changes.append(Change("~", table, (source, target), values, f"now to {new_email}"))
    return changes


def undeclared(current: Mapping[str, Rows], accounts: Accounts) -> Absent:
    """Return the rows of the database that are not among ``accounts``."""
    return Absent(
        {
            table: frozenset(current[table])
            - frozenset(map(_finder(current[table]), (row.key for row in rows)))
            for table, rows in accounts.rows().items()
        }
    )


def _misspelt_domains(wanted: Mapping[str, list[Wanted]], existing: Rows) -> list[Wanted]:
    """Return the domains stored in upper case to which an address to be written refers."""
    declared = {row.key for row in wanted["mail_domain"]}
    needed = {(_domain_of(row.key[0]),) for table in ("mail_users", "mail_alias") for row in wanted[table]}
    find = _finder(existing)
    return [Wanted(key, {}, {}) for key in sorted(needed - declared) if find(key) not in (None, key)]


def _fold_ours(wanted: dict[str, list[Wanted]], current: Current) -> None:
    """Write destinations in this server's domains in lower case; others keep their case (RFC 5321 2.4)."""
    tables = ("mail_domain", "mail_alias_domain")
    local = {folded(key)[0] for table in tables for key in current[table]}
    local |= {row.key[0] for table in tables for row in wanted[table]}
    for table in ("mail_alias", "mail_wildcard"):
        wanted[table] = [
            row._replace(key=(row.key[0], addresses.in_domains(row.key[1], local))) for row in wanted[table]
        ]


def _differences(table: str, wanted: Iterable[Wanted], existing: Rows) -> Iterator[Change]:
    find = _finder(existing)
    for row in wanted:
        stored = find(row.key)
        if stored is None:
            yield Change("+", table, row.key, row.new, "" if row.new.get("active", True) else "disabled")
            continue
        values: Values = {}
        notes = []
        if stored != row.key:
            values |= zip(KEYS[table], row.key, strict=True)
            lower = row.key == folded(row.key)
            notes.append("in lower case" if lower else f"written {row.key[-1]}")
        for name, value in row.enforced.items():
            before = existing[stored].get(name)
            if before == value or (name == "password" and _same_password(existing[stored], value)):
                continue
            values[name] = value
            notes.append("password" if name in SECRETS else f"{name} {_shown(before)} -> {_shown(value)}")
        if values:
            yield Change("~", table, stored, values, ", ".join(notes))


def _problems(
    changes: Iterable[Change], wanted: Mapping[str, list[Wanted]], current: Mapping[str, Rows], absent: Absent
) -> Iterator[str]:
    domains = {folded(key) for key in current["mail_domain"].keys() - absent.of("mail_domain")}
    domains |= {row.key for row in wanted["mail_domain"]}
    for change in changes:
        if change.sign == "~" and "mail_driver" in change.values:
            yield (
                f"user {change.key[0]}: mail_driver is only for new users; mailstack.accounts.convert "
                "carries the mail of this one over"
            )
        if change.sign != "+" or change.table in _IN_NO_DOMAIN:
            continue
        who, domain = f"{WORDS[change.table]} {change.key[0]}", _domain_of(change.key[0])
        if change.table == "mail_alias_domain":
            domain = change.values["domain_name"]
        if (domain,) not in domains:
            yield f"{who}: there is no domain {domain}"
        elif change.table == "mail_users" and change.values["password"] is None:
            yield f"{who} is new and has no password; allowed: initial_password or password_hash"
        elif change.table == "mail_app_password" and change.values["digest"] is None:
            yield f"{who}: {change.key[1]} is new and has no password; allowed: password"
    for key in sorted(absent.of("mail_domain") & current["mail_domain"].keys()):
        stay = {
            f"{WORDS[table]} {address}"
            for table in ("mail_users", "mail_alias")
            for address, *_ in {*current[table], *(row.key for row in wanted[table])} - absent.of(table)
            if _domain_of(address) == key[0].lower()
        }
        stay |= {
            f"alias domain {name}"
            for (name,), row in current["mail_alias_domain"].items()
            if row["domain_name"] == key[0].lower() and (name,) not in absent.of("mail_alias_domain")
        }
        if stay:
            yield f"domain {key[0]} can't be removed while these exist: {', '.join(sorted(stay))}"


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _finder(existing: Rows) -> Callable[[Key], Key | None]:
    """Return a function that finds a key as it is stored, maybe in another case, or returns ``None``."""

    @cache  # most keys are stored as they are wanted
    def stored() -> Mapping[Key, Key]:
        return {folded(key): key for key in sorted(existing)}

    return lambda key: key if key in existing else stored().get(folded(key))


def _same_password(row: Values, declared: str) -> bool:
    """Return whether the stored hash is the declared one, or the one that a login replaced it with."""
    stored = row.get("password") or ""
    if isinstance(stored, SecretStr):  # an earlier operation of this run will hash and store it
        return False
    before = spellings(declared)
    return stored in before or row.get("password_origin") in [origin(text, stored) for text in before]


def _shown(value: object) -> str:
    return "none" if value is None else str(value).lower()
