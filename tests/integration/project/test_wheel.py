"""The wheel alone in an environment: an administrator's deploys import one component each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets import local
from tests.targets.shell import locked

LOOKUP_PASSWORD = "given to all three"
SETTINGS = f"mail_hostname={sample_accounts.HOSTNAME!r}, mail_db_lookup_password={LOOKUP_PASSWORD!r}"
DEPLOY = """
from mailstack import Settings, {component}

{component}.deploy(Settings({settings}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, and a virtual environment with it alone, made once for all workers."""
    own = tmp_path_factory.getbasetemp()
    directory = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "wheel"
    with locked("wheel"):
        if not (directory / "complete").exists():
            wheel = local.build_wheel(directory)
            for command in (
                [sys.executable, "-m", "venv", str(directory / "venv")],
                [str(directory / "venv" / "bin" / "pip"), "install", "--quiet", str(wheel)],
            ):
                subprocess.run(command, check=True, timeout=300)
            (directory / "complete").touch()
    return directory


@pytest.fixture(scope="module")
def pyinfra(environment: Path) -> Path:
    """Return the pyinfra of an environment into which only the wheel was installed."""
    return environment / "venv" / "bin" / "pyinfra"


# what is in the wheel does not depend on the host: test_components.py has both releases
@pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)
def test_each_component_alone(bare: Factory, pyinfra: Path, tmp_path: Path) -> None:
    target = bare("wheel")
    run = _runner(pyinfra, tmp_path, target.name)

    run("postgres", DEPLOY.format(component="postgres", settings=SETTINGS))
    assert "mail_alias" in target.exec("cd /; runuser -u postgres -- psql -XAtc '\\dt' mail").stdout
    assert target.exec("command -v postconf doveconf", check=False).returncode != 0
    for account in (["domain", "example.org"], ["user", sample_accounts.ALICE, "password_from=env:PASSWORD"]):
        run("accounts", f"mailstack.accounts.{account[0]}", *account[1:])

    elsewhere = f"{SETTINGS}, mail_db_host='127.0.0.1'"
    run("postfix", DEPLOY.format(component="postfix", settings=elsewhere))
    assert target.exec("command -v doveconf", check=False).returncode != 0
    assert [clients.replies(target, to) for to in (sample_accounts.ALICE, sample_accounts.BOB)] == [250, 550]
    with clients.smtp(target, starttls=True) as session:
        assert session.noop()[0] == 250
    # rspamd came with it, and has asked the database by TCP
    keys = "test -s /var/lib/rspamd/dkim/example.org/current"
    clients.eventually(lambda: not target.exec(keys, check=False).returncode, "no keys were made", 180)

    run("dovecot", DEPLOY.format(component="dovecot", settings=elsewhere))
    with clients.imap(target, sample_accounts.ALICE) as mailbox:
        assert mailbox.noop()[0] == "OK"


def _runner(pyinfra: Path, directory: Path, container: str) -> Callable[..., None]:
    """Return a function that runs an operation, or a deploy's text twice, which must then change nothing."""
    inventory = directory / "inventory.py"
    inventory.write_text(
        f"hosts = [('@docker/{container}', {{'mail_hostname': {sample_accounts.HOSTNAME!r}}})]\n"
    )
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PASSWORD"] = sample_accounts.PASSWORDS[sample_accounts.ALICE]

    def run(name: str, deploy: str, *args: str) -> None:
        if deploy.startswith("\n"):
            (directory / f"{name}.py").write_text(deploy)
        for expected in (True, False):
            what = [f"{name}.py"] if deploy.startswith("\n") else [deploy, *args]
            command = [str(pyinfra), "-y", "--json", str(inventory), *what]
            done = subprocess.run(
                command, cwd=directory, env=env, capture_output=True, text=True, timeout=600, check=False
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
            operations = json.loads(done.stdout)["results"]["operations"]
            assert any(operation["success"] for operation in operations) == expected, name

    return run
