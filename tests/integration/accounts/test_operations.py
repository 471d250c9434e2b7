"""Account operations in an administrator's deploy: each plans on the rows of those before it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.releases import on_debian_13
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.both_engines

ANNA = "anna@compose.example"
SETTINGS = "settings = Settings(**{data!r})\n\nmail_server.deploy(settings)"
ACCOUNTS = """
new = accounts.domain("compose.example")
anna = accounts.user("anna@compose.example", password_from="env:PW", name="Anna", _if=new.did_change)
again = accounts.user("anna@compose.example", quota_mb=5)
accounts.alias("info@compose.example", ["anna@compose.example", "nobody@compose.example"])
accounts.alias_domain("other.example", "compose.example")
accounts.sender("anna@compose.example", "press@other.example")
server.shell(name="Welcome", commands=["echo hello >> /root/welcome"], _if=anna.did_change)
"""
DEPLOY = """from pyinfra.operations import server

from mailstack import Settings, accounts, mail_server

"""


def run(target: Target, directory: Path, first: str, *args: str, **options: Any) -> PyinfraRun:
    """Run a deploy with settings of its own, not of the inventory."""
    script = directory / "compose.py"
    data = {
        "mail_hostname": sample_accounts.HOSTNAME,
        "mail_db_engine": sample_accounts.data().get("mail_db_engine"),
        "mail_rspamd": False,
        "mail_srs": False,
        "mail_resolver": False,
    }
    given = {name: value for name, value in data.items() if value is not None}
    script.write_text(DEPLOY + first.format(data=given) + ACCOUNTS)
    return target.pyinfra(*args, str(script), env={**os.environ, "PW": "anna's word"}, **options)


# operations plan here, and not on the host: the last test has both releases
@on_debian_13
def test_on_a_bare_host_a_dry_run_shows_all_of_it(bare: Factory, db_engine: str, tmp_path: Path) -> None:
    target = bare("compose")
    dry = run(target, tmp_path, SETTINGS, "--dry", "--json").check()
    for line in (
        "+ domain compose.example",
        f"+ user {ANNA}",
        f"~ user {ANNA}: quota_mb none -> 5",
        f"+ alias info@compose.example -> {ANNA}",
        "alias info@compose.example -> nobody@compose.example: there is no such address",
        "+ alias domain other.example",
        f"+ sender {ANNA} -> press@other.example",
    ):
        assert line in dry.stderr
    assert {"Accounts | Domain compose.example", "Accounts | Anna", "Welcome"} <= set(dry.planned)
    alone = target.pyinfra("-y", "mailstack.accounts.domain", "compose.example", data=sample_accounts.data())
    assert alone.returncode == 1 and "Traceback" not in alone.stderr
    assert "has no mail database 'mail' that answers: first deploy the mail server" in alone.stderr
    assert target.exec("command -v psql mariadb", check=False).stdout == ""


@on_debian_13
def test_the_deploy_and_then_accounts(
    factory: Factory, installed: str, db_engine: str, tmp_path: Path
) -> None:
    target = factory("compose", image=installed)
    first = run(target, tmp_path, SETTINGS, "-y", "--json", timeout=900).check()
    assert first.changed[-7:] == [
        "Accounts | Domain compose.example",
        "Accounts | Anna",
        f"Accounts | User {ANNA}",
        "Accounts | Alias info@compose.example",
        "Accounts | Alias domain other.example",
        f"Accounts | Sender {ANNA}",
        "Welcome",
    ]
    with clients.imap(target, ANNA, password="anna's word"):
        pass
    assert run(target, tmp_path, SETTINGS, "-y", "--json").check().changed == []
    assert target.read("/root/welcome") == b"hello\n"


def test_accounts_alone_and_with_a_question(clone: Factory, db_engine: str, tmp_path: Path) -> None:
    """Without `-y`, pyinfra first looks for changes; each operation plans on the rows of those before it."""
    target = clone("compose")
    asked = run(target, tmp_path, "", data=sample_accounts.data(), input="\n").check()
    assert "Traceback" not in asked.stderr
    stored = clients.sql(target, f"SELECT quota_mb FROM mail_users WHERE email = '{ANNA}'")
    assert (stored, target.read("/root/welcome")) == ("5", b"hello\n")
    assert run(target, tmp_path, "", "-y", "--json", data=sample_accounts.data()).check().changed == []
