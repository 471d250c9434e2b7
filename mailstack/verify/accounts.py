"""The accounts of a run: two users, an alias and a relay domain, which exist only meanwhile. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailstack.engines.contract import Rows
from mailstack.passwords import hash_password

if TYPE_CHECKING:
    from mailstack.engines import Dialect

PREFIX = "mailstack-verify-"
"""The start of every name. So a run removes what a host has left that lost its power during one."""


class Accounts(NamedTuple):
    """The names of one run.

    + domain: an active domain of the server, so that signatures are those of its mail
    + tag: the start of all names
    """

    domain: str
    tag: str
    password: str

    @classmethod
    def of(cls, domain: str) -> Accounts:
        """Return new names in a domain, with a new password."""
        return cls(domain, f"{PREFIX}{secrets.token_hex(5)}", secrets.token_urlsafe(24))

    @property
    def user(self) -> str:
        """The user who sends and receives."""
        return f"{self.tag}@{self.domain}"

    @property
    def other(self) -> str:
        """Another user."""
        return f"{self.tag}-other@{self.domain}"

    @property
    def alias(self) -> str:
        """An alias of the first user."""
        return f"{self.tag}-alias@{self.domain}"

    @property
    def nobody(self) -> str:
        """An address that nobody has."""
        return f"{self.tag}-nobody@{self.domain}"

    @property
    def relayed(self) -> str:
        """A domain whose mail would be relayed (RFC 2606: no such domain ever exists)."""
        return f"{self.tag}.invalid"

    @property
    def foreign(self) -> str:
        """A domain that is in no table."""
        return f"{self.tag}-none.invalid"

    def home(self, root: str) -> str:
        """Return the directory of the user's mail."""
        return f"{root}/{self.tag}"

    def creating(self, dialect: Dialect, owner: str, root: str) -> str:
        """Return the SQL that creates them, and removes those of a run that never ended.

        + owner: the owner of the tables
        """

        def values(*given: str | int) -> str:
            return ", ".join(map(dialect.literal, given))

        hashed = hash_password(self.password)
        users = (
            values(self.user, hashed, self.home(root), 1),
            values(self.other, hashed, f"{self.home(root)}-other", 1),
        )
        return "\n".join(
            [
                *dialect.begin(owner),
                *_removals(),
                "INSERT INTO mail_users (email, password, home_directory, quota_mb)"
                f" VALUES ({users[0]}), ({users[1]});",
                "INSERT INTO mail_alias (source_email, destination_email)"
                f" VALUES ({values(self.alias, self.user)});",
                f"INSERT INTO mail_relay_domain (domain_name) VALUES ({values(self.relayed)});",
                f"INSERT INTO mail_relay_recipient (address) VALUES ({values(f'known@{self.relayed}')});",
                *dialect.end(),
            ]
        )


def removing(dialect: Dialect, owner: str) -> str:
    """Return the SQL that removes the accounts of all runs, without a trace."""
    return "\n".join([*dialect.begin(owner), *_removals(), *dialect.end()])


def _removals() -> list[str]:
    ours = f"LIKE '{PREFIX}%'"
    columns = {
        "mail_alias": "source_email",
        "mail_relay_recipient": "domain_name",
        "mail_relay_domain": "domain_name",
        # not a user of somebody else who has such a name
        "mail_users": f"home_directory LIKE '%/{PREFIX}%' AND email",
        # a trigger has written who was removed
        "mail_former_users": "email",
        "mail_former_addresses": "email",
    }
    return [f"DELETE FROM {table} WHERE {column} {ours};" for table, column in columns.items()]


def domains(dialect: Dialect) -> dict[str, Rows]:
    """Return the queries for a domain: one without a catch-all, and any; without a quota first."""
    active = "FROM mail_domain d WHERE d.active"
    catch_all = "SELECT 1 FROM mail_alias a WHERE a.source_email = CONCAT('@', d.domain_name)"
    return {
        "plain": Rows(("c.domain_name",), f"FROM ({_first(f'{active} AND NOT EXISTS ({catch_all})')}) AS c"),
        "any": Rows(("c.domain_name",), f"FROM ({_first(active)}) AS c"),
    }


def _first(source: str) -> str:
    limited = "CASE WHEN COALESCE(d.quota_mb, 0) + COALESCE(d.quota_messages, 0) > 0 THEN 1 ELSE 0 END"
    return f"SELECT d.domain_name {source} ORDER BY {limited}, d.domain_name LIMIT 1"


def chosen(answer: Mapping[str, Sequence[Sequence[str]]]) -> tuple[str | None, bool]:
    """Return the domain in the answer to ``domains``, if there is one, and whether it has a catch-all."""
    for name in ("plain", "any"):
        for (domain,) in answer.get(name, ()):
            return domain, name == "any"
    return None, False
