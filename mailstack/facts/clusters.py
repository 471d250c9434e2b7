"""The clusters of PostgreSQL on a host, and the one for the mail database.

pg_lsclusters(1) lists the same, but takes longer than everything else that a run reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailstack.facts.fact import Value
from mailstack.shell import script
from mailstack.text import lines_of

NAME = "main"
"""The name of the cluster that Debian's package creates."""
PORT = 5432
OLDEST = 15
"""The oldest major version that runs the SQL."""

COMMAND = script("clusters")

_MOVED = "; if the mail database has moved to {0}: touch /etc/postgresql/{0}/conf.d/mailstack.conf"


@dataclass(frozen=True)
class Cluster(Value):
    """One cluster, as its configuration describes it.

    + flags: ``binaries``: its version is installed; ``data``: its data directory exists; ``ours``: mailstack
      has configured it; ``block``: its ``pg_hba.conf`` has mailstack's block; ``starts``: it is running, or
      starts at boot; ``standby``: it follows a primary; ``used``: it has databases or tables of someone
    """

    version: str
    name: str
    port: int
    flags: frozenset[str]

    def __str__(self) -> str:
        return f"{self.version}/{self.name}"

    def has(self, *flags: str) -> bool:
        """Return whether it has all of these flags."""
        return self.flags.issuperset(flags)


def parse(output: str) -> list[Cluster]:
    """Return the clusters in the output of ``COMMAND``, which may have other lines too."""
    found = []
    for line in lines_of(output):
        if line.startswith("cluster "):
            _, path, port, *flags = line.split()
            version, _, name = path.partition("/")
            found.append(Cluster(version, name, int(port), frozenset(flags)))
    return found


def version_for_mail(clusters: Iterable[Cluster]) -> str | None:
    """Return the version of the existing cluster for the mail database, or ``None``.

    It is the cluster that mailstack has configured, of two the newer; else the one on the usual port. If that
    cluster is switched off, and another has its port and mailstack's block, pg_upgradecluster(1) has moved
    the database: it copies ``pg_hba.conf``, but not ``conf.d``. A cluster without the block may be empty, and
    with an empty database all recipients get a permanent error.
    """
    usable = [
        cluster
        for cluster in clusters
        if cluster.name == NAME and cluster.has("binaries", "data") and float(cluster.version) >= OLDEST
    ]
    chosen = [cluster for cluster in usable if cluster.has("ours")]
    chosen = chosen or [cluster for cluster in usable if cluster.port == PORT]
    if chosen and not any(cluster.has("starts") for cluster in chosen):
        ports = {cluster.port for cluster in chosen}
        chosen += [cluster for cluster in usable if cluster.port in ports and cluster.has("starts", "block")]
    return max((cluster.version for cluster in chosen), key=float, default=None)


def problem(clusters: Iterable[Cluster], version: str, port: int) -> str | None:
    """Return why the cluster ``main`` of this version can't listen on this port, or ``None``."""
    for cluster in clusters:
        if (cluster.version, cluster.name) != (version, NAME):
            if cluster.port == port and cluster.has("binaries", "data", "starts"):
                newer = cluster.name == NAME and float(cluster.version) > float(version)
                return (
                    f"mail_db_port = {port}: the PostgreSQL cluster {cluster} of this host has that port; "
                    f"allowed: a port that pg_lsclusters does not show, for the cluster {version}/{NAME}"
                    f"{_MOVED.format(cluster) if newer else ''}"
                )
        elif not cluster.has("data"):
            return (
                f"the PostgreSQL cluster {cluster} has a configuration and no data on this host: bring its "
                f"data back, or move /etc/postgresql/{cluster} away for a new one"
            )
    return None
