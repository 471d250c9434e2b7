"""Where imported mail comes from, and the logins there."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pyinfra.api.exceptions import OperationValueError

from mailstack import addresses

ALLOWED = (
    "allowed: imaps://HOST, imaps://HOST:PORT, imap://HOST (STARTTLS), maildir:/PATH or mbox:/PATH, "
    "with %u, %n and %d for the address, its local part and its domain"
)
_TLS = {"imaps": ("imaps", 993), "imap": ("starttls", 143)}


class Login(NamedTuple):
    """A user's login at another server."""

    name: str
    password: str


class Source(NamedTuple):
    """Where the mail of some users is.

    + kind: ``imap``, ``maildir`` or ``mbox``
    + values: of ``imap``, its ``host``, ``port`` and ``tls``; of the others, its ``path``
    """

    kind: str
    values: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Source:
        """Return the source of this text. Raises ``OperationValueError`` if it is none."""
        kind, _, path = text.partition(":")
        if kind in ("maildir", "mbox"):
            if not path.startswith("/") or not path.isprintable():
                raise OperationValueError(f"source = {text!r}: not a path from the root; {ALLOWED}")
            return cls(kind, {"path": path})
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise OperationValueError(f"source = {text!r}: {error}; {ALLOWED}") from None
        if parts.username is not None or parts.password is not None:
            # not quoted, as it may have a password
            raise OperationValueError(
                "source: no login in it, as others can see it; allowed: login and password_from"
            )
        if parts.scheme not in _TLS or not host or parts.path.strip("/") or parts.query or parts.fragment:
            raise OperationValueError(f"source = {text!r}: {ALLOWED}")
        tls, usual = _TLS[parts.scheme]
        return cls("imap", {"host": host, "port": port or usual, "tls": tls})

    def of(self, email: str) -> dict[str, Any]:
        """Return the source of one user."""
        values = dict(self.values)
        if "path" in values:
            values["path"] = posixpath.normpath(expanded(values["path"], email))
        return {"kind": self.kind, **values}


def expanded(text: str, email: str) -> str:
    """Return a text with the address for ``%u``, its local part for ``%n`` and its domain for ``%d``."""
    local, _, domain = email.rpartition("@")
    values = {"%u": email, "%n": local, "%d": domain, "%%": "%"}

    def value(found: re.Match[str]) -> str:
        if found[0] not in values:
            raise OperationValueError(f"{found[0]} in {text!r}: allowed: %u, %n, %d and %%")
        return values[found[0]]

    return re.sub("%.?", value, text)


def logins_in(file: str) -> dict[str, Login]:
    """Return each user's login from a file of lines ``ADDRESS,LOGIN,PASSWORD`` (CSV, RFC 4180), in UTF-8.

    Raises ``OperationValueError`` for a file that can't be read, or with the number of a wrong line. It never
    has the line's text, which may be a password.
    """
    path = Path(file).expanduser()
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.reader(opened, strict=True))
    except OSError as error:
        raise OperationValueError(f"logins = {file!r}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise OperationValueError(
            f"logins = {file!r}: not a CSV file in UTF-8: ADDRESS,LOGIN,PASSWORD"
        ) from None
    found: dict[str, Login] = {}
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        place = f"logins = {file!r}, row {number}"
        if len(row) != 3 or not all(row) or any(char in field for field in row for char in "\0\r\n"):
            raise OperationValueError(
                f"{place}: needs three fields, none of them empty: ADDRESS,LOGIN,PASSWORD"
            )
        try:
            email = addresses.address_key(row[0])
        except ValueError:
            raise OperationValueError(f"{place}: its first field is no address") from None
        if email in found:
            raise OperationValueError(f"{place}: {email} has another row before it")
        found[email] = Login(row[1], row[2])
    if not found:
        raise OperationValueError(f"logins = {file!r}: it is empty; it needs lines ADDRESS,LOGIN,PASSWORD")
    return found
