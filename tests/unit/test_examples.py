"""The settings and hosts of each example are accepted, without a host."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import pytest
from pyinfra.api.inventory import Inventory

from mailstack import Settings
from mailstack.hosts import topology_of
from mailstack.topology_rules import check
from tests.targets.shell import ROOT

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/inventory.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_it_is_accepted(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DB_PASSWORD", "DB_LOOKUP_PASSWORD", "RELAY_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    groups = _public(example / "inventory.py")
    data = _public(example / "group_data/all.py")
    assert set(groups) <= {"hosts", "db", "mx", "imap", "proxy"}
    hosts: dict[str, dict[str, object]] = {}
    for member in (member for members in groups.values() for member in members):
        name, own = (member, {}) if isinstance(member, str) else member
        hosts.setdefault(name, {}).update(own)
    names = {group: [m if isinstance(m, str) else m[0] for m in members] for group, members in groups.items()}
    made = Inventory(  # type: ignore[no-untyped-call]
        ([(name, {**data, **own}) for name, own in hosts.items()], {}),
        **{group: (members, {}) for group, members in names.items() if group != "hosts"},
    )
    for host in made:
        settings, topology = Settings.from_data(host.data), topology_of(host)
        check(settings, topology)
        assert not topology.here.has_mail or settings.mail_hostname == host.name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_it_is_whole(example: Path) -> None:
    assert f"| `{example.name}/` |" in (ROOT / "examples/README.md").read_text()
    deploy = (example / "deploy.py").read_text()
    ast.parse(deploy)
    assert re.search(r"\.deploy\(", deploy)


def _public(path: Path) -> dict[str, list[str | tuple[str, dict[str, object]]]]:
    return {name: value for name, value in runpy.run_path(str(path)).items() if not name.startswith("_")}
