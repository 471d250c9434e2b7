"""A database and roles for one test, beside the mail database of the server that it uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mailstack.engines.postgresql.schema import Schema
from tests.targets.containers import Target
from tests.targets.shell import TargetError


@dataclass(frozen=True)
class Scratch:
    """A database and its roles, which have its name: `NAME_owner`, `_lookup`, `_upgrade`, `_admin`, `_other`.

    + target: the host that runs PostgreSQL
    + name: the name of the database
    """

    target: Target
    name: str

    @property
    def schema(self) -> Schema:
        """The schema for these roles."""
        return Schema(f"{self.name}_owner", f"{self.name}_lookup", f"{self.name}_upgrade")

    def run(
        self, sql: str, *, database: str | None = None, one: bool = False, role: str | None = None
    ) -> str:
        """Run SQL as the superuser or as NAME_`role`, in one transaction if `one`.

        Raises `TargetError` if it fails.
        """
        argv = ["runuser", "-u", "postgres", "--", "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
        argv += ["-1"] * one + ["-d", database or self.name]
        argv += ["-c", f"SET SESSION AUTHORIZATION {self.name}_{role}"] if role else []
        return self.target.exec([*argv, "-f", "-"], input=sql).stdout.strip()

    def json(self, sql: str, *, database: str | None = None, role: str | None = None) -> Any:
        """Return the JSON result of a query."""
        return json.loads(self.run(sql, database=database, role=role))

    def refused(self, sql: str, *, role: str | None = None) -> str:
        """Return the error of SQL that must fail."""
        try:
            self.run(sql, role=role)
        except TargetError as error:
            return str(error)
        raise AssertionError(f"accepted: {sql}")

    def differences(self, after: str = "") -> list[str]:
        """Return the differences that the schema's query finds in a new session, `after` some SQL."""
        return self.schema.differences(self.json(f"{after};\n\\c -\n{self.schema.query()}"))

    def apply(self, role: str | None = None) -> None:
        """Apply the schema."""
        self.run(self.schema.script(), one=True, role=role)

    def objects(self) -> dict[str, str]:
        """Return every object of mailstack with its definition."""
        found: dict[str, str] = self.json(self._objects)
        return found

    def healed(self) -> tuple[list[str], dict[str, str]]:
        """Apply the schema; return the remaining differences, and every object, by one command."""
        answers = self.run(
            f"BEGIN;\n{self.schema.script()}\nCOMMIT;\n\\c -\n{self.schema.query()};\n{self._objects}"
        )
        state, objects = answers.splitlines()
        return self.schema.differences(json.loads(state)), json.loads(objects)

    @property
    def _objects(self) -> str:
        return (
            f"SELECT jsonb_object_agg(name, definition) FROM ({self.schema.render('objects.sql')}) AS found"
        )


@contextmanager
def scratch(target: Target, name: str = "scratch") -> Iterator[Scratch]:
    """Yield an empty database with its roles, gone afterwards."""
    made = Scratch(target, name)
    _clear(made)
    made.run(
        f"CREATE ROLE {name}_owner; CREATE ROLE {name}_lookup; CREATE ROLE {name}_upgrade;"
        f"CREATE ROLE {name}_other;"
        f"CREATE ROLE {name}_admin CREATEROLE CREATEDB;",
        database="postgres",
    )
    created = f"CREATE DATABASE {name} OWNER {name}_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    made.run(created, database="postgres")
    yield made
    _clear(made)


def _clear(made: Scratch) -> None:
    made.run(f"DROP DATABASE IF EXISTS {made.name} WITH (FORCE)", database="postgres")
    roles = ", ".join(f"{made.name}_{role}" for role in ("owner", "lookup", "upgrade", "other", "admin"))
    made.run(f"DROP ROLE IF EXISTS {roles}", database="postgres")
