"""Each component proves something, with advice for the case that it fails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack import Settings
from mailstack.facts.platform import RELEASES, Platform
from mailstack.shell import script
from tests.support.sites import site, whole

#: A component that is only on a host with this setting, and works with all others.
EVERYTHING: dict[str, Any] = {
    "mail_hostname": "mail.example.org",
    "mail_acme": True,
    "mail_acme_email": "admin@example.org",
    "mail_antivirus": True,
    "mail_backup_repository": "/srv/backup",
    "mail_firewall": True,
    "mail_metrics": True,
    "mail_smtp_tls_reports": True,
    "mail_web": True,
}


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
@pytest.mark.parametrize("platform", RELEASES)
def test_every_component_proves_something_and_says_what_to_do(platform: Platform, engine: str) -> None:
    """A component without a probe would fail in silence."""
    webmail = {"mail_webmail": engine == "postgresql"}
    here = site(Settings(**(EVERYTHING | {"mail_db_engine": engine} | webmail)))
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
    assert "webmail" in seen


@pytest.mark.parametrize("name", ["probe_postfix_lookup", "probe_tls_policy"])
@pytest.mark.parametrize(
    ("postmap", "passes", "said"),
    [
        ("exit 1", True, ""),
        ("exit 124", False, "no answer"),  # timeout(1) has stopped it
        ("exit 0", False, "no answer"),
        ("echo found", False, "found"),
        ("echo 'postmap: fatal: query error' >&2; exit 1", False, "postmap: fatal: query error"),
    ],
)
def test_a_lookup_passes_only_if_the_table_has_answered(
    name: str, postmap: str, passes: bool, said: str, tmp_path: Path
) -> None:
    program = tmp_path / "postmap"
    program.write_text(f"#!/bin/sh\n{postmap}\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["sh"],
        input=script(name, "proxy:pgsql:/etc/postfix/sql/virtual_domains.cf"),
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode == 0, done.stderr.strip()) == (passes, said)
