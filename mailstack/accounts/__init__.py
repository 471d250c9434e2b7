"""Domains, users and aliases: one at a time from the command line, or declared in the inventory's data.

.. code:: shell

    pyinfra INVENTORY mailstack.accounts.domain example.org
    pyinfra INVENTORY mailstack.accounts.user alice@example.org quota_mb=2000
    pyinfra INVENTORY mailstack.accounts.alias info@example.org alice@example.org

A password is never an argument: arguments are in the process list, in the shell's history and in pyinfra's
output. Every operation shows its plan row by row, under ``--dry`` too, and writes it in one transaction.
"""

from __future__ import annotations

from mailstack.accounts.aliases import alias
from mailstack.accounts.domains import alias_domain, domain, relay_domain
from mailstack.accounts.imports import postfixadmin
from mailstack.accounts.inventory import declared
from mailstack.accounts.users import app_password, rename, sender, user

__all__ = [
    "alias",
    "alias_domain",
    "app_password",
    "declared",
    "domain",
    "postfixadmin",
    "relay_domain",
    "rename",
    "sender",
    "user",
]
