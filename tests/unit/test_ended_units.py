"""What no setting asks for any more ends in a run, where it would replace the certificate."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack import Settings
from mailstack.components.acme import ACME
from mailstack.components.metrics import METRICS
from mailstack.components.tls import TLS
from mailstack.facts.platform import RELEASES
from mailstack.facts.units import drop_in_path
from mailstack.files import File
from mailstack.on_host.metrics.__main__ import SHOWN
from mailstack.shell import script
from tests.support.sites import site

ACME_SETTINGS = {"mail_acme": True, "mail_acme_email": "admin@example.net"}
ON_HOST = {"mail_tls_certificate": "host:/etc/a.pem", "mail_tls_key": "host:/etc/b.pem"}
UNITS = "/usr/local/lib/systemd/system"


def settings(**more: Any) -> Settings:
    return Settings(mail_hostname="mail.example.org", **more)


def absent(**more: Any) -> set[str]:
    files = TLS.files(site(settings(**more)), RELEASES[1])
    return {each.path for each in files if isinstance(each, File) and each.content is None}


def test_without_mail_acme_nothing_asks_the_ca() -> None:
    here = site(settings(**ACME_SETTINGS))
    asked = {each.path for each in ACME.files(here, RELEASES[1]) if isinstance(each, File)}
    left = {path for path in asked if "/on_host/" not in path and not path.startswith("/etc/systemd")}
    for given in ({}, ON_HOST):
        assert left <= absent(**given)
        ended = TLS.before_files(site(settings(**given)), RELEASES[1])
        assert f"{UNITS}/mailstack-certificates.timer" in ended
        assert f"{UNITS}/mailstack-certificates.service" in ended
    assert not left & absent(**ACME_SETTINGS)
    assert "mailstack-certificates" not in TLS.before_files(here, RELEASES[1])


def test_without_a_certificate_on_the_host_nothing_watches_it() -> None:
    for given in ({}, ACME_SETTINGS):
        assert f"{UNITS}/mailstack-certificate.path" in absent(**given)
        ended = TLS.before_files(site(settings(**given)), RELEASES[1])
        assert f"{UNITS}/mailstack-certificate.path" in ended
    assert not any(path.endswith("mailstack-certificate.path") for path in absent(**ON_HOST))
    assert "certificate.path" not in TLS.before_files(site(settings(**ON_HOST)), RELEASES[1])


def test_without_mail_metrics_nothing_of_it_runs() -> None:
    on, off = site(settings(mail_metrics=True, mail_metrics_clients=["192.0.2.7"])), site(settings())
    written = {each.path for each in METRICS.files(off, RELEASES[1]) if isinstance(each, File)}
    ended = METRICS.before_files(off, RELEASES[1])
    for unit in METRICS.units(on, RELEASES[1]):
        path = drop_in_path(unit.name) if unit.drop_in else f"{UNITS}/{unit.name}"
        path += "" if path.endswith((".conf", ".timer")) else ".service"
        assert path in written and path in ended
    assert str(SHOWN) in written
    assert {each.content for each in METRICS.files(off, RELEASES[1]) if isinstance(each, File)} == {None}
    assert not METRICS.units(off, RELEASES[1]) and not METRICS.packages(off, RELEASES[1])
    # the file of the exporter keeps it on loopback, if somebody starts it again
    assert "/etc/default/prometheus-node-exporter" not in written


@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize("name", ["a.timer", "a.timer.d/mailstack.conf"])
def test_units_that_are_there_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, stops: bool
) -> None:
    """Of one that an administrator has masked `disable` fails."""
    done, active = tmp_path / "done", tmp_path / "active"
    active.touch()
    fake = f"""#!/bin/sh
echo "$@" >> {done}
case $1 in
  disable) exit 1 ;;
  stop) {f"rm {active}" if stops else "exit 1"} ;;
  is-active) [ -e {active} ] ;;
esac
"""
    (tmp_path / "systemctl").write_text(fake)
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    text = f"set -eu\n(\n{script('end_units', str(file), f'{tmp_path}/b.path')}\n)"
    ran = subprocess.run(["sh"], input=text, capture_output=True, text=True, timeout=60)
    assert done.read_text().splitlines() == [
        "disable --quiet a.timer",
        "stop a.timer",
        "is-active --quiet a.timer",
    ]
    assert (ran.returncode == 0) is stops
    assert ("a.timer does not stop" in ran.stderr) is not stops
