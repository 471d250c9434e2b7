"""Domains, users and aliases: one at a time from the command line, or declared in the inventory.

.. code:: shell

    pyinfra INVENTORY mailstack.accounts.domain example.org
    pyinfra INVENTORY mailstack.accounts.user alice@example.org quota_mb=2000
    pyinfra INVENTORY mailstack.accounts.alias info@example.org alice@example.org

A password is never an argument: arguments are in the process list, in the shell's history and in pyinfra's
output. Every operation shows its changes row by row, under ``--dry`` too, and writes them in one transaction.

In a deploy of your own, each operation plans on the rows that the operations before it will write. It returns
pyinfra's ``OperationMeta``:

.. code:: python

    mail_server.deploy(settings)
    new = accounts.domain("example.net")
    accounts.user("anna@example.net", password_from="env:ANNA", name="Anna", _if=new.did_change)
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from pyinfra.api.exceptions import OperationValueError

from mailstack.accounts.aliases import alias
from mailstack.accounts.convert import convert
from mailstack.accounts.domains import alias_domain, domain, relay_domain
from mailstack.accounts.export import export
from mailstack.accounts.import_mail import import_mail
from mailstack.accounts.imports import postfixadmin
from mailstack.accounts.inventory import declared
from mailstack.accounts.look import list, show
from mailstack.accounts.move import move
from mailstack.accounts.users import app_password, rename, sender, user
from mailstack.settings.errors import nearest

__all__ = [
    "alias",
    "alias_domain",
    "app_password",
    "convert",
    "declared",
    "domain",
    "export",
    "import_mail",
    "list",
    "move",
    "postfixadmin",
    "relay_domain",
    "rename",
    "sender",
    "show",
    "user",
]


def _no_command(path: str) -> OperationValueError:
    commands = [command for command in __all__ if command != "declared"]
    close = nearest(path.rpartition(".")[2], commands)
    listed = ", ".join(commands)
    return OperationValueError(
        f"there is no command {path}{close}; allowed: {__name__}.NAME, where NAME is one of {listed}"
    )


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Raise ``OperationValueError`` for an unknown command, which pyinfra looks up here."""
        if name.startswith("_") or find_spec(f"{__name__}.{name}"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        raise _no_command(f"{__name__}.{name}")


class _Module(ModuleType):
    """A module that was named as a command: pyinfra's command line calls any object that it finds."""

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        """Raise ``OperationValueError``."""
        raise _no_command(self.__name__)


def answer_for_modules() -> None:
    """Make modules of this package raise a clear error when the command line calls one as a command."""
    package = __name__.partition(".")[0]
    for name, module in sys.modules.items():
        if name.partition(".")[0] == package and type(module) is ModuleType:
            module.__class__ = _Module
