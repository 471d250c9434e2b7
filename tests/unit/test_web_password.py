"""The script that makes the password of the web interface, without rspamadm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mailstack.shell import script, shell

#: Hashes as rspamadm does, of what it reads; it fails while there is a file "broken".
RSPAMADM = """#!/bin/sh
[ ! -e broken ] || { echo "no such module"; exit 0; }
read -r text; echo "\\$2\\$hash of $text"
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name, text in {"rspamadm": RSPAMADM, "chgrp": "#!/bin/sh\n"}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def make(host: Path, password: str) -> int:
    """Run the script, and return its exit status."""
    paths = [str(host / name) for name in ("secrets/web", "rspamd/web.inc", "marks/rspamd.reload")]
    command = shell(script("web_password", *paths), password)
    env = {"PATH": f"{host / 'bin'}:{os.environ['PATH']}"}
    text = str(command.connector_arguments.get("_stdin"))
    return subprocess.run(["sh"], input=text, text=True, env=env, cwd=host, timeout=60).returncode


def test_a_password_is_made_once_and_hashed(host: Path) -> None:
    assert make(host, "first") == 0
    assert (host / "secrets/web").read_text() == "first\n"
    assert (host / "secrets/web").stat().st_mode & 0o777 == 0o600
    assert (host / "rspamd/web.inc").read_text() == 'password = "$2$hash of first";\n'
    assert (host / "rspamd/web.inc").stat().st_mode & 0o777 == 0o640
    assert (host / "marks/rspamd.reload").exists()
    (host / "rspamd/web.inc").unlink()
    assert make(host, "second") == 0
    assert (host / "secrets/web").read_text() == "first\n"
    assert (host / "rspamd/web.inc").read_text() == 'password = "$2$hash of first";\n'


def test_without_a_hash_there_is_no_file_for_rspamd(host: Path) -> None:
    (host / "broken").touch()
    assert make(host, "first") != 0
    assert not (host / "rspamd/web.inc").exists()
