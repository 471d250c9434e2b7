"""Other clusters of PostgreSQL on the host, none at all, and what is left of some."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import deploys, sample_accounts
from tests.support.refused_runs import LOOK, refused

pytestmark = pytest.mark.postgresql

VERSION = {12: "15", 13: "17"}
#: Configuration that stays in /etc after packages or data are removed.
STALE = "data_directory = '/var/lib/postgresql/13/main'\nport = 5432\n"


def test_beside_another_cluster(factory: Factory, installed: str, debian: int) -> None:
    """A cluster on the same port stops the run; with another port, the run creates its own cluster."""
    target = factory("clusters", image=installed)
    version = VERSION[debian]
    # pg_renamecluster(1) can't do it on a file system of Docker
    target.exec(f"pg_dropcluster --stop {version} main; pg_createcluster --start -p 5432 {version} other")
    before = target.exec(LOOK).stdout
    run = target.pyinfra("-y", "deploy.py", data=sample_accounts.data())
    refused(target, run, f"mail_db_port = 5432: the PostgreSQL cluster {version}/other of this host has that")
    assert target.exec(LOOK).stdout == before

    target.exec(
        "mkdir -p /etc/postgresql/13/main && cat > /etc/postgresql/13/main/postgresql.conf", input=STALE
    )
    data = sample_accounts.data(mail_db_port=5434)
    deploys.run(target, data)
    deploys.assert_mail_flows(target)
    for port, name in ((5432, "other"), (5434, "main")):
        shown = target.exec(f"cd /; runuser -u postgres -- psql -p {port} -XAtc 'SHOW cluster_name'").stdout
        assert shown.strip() == f"{version}/{name}"
    assert target.exec("find /etc/postgresql/13").stdout.count("\n") == 3
    deploys.assert_converged(target, data)


def test_a_configuration_without_data(factory: Factory, installed: str, debian: int) -> None:
    target = factory("clusters", image=installed)
    version = VERSION[debian]
    target.exec(f"pg_ctlcluster {version} main stop; rm -rf /var/lib/postgresql/{version}/main")
    before = target.exec(LOOK).stdout
    run = target.pyinfra("-y", "deploy.py", data=sample_accounts.data())
    refused(
        target, run, f"the PostgreSQL cluster {version}/main has a configuration and no data on this host"
    )
    assert target.exec(LOOK).stdout == before
