"""What a table is made of, whichever engine has it. Pure; ``mailstack.engines.tables`` has ours."""

from __future__ import annotations

from typing import Literal, NamedTuple

Type = Literal["address", "domain", "word", "text", "boolean", "number", "time"]
"""What a column holds. The first four are text, of different lengths where an engine wants to know one."""


class Sql(NamedTuple):
    """A default that is no constant, by a name that each engine knows how to spell."""

    name: Literal["now", "new directory"]


class Column(NamedTuple):
    """A column.

    + required: whether it must have a value
    + default: what new rows get, and the rows that are there when the column is added
    + domain_of: the column with the address that this is the domain of; the server derives it
    + fold: how the server writes an address: in lower case, or as a destination. That is in lower case if its
      domain is ours; elsewhere the local part keeps its case (RFC 5321, 2.4)
    + secret: whether it is never shown
    """

    name: str
    type: Type
    required: bool = True
    default: str | bool | Sql | None = None
    domain_of: str | None = None
    fold: Literal["lower", "destination"] | None = None
    secret: bool = False


class Matches(NamedTuple):
    """A condition: the column matches a pattern, or, with ``no``, it does not."""

    column: str
    pattern: str
    no: bool = False


class IsAddress(NamedTuple):
    """A condition: the column has an address.

    + local_part: the pattern of its local part
    + or_domain: whether ``@domain`` will do
    """

    column: str
    local_part: str
    or_domain: bool = False


Condition = str | Matches | IsAddress
"""Text is SQL that every engine takes as it is."""


class Check(NamedTuple):
    """What every row must meet; a column without a value meets everything."""

    name: str
    conditions: tuple[Condition, ...]


class Key(NamedTuple):
    """Columns that no two rows have alike.

    + primary: whether it is the primary key, where the engine has one and the table no other
    """

    name: str
    columns: tuple[str, ...]
    primary: bool = True


class Index(NamedTuple):
    """Columns that rows are found by, beside the keys."""

    name: str
    columns: tuple[str, ...]


class Reference(NamedTuple):
    """A foreign key of one column.

    + table, to: where there must be a row with its value
    + follow: what this row does along with that one; the other may not do anything else
    """

    name: str
    column: str
    table: str
    to: str
    follow: tuple[Literal["UPDATE", "DELETE"], ...] = ()


class Table(NamedTuple):
    """A table.

    + word: what people call a row that an account operation may write; none: the server writes it
    + known_by: the columns by which operations know a row; none: those of the first key
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
        """The columns by which operations know a row."""
        return self.known_by or self.keys[0].columns

    def folded(self) -> tuple[Column, ...]:
        """The columns that the server writes in lower case."""
        return tuple(column for column in self.columns if column.fold)
