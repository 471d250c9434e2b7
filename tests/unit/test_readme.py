"""The README is short, names the commands, and leads to each page."""

from __future__ import annotations

import re

import pytest

from tests.targets.shell import ROOT

README = (ROOT / "README.md").read_text()


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_it_leads_to_every_page() -> None:
    links = set(re.findall(r"\]\(([^)#]+)\)", README))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} - links == set()
    here = {link for link in links if "://" not in link}
    assert [link for link in here if not (ROOT / link).is_file()] == []


@pytest.mark.parametrize(
    "command",
    [
        "import-mail",
        "export",
        "convert",
        "backup now",
        "restore",
        "status",
        "verify",
    ],
)
def test_it_names_the_commands(command: str) -> None:
    assert re.search(rf"^    mailstack {command}\b", README, re.MULTILINE)
