"""`make test` with `PART` and `DEBIAN`: the tests that it would run; and the copy of `make mutants`."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What a make that runs these tests hands down.
_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PART", "DEBIAN")


def make(*args: str) -> subprocess.CompletedProcess[str]:
    """Make `make` print its commands, and not run them."""
    env = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    return subprocess.run(
        ["make", "--dry-run", *args], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("given", "tested"),
    [
        ([], ""),
        (["DEBIAN=13"], "--debian 13"),
        (["PART=dovecot"], "tests/integration/dovecot"),
        (["PART=tls unit"], "tests/unit tests/integration/tls"),
        (["PART=dovecot", "DEBIAN=12"], "--debian 12 tests/integration/dovecot"),
    ],
)
def test_a_part_on_a_release(given: list[str], tested: str) -> None:
    commands = make("test", *given).stdout.splitlines()
    assert commands[-1].split() == [".venv/bin/python", "-m", "pytest", "-n", "4", *tested.split()]


@pytest.mark.parametrize(("part", "images"), [("unit render", False), ("unit tls", True)])
def test_only_parts_with_hosts_need_images(part: str, images: bool) -> None:
    assert ("tests.targets images" in make("test", f"PART={part}").stdout) == images


def test_an_unknown_part_ends_with_a_list_of_all() -> None:
    run = make("test", "PART=dovecott")
    assert run.returncode != 0
    assert "no part named dovecott: there are unit render abuse" in run.stderr
    assert all(
        f" {folder.parent.name} " in run.stderr.replace(".", " ")
        for folder in (ROOT / "tests" / "integration").glob("*/test_*.py")
    )


def test_mutmut_copies_what_these_tests_read() -> None:
    mutmut = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    copied = {"pyproject.toml", "tests", *mutmut["source_paths"], *mutmut["also_copy"]}
    folders = (ROOT / "tests/unit", ROOT / "tests/render")
    texts = [path.read_text() for folder in folders for path in folder.rglob("*.py")]
    read = {name for text in texts for name in re.findall(r'ROOT / f?"([^"/]+)', text)}
    assert {".github", "examples"} <= read
    assert read - copied == set()
