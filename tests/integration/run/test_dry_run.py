"""`--dry --diff` shows all changes of a run, and makes none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailstack.files import File, Shared
from tests.integration.conftest import Factory
from tests.support import deploys, sample_accounts
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.postgresql

#: Services write below these; everywhere else a change would be mailstack's.
LIVE = "/var/log /var/cache /var/spool /var/vmail " + " ".join(
    f"/var/lib/{name}" for name in ("systemd", "postgresql", "postfix", "dovecot")
)
REST = "-xdev " + " ".join(f"! -path '{directory}/*'" for directory in LIVE.split())
LOOK = f"""
find /etc /usr /opt /root /srv /var {REST} -printf '%p %y %m %u %g %s %l\\n' | sort
find /etc /var/lib {REST} -type f -exec sha256sum {{}} + | sort
dpkg-query -W -f '${{Package}} ${{Version}} ${{db:Status-Status}}\\n'
systemctl list-units --type service --state running --no-legend --plain | grep -o '^[^ ]*' | grep -v flush
"""


def shown(run: PyinfraRun) -> list[str]:
    """Return the files that a diff is shown of."""
    return re.findall(r"\+\+\+ (/\S+)", run.stderr)


def dry(target: Target, **more: object) -> PyinfraRun:
    """Return a dry run with diffs, after which the host is as it was."""
    before = target.exec(LOOK).stdout.splitlines()
    run = target.pyinfra("--dry", "--diff", "--json", "deploy.py", data=sample_accounts.data(**more)).check()
    assert target.exec(LOOK).stdout.splitlines() == before
    return run


def test_on_a_bare_host_it_shows_every_file(bare: Factory) -> None:
    target = bare("dry")
    run = dry(target)
    entries = deploys.managed(target, sample_accounts.data())
    whole = (entry.beside("") if isinstance(entry, Shared) else entry for entry in entries)
    files = [entry for entry in whole if isinstance(entry, File) and entry.content]
    # a file of several components is shown for each
    assert list(dict.fromkeys(shown(run))) == [file.path for file in files]
    for file in files:
        first = (file.content or "").splitlines()[0]
        assert f"+{first}" in run.stderr
    said = deploys.said(run)
    for line in (
        "user vmail: create",
        "database mail: created",
        f"make a certificate for {sample_accounts.HOSTNAME}",
    ):
        assert line in said
    assert any(line.startswith("install ") and "postfix-pgsql" in line for line in said)
    assert {name.removeprefix(deploys.SERVER) for name in run.planned} >= {
        "Install packages",
        deploys.CREATE,
        deploys.WRITE,
        deploys.DATABASE,
        deploys.SERVICES,
        "Accounts | Declared in the inventory",
    }


def test_on_a_converged_host_it_shows_nothing(server: Target) -> None:
    run = dry(server)
    assert (run.planned, deploys.said(run), shown(run)) == ([], [], [])


def test_it_shows_the_lines_that_would_change(server: Target) -> None:
    run = dry(
        server, mail_message_size_limit=10_000_000, mail_db_lookup_password="new-secret", mail_pop3=True
    )
    assert "-message_size_limit = 52428800" in run.stderr
    assert "+message_size_limit = 10000000" in run.stderr
    assert {Path(path).name for path in shown(run)} >= {"main.cf", "dovecot.conf", "virtual_domains.cf"}
    assert {"role maillookup: password", "install dovecot-pop3d"} <= set(deploys.said(run))
    assert "new-secret" not in run.stderr
