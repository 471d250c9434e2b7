"""What components declare is true of a host: its ports are those that listen, its probes prove something."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.components.component import Site
from mailstack.components.declarations import ServiceProbe
from mailstack.facts.platform import RELEASES
from tests.integration.conftest import Factory
from tests.support import sample_accounts
from tests.support.sites import site, whole
from tests.targets.containers import Target

#: The target's own.
SSH = 22


@pytest.fixture
def here(db_engine: str) -> Site:
    """Return the standard server as its components see it."""
    return site(Settings.from_data(sample_accounts.data()))


@pytest.mark.both_engines
def test_the_declared_ports_are_those_that_listen(server: Target, here: Site) -> None:
    declared = {port.number for each in whole(here) for port in each.ports(here)}
    addresses = server.exec("ss -Hltn | awk '{print $4}'").stdout.split()
    for_others = [address for address in addresses if not address.startswith(("127.", "[::1]"))]
    listening = {int(address.rpartition(":")[2]) for address in for_others}
    assert listening - {SSH} == declared


def failed(target: Target, probes: list[ServiceProbe]) -> list[str]:
    """Return the probes that prove nothing now."""
    return [probe.title for probe in probes if target.exec(probe.script, check=False).returncode]


@pytest.mark.both_engines
def test_probes_prove_what_they_say(clone: Factory, debian: int, here: Site) -> None:
    target = clone("probes")
    (platform,) = [release for release in RELEASES if release.debian == debian]
    probes = [probe for each in whole(here) for probe in each.probes(here, platform)]
    assert failed(target, probes) == []
    database = here.settings.db_kind.unit
    target.exec(f"systemctl stop {database} 'postgresql@*'")
    has_database = "PostgreSQL" if here.settings.mail_db_engine == "postgresql" else "MariaDB"
    assert failed(target, probes) == [
        f"{has_database} has the mail database",
        "Dovecot finds users in the database",
        "Postfix can ask the database",
    ]
    target.exec(f"systemctl start {database}; systemctl stop postfix")
    assert "Postfix runs" in failed(target, probes)
