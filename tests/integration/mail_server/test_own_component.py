"""The component of docs/components.md, deployed as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.snippets import python_blocks
from tests.targets.shell import ROOT

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)
def test_a_component_of_docs_adds_to_postfix(clone: Factory, tmp_path: Path) -> None:
    target = clone("own")
    (text,) = python_blocks(ROOT / "docs" / "components.md")
    deploy = tmp_path / "deploy.py"
    deploy.write_text(text)

    def run() -> list[str]:
        data = sample_accounts.data()
        return target.pyinfra("-y", "--json", str(deploy), data=data, timeout=600).check().changed

    assert clients.replies(target, sample_accounts.ALICE) == 250
    assert {"Greylisting | Install packages", f"{deploys.SERVER}{deploys.WRITE}"} <= set(run())
    assert clients.replies(target, sample_accounts.ALICE) == 450
    assert run() == []
