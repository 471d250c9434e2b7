"""A whole mail server: each component, on the hosts that have its role."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mailstack import accounts, database_passwords, hosts, interpreter
from mailstack.accounts.inventory import check_declared
from mailstack.components import dovecot, postfix, tls
from mailstack.components.component import component
from mailstack.operations.in_step import check_first
from mailstack.operations.packages import installed
from mailstack.operations.sql import deploying

if TYPE_CHECKING:
    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings


@component("Mail server")
def deploy(settings: Settings) -> None:
    """Turn the host into what its inventory groups say: ``db``, ``mx``, ``imap``, or all of them.

    The components come in the order in which each needs the other. The accounts come with the database, so
    that a change of Dovecot's or Postfix's settings does not have them read again.
    """
    interpreter.spare_work()
    topology = hosts.checked(settings)
    here = topology.here
    deploying(settings)  # account operations after this one take these settings, on every host
    has_database = here.has_role("db") or settings.mail_db_dsn is not None
    database = import_module(f"mailstack.components.{settings.db_kind.component}")

    def packages(platform: Platform) -> list[str]:
        names: list[str] = []
        if here.has_role("db") and settings.mail_db_dsn is None:
            names += database.PACKAGES
        if here.has_mail:
            names += [*tls.PACKAGES, *dovecot.packages(settings, platform.dovecot)]
            names += postfix.packages(settings, platform.postfix)
        return names

    if has_database:
        check_declared(settings)
    owner = topology.database_node(settings)
    if owner is not None and (owner != here or topology.database_clients(settings)):
        check_first(owner.name, database_passwords.store(settings), database_passwords.looked_up(settings))
    first = postfix.before_installation(settings) if here.has_mail else ""
    installed(packages, first)  # all at once: apt takes most of a first deploy
    if has_database:
        database.deploy(settings=settings)
        accounts.declared(settings=settings)
    if here.has_mail:
        dovecot.deploy(settings=settings)
        postfix.deploy(settings=settings)
