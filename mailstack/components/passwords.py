"""The passwords of the database roles, kept on the host with the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack import secrets
from mailstack.components.component import Component, Site
from mailstack.components.declarations import ServiceProbe, State
from mailstack.database_passwords import given
from mailstack.engines import PASSWORDS, WEBMAIL_PASSWORD, passwords_of
from mailstack.files import Directory, Entry, File, Kept
from mailstack.operations.kept_secrets import Password
from mailstack.replication import REPLICATION_PASSWORD
from mailstack.shell import script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.operations.created import Created


class Passwords(Component):
    """Passwords that the settings lack are generated once. Part of each component that needs a password."""

    name = "passwords"
    title = "Passwords"

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``: other hosts read them from the host with the database."""
        return site.runs_database

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: for ``mailstack.verify`` on a host with the database alone."""
        return ("python3",)

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``."""
        if site.settings.mail_db_auth == "peer" or site.has_standby:
            return ()
        return [Password(name) for name in self._names(site) if name not in given(site.settings)]

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        # one generated before the settings changed is no longer used
        wanted = () if site.settings.mail_db_auth == "peer" else self._names(site)
        kept = [
            self._file(site, name)
            if name in wanted
            else File(f"{secrets.DIRECTORY}/{name}", None, activation=None)
            for name in (*PASSWORDS, WEBMAIL_PASSWORD, REPLICATION_PASSWORD)
        ]
        return [Directory(secrets.DIRECTORY, mode=0o700), *kept]

    def _names(self, site: Site) -> tuple[str, ...]:
        """Return the names of the passwords of all roles."""
        replication = [REPLICATION_PASSWORD] if site.topology.is_replicated(site.settings) else []
        return (*passwords_of(site.settings), *replication)

    def _file(self, site: Site, name: str) -> Entry:
        """Return a password's file; a standby has a copy of the primary's, as it may be promoted."""
        path = f"{secrets.DIRECTORY}/{name}"
        if site.has_standby and name not in given(site.settings):
            return File(path, f"{secrets.placeholder(name)}\n", mode=0o600, activation=None)
        return Kept(path, mode=0o600)

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``."""
        return [State(secrets.DIRECTORY, "secrets")]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        names = () if site.settings.mail_db_auth == "peer" else self._names(site)
        kept = [f"{secrets.DIRECTORY}/{name}" for name in names if name not in given(site.settings)]
        return [
            ServiceProbe(
                "the passwords of the database are kept",
                script("probe_files", *kept),
                "pyinfra INVENTORY deploy.py makes new ones, and gives them to the database",
            )
        ]


PASSWORDS_OF_DATABASE = Passwords()
