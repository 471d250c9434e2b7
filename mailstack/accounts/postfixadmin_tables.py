"""Convert the tables of PostfixAdmin to accounts. Pure.

The input is text: ``mysqldump --xml``, or one JSON object of tables and their rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from pydantic import SecretStr
from pyinfra.api.exceptions import OperationValueError

from mailstack import addresses
from mailstack.accounts.wanted import Accounts
from mailstack.settings.accounts import Alias, User
from mailstack.settings.domains import AliasDomain, Domain, RelayDomain
from mailstack.settings.password_hashes import password_hash

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
COLUMNS = {
    "domain": ("domain", "active"),
    "mailbox": ("username", "password", "active"),
    "alias": ("address", "goto", "active"),
    "alias_domain": ("alias_domain", "target_domain", "active"),
}
"""The tables that are read, and the required columns of each. Old versions lack the last table."""

_MEBIBYTE = 1024 * 1024
_DES = "[./A-Za-z0-9]{12}[.26AEIMQUYcgkosw]"
"""crypt(3) with DES: two characters of salt, and eleven of 6 bits for 64 bits, so the last has two zeros."""


class Moved(NamedTuple):
    """The accounts, and notes on what can't be imported."""

    accounts: Accounts
    left_out: tuple[str, ...]


def parse(text: str) -> Tables:
    """Return the rows of each table. Raises ``ValueError`` if the text has no such tables."""
    try:
        found = _from_xml(text) if text.lstrip().startswith("<") else json.loads(text)
    except (ElementTree.ParseError, json.JSONDecodeError) as error:
        raise ValueError(f"neither the XML of mysqldump nor JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("JSON, but no object of tables")
    if missing := [name for name in COLUMNS if name not in found and name != "alias_domain"]:
        raise ValueError(f"has no table {missing[0]}")
    return {name: _rows(name, found.get(name) or []) for name in COLUMNS}


def _rows(table: str, rows: object) -> list[Row]:
    if not isinstance(rows, list):
        raise ValueError(f"table {table}: no list of rows")
    for number, row in enumerate(rows, 1):
        place = f"table {table}, row {number}"
        if not isinstance(row, dict):
            raise ValueError(f"{place}: no columns with names")
        for column in COLUMNS[table]:
            if column not in row:
                raise ValueError(f"{place}: has no column {column}")
            if column != "active" and not isinstance(row[column], str):
                raise ValueError(f"{place}: {column} is no text")
        if not re.fullmatch(r"-?\d+", str(row.get("quota") or 0)):
            raise ValueError(f"{place}: quota = {row['quota']!r} is no number of octets")
    return rows


def _from_xml(text: str) -> dict[str, list[Row]]:
    return {
        table.get("name", ""): [
            {field.get("name", ""): field.text or "" for field in row.iter("field")}
            for row in table.iter("row")
        ]
        for table in ElementTree.fromstring(text).iter("table_data")
    }


def accounts(tables: Tables, cleartext: bool | None = None) -> Moved:
    """Return the accounts in the tables, and notes on what can't be imported.

    + cleartext: whether ``$CONF['encrypt']`` was ``cleartext``; ``None`` if unknown

    Raises ``OperationValueError`` for an address or domain that is not allowed here, and for a password that
    may be clear text or a hash.
    """
    left_out: list[str] = []
    names = {row["alias_domain"].lower() for row in tables["alias_domain"]}
    domains = [
        row for row in tables["domain"] if row["domain"] != "ALL"
    ]  # "ALL" is the domain of administrators of every domain
    relayed = {row["domain"].lower() for row in domains if _true(row.get("backupmx"))}
    local = [row for row in domains if row["domain"].lower() not in names | relayed]
    users = [
        _user(row, cleartext) for row in tables["mailbox"] if not _elsewhere(row["username"], names, left_out)
    ]
    aliases = []
    for row in tables["alias"]:
        if _domain(row["address"]) in relayed or _elsewhere(row["address"], names, left_out):
            continue
        targets = tuple(_targets(row, left_out))
        itself = row["address"].lower()  # PostfixAdmin gives each mailbox an alias to itself
        if targets and [target.lower() for target in targets] != [itself]:
            aliases.append(
                Alias(source_email=row["address"], destinations=targets, active=_true(row["active"]))
            )
    return Moved(
        Accounts(
            domains=tuple(Domain(domain_name=row["domain"], active=_true(row["active"])) for row in local),
            users=tuple(users),
            aliases=tuple(aliases),
            alias_domains=tuple(
                AliasDomain(
                    alias_domain=row["alias_domain"],
                    domain_name=row["target_domain"],
                    active=_true(row["active"]),
                )
                for row in tables["alias_domain"]
            ),
            relay_domains=tuple(
                _relay_domain(row, tables) for row in domains if row["domain"].lower() in relayed
            ),
        ),
        tuple(left_out),
    )


def _user(row: Row, cleartext: bool | None) -> User:
    quota = int(row.get("quota") or 0)
    user = User(
        email=row["username"],
        active=_true(row["active"]),
        quota_mb=-(-quota // _MEBIBYTE) if quota > 0 else None,
        mail_driver="maildir",  # the old mail is one
    )
    try:
        password = stored_password(row["password"], cleartext)
    except ValueError as error:
        raise OperationValueError(f"mailbox {user.email}: {error}") from None
    # any hash that Dovecot verifies is accepted for a row, even if not for a declared user
    return user.model_copy(update={"password_hash": SecretStr(password)})


def stored_password(text: str, cleartext: bool | None = None) -> str:
    """Return the hash in Dovecot's form, from one that PostfixAdmin stored with any ``$CONF['encrypt']``.

    + cleartext: whether that was ``cleartext``; ``None`` if unknown

    Raises ``ValueError`` if ``cleartext`` is unknown and the text may be either. The message does not quote
    it.
    """
    if not text:
        return "{CRYPT}*"
    if cleartext:
        return "{PLAIN}" + text
    try:
        return password_hash(text)
    except ValueError:
        pass
    if match := re.fullmatch(r"[{]MD5RAW[}]([0-9a-f]{32})|([0-9a-f]{32})", text):  # courier:md5raw, md5
        return "{PLAIN-MD5}" + (match[1] or match[2])
    if match := re.fullmatch(r"[{]MD5[}]([A-Za-z0-9+/]{22}==)", text):  # courier:md5
        return "{LDAP-MD5}" + match[1]
    if text.startswith("{"):
        return text
    if not re.fullmatch(rf"[$][a-z0-9-]+[$].+|{_DES}", text):  # a system's own crypt(5), or DES
        return "{PLAIN}" + text
    if cleartext is None:
        raise ValueError(
            "its password may be a hash, or the password itself; allowed: option cleartext, on if "
            "PostfixAdmin had $CONF['encrypt'] = 'cleartext', else off"
        )
    return "{CRYPT}" + text


def _targets(row: Row, left_out: list[str]) -> Iterator[str]:
    listed = filter(None, re.split(r"[,\s]+", row["goto"]))
    for target in {target.lower(): target for target in listed}.values():
        try:
            if "#" in target and "@autoreply." in target:
                raise ValueError("PostfixAdmin's vacation; users set it in their mail program (ManageSieve)")
            yield addresses.destination_address(target)
        except ValueError as error:
            left_out.append(f"alias {row['address']} -> {target}: {error}")


def _relay_domain(row: Row, tables: Tables) -> RelayDomain:
    name = row["domain"].lower()
    aliases = [alias for alias in tables["alias"] if _domain(alias["address"]) == name]
    known = [alias["address"].lower() for alias in aliases if _true(alias["active"])]
    everybody = not aliases or f"@{name}" in known
    return RelayDomain(
        domain_name=name,
        recipients=tuple(address for address in known if not address.startswith("@")),
        any_recipient=everybody,
        active=_true(row["active"]),
    )


def _elsewhere(address: str, names: set[str], left_out: list[str]) -> bool:
    """Return whether the address is in an alias domain, which has no addresses of its own here."""
    if _domain(address) not in names:
        return False
    left_out.append(f"{address}: its domain is an alias domain, which has the addresses of its target")
    return True


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _true(value: object) -> bool:
    return str(value).lower() in ("1", "t", "true")
