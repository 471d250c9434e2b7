"""A host deployed by a released version is deployed by this one: nothing is lost (`releases/README.md`)."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import backups, clients, deploys, managesieve, sample_accounts
from tests.support.backups import PASSWORD, SCRIPT
from tests.support.sample_accounts import ALICE, BOB, CAROL
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

RELEASES = Path(__file__).with_name("releases")
DATA = sample_accounts.data(mail_postfix_main={"defer_transports": "smtp"})
NEW_SETTINGS = ("mail_rspamd", "mail_srs", "mail_resolver", "mail_fail2ban")
"""Settings of the tests that 0.1.0 does not have."""


def released() -> list[str]:
    """Return the versions that there are."""
    return sorted(path.name.removesuffix(".tar.xz") for path in RELEASES.glob("*.tar.xz"))


def rows(host: Target) -> str:
    """Return the accounts, in columns that every version has."""
    columns = "email, password, quota_mb, home_directory, active"
    return clients.sql(host, f"SELECT {columns} FROM mail_users ORDER BY 1") + clients.sql(
        host, "SELECT source_email, destination_email, active FROM mail_alias ORDER BY 1, 2"
    )


@pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)
@pytest.mark.parametrize("version", released())
def test_a_released_version(factory: Factory, installed: str, tmp_path: Path, version: str) -> None:
    with tarfile.open(RELEASES / f"{version}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    host = factory("released", image=installed)
    data = {name: value for name, value in DATA.items() if name not in NEW_SETTINGS}
    env = {"PYTHONPATH": str(tmp_path)}
    host.pyinfra("-y", "deploy.py", data=data, env=env, cwd=tmp_path, timeout=300).check()
    backups.fill(host, data, tmp_path)
    waits = backups.waiting(host)
    users = {ALICE: None, BOB: None, CAROL: PASSWORD}
    mail = {user: backups.mailboxes(host, user, password) for user, password in users.items()}
    before, files = rows(host), backups.sums(host)

    deploys.run(host, DATA)
    deploys.assert_converged(host, DATA)
    assert rows(host) == before
    assert {user: backups.mailboxes(host, user, password) for user, password in users.items()} == mail
    assert files.items() <= backups.sums(host).items()
    assert waits in host.exec(["postqueue", "-j"]).stdout
    sieve = managesieve.Session(host)
    sieve.starttls()
    assert sieve.login(CAROL, PASSWORD).status == "OK"
    assert SCRIPT.split()[0] in str(sieve.command('GETSCRIPT "mine"'))
    quota = host.exec(["doveadm", "-f", "tab", "quota", "get", "-u", CAROL]).stdout
    assert re.search(rf"STORAGE\t\d+\t{77 * 1024}\t", quota), quota
    deploys.assert_mail_flows(host)
