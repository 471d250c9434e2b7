"""Read the password of a user created on the command line: never from an argument."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pyinfra.api.exceptions import OperationValueError

_CHOICES = "allowed: env:NAME, file:PATH, stdin or prompt"


def password_source(password_from: str | None, email: str) -> Callable[[], str]:
    """Return a function that returns the password, and prompts for it at most once.

    + password_from: ``env:NAME``, ``file:PATH``, ``stdin``, ``prompt``, or ``None`` to prompt if there is a
      terminal
    + email: the user, as the prompt shows it

    Raises ``OperationValueError`` for an impossible source; the function raises it if there is no terminal to
    prompt at.
    """
    kind, _, name = (password_from or "prompt").partition(":")
    if kind == "env" and name:
        if not os.environ.get(name):
            raise OperationValueError(f"password_from: the environment has no {name}")
        return lambda: _checked(os.environ[name])
    if kind == "file" and name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise OperationValueError(f"password_from: there is no file {path}")
        return lambda: _checked(_text_of(path).removesuffix("\n").removesuffix("\r"))
    if password_from == "stdin":
        if sys.stdin.isatty():  # it would show the password
            raise OperationValueError("password_from: stdin is a terminal here; allowed: prompt")
        return lambda: _checked(_stdin(email))
    if kind == "prompt" and not name:
        return lambda: _prompt(email)
    # not quoted, as it may be the password itself
    raise OperationValueError(f"password_from: not a source of passwords; {_CHOICES}")


@cache  # prompted in the prepare phase, and used again when the operation is executed
def _prompt(email: str) -> str:
    if not sys.stdin.isatty():
        raise OperationValueError(
            f"{email}: no password, and no terminal to ask at; {_CHOICES} (password_from)"
        )
    first = _checked(getpass.getpass(f"Password for {email}: "))
    if getpass.getpass("Again: ") != first:
        raise OperationValueError(f"{email}: the passwords differ")
    return first


@cache  # read once, as the prompt; a second user finds nothing
def _stdin(email: str) -> str:
    return _decoded(sys.stdin.buffer.read(), "stdin").removesuffix("\n").removesuffix("\r")


def _text_of(path: Path) -> str:
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise OperationValueError(f"password_from: {path}: {error.strerror}") from None


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode("utf-8-sig")  # editors on Windows write a byte order mark
    except UnicodeDecodeError:
        raise OperationValueError(f"password_from: {place} is not UTF-8: save it in that encoding") from None


def _checked(password: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in password):  # surrogateescape, of os.environ
        raise OperationValueError("password_from: the password is not UTF-8")
    if not password or any(char in password for char in "\0\r\n"):
        raise OperationValueError("password_from: the password must be one line, and not empty")
    return password
