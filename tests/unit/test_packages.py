"""Services that come with packages are masked until they have our configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailstack.operations.packages import _services
from mailstack.shell import script

DPKG_QUERY = '#!/bin/sh\nfor name; do :; done; [ -e "$STATE/$name" ] && printf installed\n'
SYSTEMCTL = '#!/bin/sh\necho "$*" >> "$STATE/said"\n'


def systemctl(tmp_path: Path, names: Sequence[str], apt: str, installed: Sequence[str] = ()) -> list[str]:
    """List the arguments of each systemctl when `names` are installed, with `apt` as apt-get(8)."""
    for name, text in {
        "dpkg-query": DPKG_QUERY,
        "systemctl": SYSTEMCTL,
        "apt-get": f"#!/bin/sh\n{apt}\n",
        **dict.fromkeys(["rm", "dpkg", "find"], "#!/bin/sh\n"),
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in installed:
        (tmp_path / name).touch()
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "STATE": str(tmp_path)}
    subprocess.run(
        ["sh"], input=script("install_packages", _services(names), *names), text=True, env=env, check=False
    )
    said = tmp_path / "said"
    return said.read_text().splitlines() if said.exists() else []


def test_installed_services_stay_masked(tmp_path: Path) -> None:
    names = ["postgresql", "dovecot-imapd", "postfix", "postfix-pgsql"]
    said = systemctl(tmp_path, names, "touch $STATE/postfix $STATE/dovecot-core")
    assert said == ["mask --quiet postfix.service", "mask --quiet dovecot.service"]


@pytest.mark.parametrize("apt", ["exit 1", "false", "touch $STATE/postfix-pgsql"])
def test_services_that_are_not_installed_are_unmasked(tmp_path: Path, apt: str) -> None:
    said = systemctl(tmp_path, ["postfix", "postfix-pgsql"], apt)
    assert said == ["mask --quiet postfix.service", "unmask --quiet postfix.service"]


def test_an_existing_service_is_left_alone(tmp_path: Path) -> None:
    assert systemctl(tmp_path, ["dovecot-pop3d"], "true", installed=["dovecot-core"]) == []
    assert systemctl(tmp_path, ["openssl"], "true") == []
