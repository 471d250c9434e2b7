"""The parts of a table, for all engines. Pure; ``mailstack.engines.tables`` has the tables themselves."""

from __future__ import annotations

from typing import Literal, NamedTuple

Type = Literal["address", "domain", "word", "text", "boolean", "number", "time"]
"""The types of columns. The first four are text, of different lengths if the engine requires one."""


class Sql(NamedTuple):
    """A default that is not a constant, by a name that each engine translates."""

    name: Literal["now", "new directory", "mail driver"]


class Column(NamedTuple):
    """A column.

    + required: whether it must have a value
    + default: the value for new rows, and for existing rows when the column is added
    + domain_of: the column with the address whose domain this is; the server derives it
    + fold: how the server writes an address: in lower case, or as a destination. That is lower case in this
      server's domains; elsewhere the local part keeps its case (RFC 5321, 2.4)
    + secret: whether its values are never shown
    """

    name: str
    type: Type
    required: bool = True
    default: str | bool | Sql | None = None
    domain_of: str | None = None
    fold: Literal["lower", "destination"] | None = None
    secret: bool = False


class Matches(NamedTuple):
    """A condition: the column matches a pattern, or with ``no`` does not match it."""

    column: str
    pattern: str
    no: bool = False


class IsAddress(NamedTuple):
    """A condition: the column has an address.

    + local_part: the pattern of its local part
    + or_domain: whether ``@domain`` is accepted too
    """

    column: str
    local_part: str
    or_domain: bool = False


Condition = str | Matches | IsAddress
"""A condition as text is SQL that every engine accepts."""


class Check(NamedTuple):
    """Conditions for every row; NULL meets every condition."""

    name: str
    conditions: tuple[Condition, ...]


class Key(NamedTuple):
    """Columns that are unique together.

    + primary: whether it is the primary key, if the engine has one and the table no other
    """

    name: str
    columns: tuple[str, ...]
    primary: bool = True


class Index(NamedTuple):
    """Columns of an index beside the keys."""

    name: str
    columns: tuple[str, ...]


class Reference(NamedTuple):
    """A foreign key of one column.

    + table, to: the table and column that must have its value
    + follow: the events (``DELETE``, ``UPDATE``) that cascade to this row; others are refused
    """

    name: str
    column: str
    table: str
    to: str
    follow: tuple[Literal["UPDATE", "DELETE"], ...] = ()


class Table(NamedTuple):
    """A table.

    + word: the name of a row in messages, if account operations write it; none: the server writes it
    + known_by: the columns by which operations identify a row; none: those of the first key
    + looked_up: whether Postfix and Dovecot may read it
    """

    name: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    checks: tuple[Check, ...] = ()
    references: tuple[Reference, ...] = ()
    indexes: tuple[Index, ...] = ()
    word: str = ""
    known_by: tuple[str, ...] = ()
    looked_up: bool = True

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns by which operations identify a row."""
        return self.known_by or self.keys[0].columns

    def folded(self) -> tuple[Column, ...]:
        """Return the columns that the server writes in lower case."""
        return tuple(column for column in self.columns if column.fold)
