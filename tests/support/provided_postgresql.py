"""A PostgreSQL as a provider offers it: over TLS, with an administrator who is not a superuser."""

from __future__ import annotations

from tests.targets.containers import Target


def set_up(target: Target, admin: str, password: str) -> None:
    """Make a bare target such a server.

    + admin: the name of the administrator
    + password: the administrator's
    """
    target.exec(
        "set -e; DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql;"
        " version=$(ls /etc/postgresql);"
        ' pg_dropcluster --stop "$version" main; pg_createcluster "$version" main',
        timeout=300,
    )
    target.exec(
        "set -e; cd /etc/postgresql/*/main; echo \"listen_addresses = '*'\" > conf.d/all.conf; "
        "echo 'hostssl all all 0.0.0.0/0 scram-sha-256' >> pg_hba.conf; systemctl restart postgresql"
    )
    quoted = password.replace("'", "''")
    run_sql(target, f"CREATE ROLE {admin} LOGIN CREATEROLE CREATEDB PASSWORD '{quoted}'")


def run_sql(target: Target, sql: str, *args: str) -> None:
    """Run SQL as the superuser, which is the provider."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-Xq", "-v", "ON_ERROR_STOP=1", *args]
    target.exec(psql, input=sql)
