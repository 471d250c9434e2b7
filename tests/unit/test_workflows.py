"""The workflow files call `make` alone, with targets and parts that exist. `make lint` checks their form."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.targets.shell import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def workflow(name: str) -> dict[str, Any]:
    """Return the jobs of a workflow."""
    jobs: dict[str, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
    return jobs


@pytest.mark.parametrize("name", ["ci", "release"])
def test_steps_call_make(name: str) -> None:
    steps = [step["run"] for job in workflow(name).values() for step in job["steps"] if "run" in step]
    assert steps
    for step in (re.sub(r"\$\{\{ \S+ \}\}", "VALUE", step) for step in steps):
        found = re.fullmatch(r"make (\w+)( [A-Z]+=(\S+|\"[^\"\n]+\"))*", step)
        assert found, step
        assert re.search(rf"^{found[1]}:.*##", MAKEFILE, re.M), step


def test_each_part_is_tested_once_on_both_releases() -> None:
    matrix = workflow("ci")["integration"]["strategy"]["matrix"]
    assert matrix["debian"] == [12, 13]
    assert len(matrix["part"]) == 4
    named = " ".join(matrix["part"]).split()
    folders = {path.parent.name for path in (ROOT / "tests/integration").glob("*/test_*.py")}
    assert sorted(named) == sorted(folders)


def test_unit_tests_run_on_each_python_that_the_package_promises() -> None:
    promised = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text()
    )
    assert workflow("ci")["unit"]["strategy"]["matrix"]["python"] == promised


def test_only_the_publishing_job_may_ask_for_a_token() -> None:
    jobs = workflow("release")
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "permissions" not in jobs["build"]
    assert not re.search(
        r"secrets\.|password", (ROOT / ".github/workflows/release.yml").read_text().split("# The")[0]
    )
