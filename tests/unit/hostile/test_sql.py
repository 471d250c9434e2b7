"""Text in SQL is always a constant: the rest of a script is the same whatever the values are."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstack import Settings
from mailstack.accounts import sql
from mailstack.accounts.rows import KEYS, Change
from mailstack.components import postfix_sql
from mailstack.engines import engine_of, lookups
from mailstack.engines.contract import Dialect
from mailstack.engines.mariadb import quoting as mariadb
from mailstack.engines.postgresql import quoting as postgresql
from mailstack.engines.tables import TABLES
from tests.support import grammars
from tests.support.hostile import changed, check_each, texts

ENGINES = ("postgresql", "mysql")
QUOTING: dict[str, Any] = {"postgresql": postgresql, "mysql": mariadb}
LONGEST = {"postgresql": 63, "mysql": 64}
#: What a database stores.
STORED = texts().map(lambda text: text.replace("\0", ""))


@cache
def dialect_of(engine: str) -> Dialect:
    return engine_of(Settings.from_data({"mail_hostname": "a.example.org", "mail_db_engine": engine})).dialect


@pytest.mark.parametrize("engine", ENGINES)
@given(value=texts())
def test_literals(engine: str, value: str) -> None:
    try:
        written = QUOTING[engine].literal(value)
    except ValueError:
        assert "\0" in value or re.search("[\ud800-\udfff]", value)
        return
    # beside other text, into which nothing may leak
    assert grammars.sql(f"SELECT {written}, 'x'", engine) == ("SELECT ?, ?", [value, "x"])


@pytest.mark.parametrize("engine", ENGINES)
@given(name=texts())
def test_identifiers(engine: str, name: str) -> None:
    try:
        written = QUOTING[engine].identifier(name)
    except ValueError:
        assert not name or re.search("[\0$\ud800-\udfff]", name) or len(name.encode()) > LONGEST[engine]
        return
    quote = {"postgresql": '"', "mysql": "`"}[engine]
    found = grammars.sql(f"SELECT {written}, 'x'", engine)
    assert found == (f"SELECT {quote}{name}{quote}, ?", ["x"])


COLUMNS = {
    table.name: [
        column.name for column in table.columns if column.type in ("address", "domain", "word", "text")
    ]
    for table in TABLES
    if table.name in KEYS
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("table", KEYS)
def test_every_column_of_every_table(engine: str, table: str) -> None:
    columns = [name for name in COLUMNS[table] if name not in KEYS[table]]
    for sign in "+~-" if columns else "+-":
        parts = st.tuples(*[STORED] * (len(KEYS[table]) + len(columns)))
        check_each(parts, lambda texts, sign=sign: check_change(engine, table, sign, columns, texts))  # type: ignore[misc]


def check_change(engine: str, table: str, sign: str, columns: list[str], parts: tuple[str, ...]) -> None:
    dialect, key = dialect_of(engine), parts[: len(KEYS[table])]
    values = dict(zip(columns, parts[len(key) :], strict=True))

    def script(*, plain: bool) -> grammars.Constants:
        of_key = tuple("a" if plain else part for part in key)
        of_values = {name: "a" if plain else value for name, value in values.items()}
        change = Change(sign, table, of_key, {} if sign == "-" else of_values)
        return grammars.sql(sql.script(dialect, [change], "mailadmin", str), engine)

    hostile = script(plain=False)
    assert re.sub(r"\bE\?", "?", hostile.shape) == script(plain=True).shape
    written = [*values.values(), *key] if sign == "~" else [*key, *([] if sign == "-" else values.values())]
    assert [each for each in hostile.values if each in written][-len(written) :] or not written
    for each in written:
        assert each in hostile.values


@pytest.mark.parametrize("engine", ENGINES)
@given(local=texts(), domain=texts())
def test_a_query_of_postfix_with_an_address(engine: str, local: str, domain: str) -> None:
    if re.search("[\0\ud800-\udfff]", local + domain):
        return
    query = "SELECT 1 WHERE 'x' = '%s' OR '%u' = '%d' OR '100%%' = ''"
    found = grammars.sql(lookups.filled(query, local, domain, QUOTING[engine].inside), engine)
    assert found == (
        "SELECT 1 WHERE ? = ? OR ? = ? OR ? = ?",
        ["x", f"{local}@{domain}", local, domain, "100%", ""],
    )


@pytest.mark.parametrize("engine", ENGINES)
@given(address=changed("o'hara#$&=?^_{|}~@example.org", "o''hara@example.org"))
def test_the_postmaster_in_the_queries(engine: str, address: str) -> None:
    def queries(postmaster: str) -> dict[str, str] | None:
        try:
            settings = Settings.from_data(
                {"mail_hostname": "a.example.org", "mail_db_engine": engine, "mail_postmaster": postmaster}
            )
        except ValueError:
            return None
        return postfix_sql.queries(settings)

    hostile, plain = queries(address), queries("x@example.org")
    assert plain is not None
    if hostile is None:
        return
    for name, query in hostile.items():
        assert "\n" not in query
        # pgsql_table(5): the only percents that stay are doubled ones
        bare = re.sub("%%", "", query)
        assert re.findall("%.?", bare) == re.findall("%.?", re.sub("%%", "", plain[name]))
        found = grammars.sql(query.replace("%%", "%"), engine)
        assert found.shape == grammars.sql(plain[name], engine).shape
