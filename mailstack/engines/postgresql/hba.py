"""Existing lines of ``pg_hba.conf``. Pure; see PostgreSQL's manual, "The pg_hba.conf File"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mailstack import shared_files

if TYPE_CHECKING:
    from mailstack.settings import Settings

_HERE = ("", "127.0.0.1/32", "::1/128", "localhost", "samehost")
_BY_PASSWORD = ("scram-sha-256", "md5", "password")


class Rule(NamedTuple):
    """A line that allows or refuses connections.

    + address: empty for ``local``
    """

    line: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str
    method: str


def rules(text: str) -> list[Rule]:
    """Return the rules of a ``pg_hba.conf``, without comments and ``include`` directives."""
    found = []
    for line in re.sub(r"\\\n", "", text).split("\n"):
        kind, *fields = line.partition("#")[0].split() or [""]
        if kind == "local":
            fields.insert(2, "")
        elif len(fields) > 4 and re.fullmatch("[0-9a-f.:]+", fields[3]):
            fields[2:4] = ["/".join(fields[2:4])]  # address and mask
        if len(fields) > 3 and re.fullmatch(r"local|host\w*", kind):
            databases, users = (tuple(field.replace('"', "").split(",")) for field in fields[:2])
            found.append(Rule(" ".join(line.partition("#")[0].split()), databases, users, *fields[2:4]))
    return found


def locked_out(settings: Settings, text: str) -> str | None:
    """Return an error if this ``pg_hba.conf`` has a line for the mail database, which would lose its effect.

    + text: the file on the host; once mailstack's block is in it, there is no error
    """
    if shared_files.has_ours(text):
        return None
    roles = {
        "postgres",
        settings.mail_db_owner,
        settings.mail_db_lookup_role,
        settings.mail_db_upgrade_role,
        *([settings.mail_db_webmail_role] if settings.mail_webmail else []),
    }
    given = {" ".join(line.split()) for line in settings.mail_db_hba}
    for rule in rules(text):
        served = set(rule.users) <= roles and rule.address in _HERE and rule.method in _BY_PASSWORD
        if settings.mail_db_name in rule.databases and not served and rule.line not in given:
            return (
                f"pg_hba.conf: the line {rule.line!r} would no longer let anybody into the database "
                f"{settings.mail_db_name}; give it in mail_db_hba too, or take it out"
            )
    return None
