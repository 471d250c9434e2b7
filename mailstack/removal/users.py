"""The users whose mail a removal would take, or leave where nobody looks for it."""

from __future__ import annotations

import posixpath
import quopri
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailstack.engines.lookups import USERS_MAIL
from mailstack.facts.fact import Question
from mailstack.facts.lookups import TABLE, Connection, asking, connection_of

if TYPE_CHECKING:
    from mailstack.components.component import Site

_NAMED = 20
"""How many users are named."""


class Home(NamedTuple):
    """A user with a ``home_directory``.

    + backend: as in ``mail_users``
    """

    email: str
    backend: str | None
    path: str


class UsersMail(NamedTuple):
    """Where the mail of users is.

    + numbers: the number of users by their backend, as in ``mail_users``, and the address of one of them
    """

    numbers: dict[str | None, tuple[int, str]]
    homes: tuple[Home, ...] = ()


class Users(Question["UsersMail | None"]):
    """Return where the mail of users is, or ``None`` if the database does not answer.

    A host without mail has none, and one whose removal has begun: it was asked then.
    """

    def command(self, by: Connection) -> str:
        """Ask by this connection."""
        return self.asking([by])

    @staticmethod
    def ask(about: Sequence[Connection]) -> str:
        """See ``Question.ask``."""
        (by,) = about
        return f"if [ -e {TABLE} ]; then\n{asking(by, USERS_MAIL)}\nelse echo .; fi"

    def parse(self, output: str) -> UsersMail | None:
        """See ``Question.parse``: the first row is a dot."""
        answered, _, rest = output.rstrip("\n").partition(",")
        if answered != ".":
            return None
        numbers: dict[str | None, tuple[int, str]] = {}
        homes = []
        for row in rest.split(",") if rest else ():
            email, *words = row.split(" ")
            stored, what = (quopri.decodestring(word.encode()).decode() for word in words)
            backend = None if stored == "-" else stored
            if what.startswith("/"):
                homes.append(Home(email, backend, what))
            else:
                numbers[backend] = int(what), email
        return UsersMail(numbers, tuple(sorted(homes, key=lambda home: home.email)))


def users_of(site: Site) -> Users:
    """Return the question for this host."""
    return Users.of(connection_of(site))


def problem(site: Site, mail: UsersMail | None) -> str | None:
    """Return why the mail of this host can't be deleted while others of its server stay, or ``None``.

    A run with all hosts of the server removes it as a whole.
    """
    several = site.backends
    if several is None or {node.name for node in several.mail_hosts} <= site.topology.reached:
        return None
    if mail is None:
        return (
            "the database does not answer, and it alone knows whose mail is here; allowed meanwhile: "
            "option data archive or keep"
        )
    found = [number for backend, number in mail.numbers.items() if _is_here(site, backend)]
    if not found:
        return None
    number, one = sum(number for number, _ in found), min(email for _, email in found)
    return (
        f"users with their mail here: {number}, such as {one}; allowed: `mailstack move` first, "
        "which leaves out disabled ones, a run with all hosts of the server, or option data archive or keep"
    )


def elsewhere(site: Site, mail: UsersMail | None) -> Iterator[str]:
    """Yield a line for each directory outside ``mail_home_root`` that has a user's mail, and stays."""
    root = posixpath.normpath(site.settings.mail_home_root)
    found = [
        home
        for home in (mail.homes if mail else ())
        if not posixpath.normpath(home.path).startswith(f"{root}/") and _is_here(site, home.backend)
    ]
    for home in found[:_NAMED]:
        yield f"the mail of {home.email} stays in {home.path}"
    if more := len(found[_NAMED:]):
        yield f"the mail of {more} more users stays outside {root}"


def _is_here(site: Site, backend: str | None) -> bool:
    """Return whether mail of this backend is on the host, or moves from it or to it."""
    several = site.backends
    return several is None or several.here.name in (backend or several.nodes[0].name).split(">")
