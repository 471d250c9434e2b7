"""Lines of ``pg_hba.conf`` that others wrote. Pure; see PostgreSQL's manual, "The pg_hba.conf File"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mailstack import shared_files

if TYPE_CHECKING:
    from mailstack.settings import Settings

_HERE = ("", "127.0.0.1/32", "::1/128", "localhost", "samehost")
_BY_PASSWORD = ("scram-sha-256", "md5", "password")


class Rule(NamedTuple):
    """A line that says who may connect.

    + address: empty for ``local``
    """

    line: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str
    method: str


def rules(text: str) -> list[Rule]:
    """Return the rules of a ``pg_hba.conf``; comments and ``include`` directives are none."""
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
    """Return what is wrong with taking over this ``pg_hba.conf``: who uses the mail database already.

    + text: the file as it was found; once our block is in it, this was decided
    """
    if shared_files.has_ours(text):
        return None
    ours = {
        "postgres",
        settings.mail_db_owner,
        settings.mail_db_lookup_role,
        settings.mail_db_upgrade_role,
    }
    given = {" ".join(line.split()) for line in settings.mail_db_hba}
    for rule in rules(text):
        served = set(rule.users) <= ours and rule.address in _HERE and rule.method in _BY_PASSWORD
        if settings.mail_db_name in rule.databases and not served and rule.line not in given:
            return (
                f"pg_hba.conf: the line {rule.line!r} would no longer let anybody into the database "
                f"{settings.mail_db_name}; give it in mail_db_hba too, or take it out"
            )
    return None
