"""A real upgrade from Debian 12 to 13 by `mailstack.upgrade`, under traffic, and killed twice."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable

import pytest

from tests.integration.conftest import Factory
from tests.support import backups, clients, deploys, sample_accounts
from tests.support.numbered_traffic import watch
from tests.support.sample_accounts import ALICE, BOB, CAROL, STRANGER
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.postgresql

DATA = sample_accounts.data(mail_postfix_main={"defer_transports": "smtp"})
COMMAND = ("-y", "mailstack.upgrade", "without_backup=true")
TABLES = ("mail_domain", "mail_users", "mail_alias", "mail_app_password")
PROGRESS = "cat /run/mailstack-upgrade/progress.json 2>/dev/null; true"
KILL = "systemctl kill -s KILL mailstack-upgrade"
NEW_CLUSTER = "ls /var/lib/postgresql/17/main/PG_VERSION 2>/dev/null; true"


def upgrade(host: Target, *more: str) -> PyinfraRun:
    """Call the command."""
    return host.pyinfra(*COMMAND, *more, data=DATA, timeout=900)


def said(run: PyinfraRun) -> str:
    """Return the output of a run on one line."""
    return " ".join(run.stderr.split())


def rows(host: Target) -> dict[str, str]:
    """Return all rows about accounts."""
    query = "SELECT coalesce(json_agg(t ORDER BY t::text), '[]') FROM {} t"
    return {table: clients.sql(host, query.format(table)) for table in TABLES}


def at(host: Target, step: str, percent: int = 0) -> bool:
    """Return whether the upgrade is at a step, and so much of it is done."""
    found = json.loads(host.exec(PROGRESS).stdout or "{}")
    return bool(found.get("step") == step and found["percent"] >= percent)


def killed(host: Target, moment: Callable[[], bool]) -> None:
    """Call the command, kill its unit at a moment, and assert that the command says so."""
    runs: list[PyinfraRun] = []
    job = threading.Thread(target=lambda: runs.append(upgrade(host)))
    job.start()
    clients.eventually(lambda: moment() or not job.is_alive(), "the moment did not come", 600)
    host.exec(KILL)
    job.join(120)
    assert "mailstack-upgrade ended early (signal)" in said(runs[0]), said(runs[0])


@pytest.mark.parametrize("debian", [12], ids=["debian12"], indirect=True)
def test_an_upgrade_loses_nothing(clone: Factory) -> None:
    host = clone("upgrading")
    deploys.run(host, DATA)
    backups.fill(host, DATA)
    waits = backups.waiting(host)
    before = rows(host), backups.mailboxes(host, CAROL, backups.PASSWORD), backups.sums(host)
    host.exec("apt-mark hold tzdata")
    refused = host.pyinfra("-y", "mailstack.upgrade", data=DATA)
    assert refused.returncode == 1
    for text in ("held packages: tzdata", "there is no backup", "nothing was changed"):
        assert text in said(refused), said(refused)
    host.exec("apt-mark unhold tzdata; test ! -e /var/lib/mailstack/upgrade")
    with watch(host) as watching:
        killed(host, lambda: at(host, "upgrade all but Dovecot", 30))
        killed(host, lambda: bool(host.exec(NEW_CLUSTER).stdout))
        run = upgrade(host).check()
        print(run.stderr[-3000:])
        # a login may have begun as Dovecot went: Postfix then says 535, as the page does
        strangers = (answer.text for answer in watching.answers if answer.kind == "25")
        not_taken = {text[:200] for text in strangers if re.match(r"5\d\d ", text)}
    print({kind: f"{watching.gap(kind):.0f} s away" for kind in ("25", "587", "993")})
    assert not not_taken
    assert "Debian 13 and PostgreSQL 17" in said(run)
    assert "it has Debian 13 already" in said(upgrade(host).check())
    assert (rows(host), backups.mailboxes(host, CAROL, backups.PASSWORD)) == before[:2]
    del before[2]["/var/mail/root"]  # apt may have written to root
    assert before[2].items() <= backups.sums(host).items()
    assert waits in host.exec(["postqueue", "-j"]).stdout
    old = host.exec("pg_lsclusters -h").stdout
    assert re.search(r"^15 +main +\S+ +down", old, re.MULTILINE), old
    host.exec("pg_dropcluster 15 main; rm -r /etc/postgresql/15", timeout=300)
    host.stop()
    host.start()
    deploys.assert_converged(host, DATA)
    deploys.assert_mail_flows_again(host)
    for user in (ALICE, BOB):
        with clients.smtp(host, 587, user):
            pass
    left = "/etc/dovecot/dovecot-sql* /etc/postgresql/15 /etc/systemd/system/p*@*/mailstack.conf"
    found = host.exec(f"dpkg --audit; apt-mark showhold; ls -d {left} 2>/dev/null; true").stdout
    assert found == "/etc/systemd/system/postgresql@17-main.service.d/mailstack.conf\n"
    read = clients.send(host, clients.message(STRANGER, BOB))
    assert clients.received(host, BOB, read)
