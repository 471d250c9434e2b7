"""`python -m bench.size [MAILBOXES…]`: what so many mailboxes take, worked out from measured figures.

It is the table "Size" of `docs/scaling.md`. Nothing is measured here: `FIGURES` are of `results.md`, and
`HABITS` are what it assumes of users, which options change.
"""

from __future__ import annotations

import argparse
import math
from typing import NamedTuple

from bench.report import Table

MAILBOXES = (1_000, 100_000, 1_000_000)


class Figures(NamedTuple):
    """What one host was measured to do: two cores, Debian 13, with the filter; see `results.md`.

    + messages: those delivered a second
    + logins: those a second, by ARGON2ID
    + connection: the memory of an idle IMAP connection, in MiB
    + idle: the memory of the server without clients, in MiB
    + memory: the memory of the host, in GiB
    + empty: the database without accounts, in MB
    + row: the database for a mailbox and an alias, in kB
    """

    messages: float = 112
    logins: float = 12.1
    connection: float = 3.414
    idle: float = 254
    memory: float = 24
    empty: float = 8.7
    row: float = 0.65


class Habits(NamedTuple):
    """What is assumed of users and hosts.

    + messages: those that a mailbox gets and sends in a day
    + logins: those of a mailbox in a day
    + busiest: the share of the day in its busiest hour
    + connected: the IMAP connections that are open at once, for a mailbox
    + stored: the mail of a mailbox, in GB
    + used: the part of the processors and the memory that is used then, so that others can take over
    """

    messages: float = 50
    logins: float = 10
    busiest: float = 0.1
    connected: float = 0.5
    stored: float = 2
    used: float = 0.5


class Size(NamedTuple):
    """What mailboxes take.

    + messages: those a second, in the busiest hour
    + logins: those a second
    + by_processor: the hosts of two cores that these need
    + by_memory: the hosts that the connections need
    + memory: what the connections take, in GiB
    + mail: what is stored, in TB, once
    + database: its size, in MB
    """

    messages: float
    logins: float
    by_processor: int
    by_memory: int
    memory: float
    mail: float
    database: float

    @property
    def hosts(self) -> int:
        """The hosts with mailboxes."""
        return max(self.by_processor, self.by_memory)


def size(mailboxes: int, habits: Habits | None = None, figures: Figures | None = None) -> Size:
    """Return what so many mailboxes take. Each host does all there is to do for its mailboxes."""
    habits, figures = habits or Habits(), figures or Figures()
    messages, logins = (mailboxes * each * habits.busiest / 3600 for each in (habits.messages, habits.logins))
    busy = messages / figures.messages + logins / figures.logins
    memory = mailboxes * habits.connected * figures.connection / 1024
    usable = figures.memory * habits.used - figures.idle / 1024
    return Size(
        messages,
        logins,
        math.ceil(busy / habits.used),
        math.ceil(memory / usable),
        memory,
        mailboxes * habits.stored / 1000,
        figures.empty + mailboxes * figures.row / 1000,
    )


def table(mailboxes: tuple[int, ...] = MAILBOXES, habits: Habits | None = None) -> Table:
    """Return the table of what mailboxes take."""
    sizes = [size(each, habits) for each in mailboxes]
    rows = {
        "messages a second, in the busiest hour": [f"{each.messages:,.1f}" for each in sizes],
        "logins a second": [f"{each.logins:,.1f}" for each in sizes],
        "hosts, by the processors": [f"{each.by_processor:,}" for each in sizes],
        "hosts, by the memory": [f"{each.by_memory:,}" for each in sizes],
        "hosts with mailboxes": [f"{each.hosts:,}" for each in sizes],
        "memory of IMAP connections, all hosts": [f"{each.memory:,.1f} GiB" for each in sizes],
        "mail on disks, one copy": [f"{each.mail:,.0f} TB" for each in sizes],
        "the same, on each host": [f"{each.mail / each.hosts:,.1f} TB" for each in sizes],
        "the database": [f"{each.database:,.0f} MB" for each in sizes],
    }
    columns = ("mailboxes", *(f"{each:,}" for each in mailboxes))
    return Table("", columns, [[name, *cells] for name, cells in rows.items()])


def main() -> None:
    """Print the table, for the numbers and the habits that are given."""
    parser = argparse.ArgumentParser(prog="python -m bench.size", description=__doc__)
    parser.add_argument("mailboxes", metavar="MAILBOXES", nargs="*", type=int)
    for name, value in Habits()._asdict().items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"default: {value}")
    given = vars(parser.parse_args())
    mailboxes = tuple(given.pop("mailboxes")) or MAILBOXES
    print(table(mailboxes, Habits(**given)))


if __name__ == "__main__":
    main()
