"""Each component proves something, with advice for the case that it fails."""

from __future__ import annotations

from typing import Any

import pytest

from mailstack import Settings
from mailstack.facts.platform import RELEASES, Platform
from tests.support.sites import site, whole

#: A component that is only on a host with this setting, and works with all others.
EVERYTHING: dict[str, Any] = {
    "mail_hostname": "mail.example.org",
    "mail_acme": True,
    "mail_acme_email": "admin@example.org",
    "mail_antivirus": True,
    "mail_firewall": True,
    "mail_metrics": True,
    "mail_smtp_tls_reports": True,
    "mail_web": True,
}


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
@pytest.mark.parametrize("platform", RELEASES)
def test_every_component_proves_something_and_says_what_to_do(platform: Platform, engine: str) -> None:
    """A component without a probe would fail in silence."""
    here = site(Settings(**(EVERYTHING | {"mail_db_engine": engine})))
    seen = set()
    for component in whole(here):
        probes = component.probes(here, platform)
        assert probes, f"{component.name} has no probe: Component.probes"
        for probe in probes:
            assert probe.title and probe.script
            assert len(probe.advice) > 20, f"{component.name}: {probe.title}: what can a person do?"
            assert not probe.advice.endswith(".")
        seen.add(component.name)
    assert {"acme", "clamav", "mta_sts", "passwords", "redis", "srs", "tls", "tls_reports", "web"} <= seen
