"""A whole mail server: each component, on the hosts that have its role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack import hosts
from mailstack.components.component import site_of
from mailstack.components.converge import converge
from mailstack.components.dovecot import DOVECOT
from mailstack.components.mariadb import MARIADB
from mailstack.components.postfix import POSTFIX
from mailstack.components.postgresql import POSTGRESQL
from mailstack.deploys import deploy as pyinfra_deploy
from mailstack.operations.sql import deploying

if TYPE_CHECKING:
    from mailstack.settings import Settings

COMPONENTS = (POSTGRESQL, MARIADB, DOVECOT, POSTFIX)
"""In the order in which each needs those before it; what they require comes along."""


@pyinfra_deploy("Mail server")
def deploy(settings: Settings) -> None:
    """Turn the host into what its inventory groups say: ``db``, ``mx``, ``imap``, or all of them.

    The accounts come with the database, so that a change of Dovecot's or Postfix's settings does not have
    them read again.
    """
    deploying(settings)  # account operations after this one take these settings, on every host
    site = site_of(settings, hosts.checked(settings))
    converge(settings, [component for component in COMPONENTS if component.is_wanted(site)], whole=True)
