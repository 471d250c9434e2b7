"""How `mailstack.verify` runs its checks: where its accounts are, and what it leaves for the status."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack import hosts
from mailstack.components.component import Site, site_of
from mailstack.facts.platform import RELEASES
from mailstack.on_host.verify.__main__ import checked
from mailstack.topology import Node, Topology
from mailstack.verify import running
from mailstack.verify.plan import plan
from tests.unit.test_hosts import settings


def mail_host(reached: frozenset[str], **given: Any) -> Site:
    """Return a host with mail alone, beside one with the database."""
    here = Node("mail", ("mx", "imap"), address="192.0.2.2", database=given)
    database = Node("db", ("db",), address="192.0.2.1")
    more = {"mail_db_lookup_password": "x", "mail_db_upgrade_password": "y"} if given else {}
    return site_of(settings(**given, **more), Topology(here, (here, database), reached))


@pytest.mark.parametrize(
    ("named", "reached", "owner"),
    [
        (None, "db", "db"),
        (None, "", None),
        ("192.0.2.1", "db", "db"),
        ("db", "db", "db"),
        ("192.0.2.1", "", None),
        ("192.0.2.9", "db", None),  # a server outside
    ],
)
def test_the_host_with_the_database(
    named: str | None, reached: str, owner: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(hosts, "host_of", lambda node: node.name)
    here = mail_host(frozenset({"mail", reached}), **({"mail_db_host": named} if named else {}))
    found.append(running._owner(here))
    assert found == [owner]
    if owner is None:
        where = f" on {named}" if named else ""
        said = f"no host of this run has the database{where}, in which they need accounts"
        assert running._accounts(here) == (None, False, said)


def test_what_is_left_out_is_in_the_record() -> None:
    wanted = plan(mail_host(frozenset()), RELEASES[1], None, catch_all=False, left_out="no database")
    nothing: dict[str, Any] = {"mail": False, "probes": [], "maps": [], "tls": [], "ports": []}
    found = checked(json.loads(json.dumps({**wanted, **nothing})))
    left_out = [(each["title"], each["text"]) for each in found if each["state"] == "skipped"]
    assert ("messages and maps", "no database") in left_out


def test_checks_that_did_not_end_are_in_the_record(tmp_path: Path) -> None:
    script = running.unfinished()
    for place in ("/run/mailstack-verify", "/var/lib/mailstack"):
        assert place in script
        script = script.replace(place, str(tmp_path))
    kept, written = tmp_path / "verify.json", tmp_path / "plan"

    def failed() -> Any:
        subprocess.run(["sh", "-c", f"{script}echo goes on"], check=True, timeout=60, stdout=subprocess.PIPE)
        return json.loads(kept.read_text())["failed"]

    written.touch()
    assert failed() == ["the checks did not end"]
    kept.write_text('{"failed": []}')
    os.utime(written, (kept.stat().st_mtime - 60,) * 2)
    assert failed() == []  # it is the result of this run
    os.utime(kept, (written.stat().st_mtime - 60,) * 2)
    assert failed() == ["the checks did not end"]
