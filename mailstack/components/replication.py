"""What several hosts with one database need to trust each other, and the hosts that ask them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack import secrets
from mailstack.components.component import Component, Site
from mailstack.components.declarations import ServiceProbe
from mailstack.files import Directory, Entry, File, Kept
from mailstack.operations.own_ca import Authority, OwnCertificate
from mailstack.operations.units import mark
from mailstack.replication import (
    AUTHORITY,
    CA,
    CERTIFICATE,
    DIRECTORY,
    KEY,
    PASSWORD_FILE,
    REPLICATION_PASSWORD,
    ROLE,
)
from mailstack.shell import script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.operations.created import Created


class Replication(Component):
    """The CA of hosts with one database, and a certificate for each. Part of each component that asks it."""

    name = "replication"
    title = "Replication"

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.topology.is_replicated(site.settings)

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("openssl",)

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``: a standby makes its certificate once it has the primary's CA."""
        return [Authority(CA), self.certificate(site)] if site.runs_primary else []

    def certificate(self, site: Site) -> OwnCertificate:
        """Return the certificate of this host's PostgreSQL."""
        address = site.here.reachable_at
        return OwnCertificate(
            CA,
            f"of PostgreSQL for {address}",
            CERTIFICATE,
            KEY,
            "localhost",
            address,
            "IP:127.0.0.1,IP:::1",
            "postgres",
            mark("postgresql", "reload"),
        )

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        authority = File(AUTHORITY, f"{secrets.placeholder(CA, 'certificate')}\n", activation=None)
        return [Directory(DIRECTORY), authority, *(self._of_server(site) if site.runs_database else [])]

    def _of_server(self, site: Site) -> list[Entry]:
        path = f"{secrets.DIRECTORY}/{CA}"
        password = secrets.placeholder(REPLICATION_PASSWORD, "pgpass")
        return [
            Directory(secrets.DIRECTORY, mode=0o700),
            File(path, f"{secrets.placeholder(CA)}\n", mode=0o600, activation=None)
            if site.has_standby
            else Kept(path, mode=0o600),
            Kept(CERTIFICATE),
            Kept(KEY, group="postgres", mode=0o640),
            File(
                PASSWORD_FILE,
                f"*:*:*:{ROLE}:{password}\n",
                owner="postgres",
                group="postgres",
                mode=0o600,
                activation=None,
            ),
        ]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        files = [AUTHORITY, *([CERTIFICATE, KEY, PASSWORD_FILE] if site.runs_database else [])]
        return [
            ServiceProbe(
                "the certificates between hosts with the database are there",
                script("probe_files", *files),
                "pyinfra INVENTORY deploy.py makes them again",
            )
        ]


REPLICATION = Replication()
