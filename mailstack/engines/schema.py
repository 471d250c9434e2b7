"""What the schemas of all engines have in common: tables, rules, and numbered SQL files to apply. Pure.

Every file can be applied again at any time: it creates, adopts what somebody made by hand, and heals what
was changed. So whatever differs is put right by applying all of them again, which also records in
``mailstack_schema`` what was applied and in ``mailstack_objects`` what it made. Drift is the difference
between that record and the catalog.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from mailstack import addresses
from mailstack.passwords import CURRENT_SCHEME
from mailstack.settings.accounts import APP_PASSWORD_NAME
from mailstack.settings.password_hashes import CRYPT_FORMS, SALTED

COLUMNS = {
    "mail_domain": (
        "domain_name",
        "quota_mb",
        "quota_messages",
        "user_quota_mb",
        "user_quota_messages",
        "active",
    ),
    "mail_users": (
        "email",
        "password",
        "password_origin",
        "home_directory",
        "mail_directory",
        "quota_mb",
        "quota_messages",
        "can_send",
        "can_receive",
        "detail_folders",
        "active",
        "domain_name",
    ),
    "mail_former_users": ("email", "directory", "removed_at"),
    "mail_former_addresses": ("email",),
    "mail_sender": ("email", "sender_email"),
    "mail_app_password": ("email", "name", "digest", "service"),
    "mail_last_login": ("email", "service", "at"),
    "mail_alias_domain": ("alias_domain", "domain_name", "active"),
    "mail_wildcard": ("local_part", "destination_email", "active"),
    "mail_alias": ("source_email", "destination_email", "active", "domain_name"),
    "mail_relay_domain": ("domain_name", "any_recipient", "active"),
    "mail_relay_recipient": ("address", "domain_name"),
    "mailstack_schema": ("file_name", "sha256", "applied_at"),
    "mailstack_objects": ("name", "md5"),
}
"""Our tables and the columns of them that are ours."""


def names(columns: Mapping[str, tuple[str, ...]], literal: Callable[[str], str]) -> dict[str, str]:
    """Placeholders of the SQL files: the names of tables and columns.

    + literal: how the engine writes a constant
    """
    pairs = ((table, column) for table, ours in columns.items() for column in ours)
    return {
        "tables": ", ".join(map(literal, columns)),
        "columns": ", ".join(f"({literal(table)}, {literal(column)})" for table, column in pairs),
    }


def rules(literal: Callable[[str], str]) -> dict[str, str]:
    """Placeholders of the SQL files: what the tables accept.

    + literal: how the engine writes a constant
    """
    return {
        "domain": literal(addresses.DOMAIN),
        "mailbox_local_part": literal(addresses.MAILBOX_LOCAL_PART),
        "local_part": literal(addresses.LOCAL_PART),
        "max_address": str(addresses.MAX_ADDRESS),
        "app_password_name": literal(f"^{APP_PASSWORD_NAME}$"),
        "current_scheme": CURRENT_SCHEME,
        "current_hash": literal(f"^[{{]{CURRENT_SCHEME}[}}]{CRYPT_FORMS[CURRENT_SCHEME]}$"),
        "salted_hash": literal(SALTED),
    }


class SqlFiles(NamedTuple):
    """The SQL files of a package, with values for their ``{placeholders}``.

    + package: its name
    """

    package: str

    def numbered(self) -> tuple[str, ...]:
        """The numbered files, in the order in which they are applied."""
        return _numbered(self.package)

    def text_of(self, name: str) -> str:
        """The text of a file."""
        return _text_of(self.package, name)

    def render(self, name: str, values: Mapping[str, str]) -> str:
        """The text of a file with the values filled in."""
        return re.sub(r"\{([a-z_]+)\}", lambda match: values[match[1]], self.text_of(name))

    def sums(self, values: Mapping[str, str]) -> dict[str, str]:
        """The checksum of each numbered file as it is applied."""
        rendered = {name: self.render(name, values) for name in self.numbered()}
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in rendered.items()}

    def differences(self, state: Mapping[str, Any] | None, values: Mapping[str, str]) -> list[str]:
        """What has to be put right, by name; nothing if all is well.

        + state: ``{"applied": {file: sha256}, "recorded": number, "drift": [names]}``; ``None`` if there is
          no database yet
        """
        applied = state["applied"] if state else {}
        outdated = [name for name, sha256 in self.sums(values).items() if applied.get(name) != sha256]
        drift = list(state["drift"]) if state and applied else []
        if drift and state and not state["recorded"]:
            drift = ["table mailstack_objects"]
        if "search_path of database" in drift:  # by which PostgreSQL shortens the names in these definitions
            drift = [name for name in drift if not re.match("constraint|index|trigger", name)]
        lost = {name.removeprefix("table ") for name in drift if re.match("table ", name)}
        return outdated + [name for name in drift if name.startswith("table ") or not _part_of(name, lost)]


@cache
def _numbered(package: str) -> tuple[str, ...]:
    names = (entry.name for entry in files(package).iterdir())
    return tuple(sorted(name for name in names if re.fullmatch(r"\d{3}_\w+\.sql", name)))


@cache
def _text_of(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _part_of(name: str, tables: set[str]) -> bool:
    """Whether an object goes with one of the tables, so that the table's name says it all."""
    return any(re.search(rf"\b{table}\b", name) for table in tables)
