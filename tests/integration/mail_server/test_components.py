"""Components in an administrator's deploy: the README's example, in either order, in one deploy or two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.releases import on_debian_12, on_debian_13
from tests.support.snippets import python_blocks
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun
from tests.targets.shell import ROOT

pytestmark = pytest.mark.postgresql

POSTFIX = "postfix.deploy(settings)\n"
DOVECOT = "dovecot.deploy(settings)\n"


def example() -> str:
    """Return the deploy in the README."""
    (block,) = [block for block in python_blocks(ROOT / "README.md") if POSTFIX in block]
    return block


def run(target: Target, deploy: str, folder: Path) -> PyinfraRun:
    """Run a deploy that has this text."""
    path = folder / "deploy.py"
    path.write_text(deploy)
    return target.pyinfra("-y", "--json", str(path), data=sample_accounts.data(), timeout=900).check()


# a component waits for no other one on either release, so each order has one of them
@on_debian_12
def test_dovecot_comes_first_on_a_bare_host(bare: Factory, tmp_path: Path) -> None:
    target = bare("components")
    without_postfix = example().replace(POSTFIX, "")
    run(target, without_postfix, tmp_path)
    assert target.exec("id postfix", check=False).returncode != 0
    with clients.imap(target, sample_accounts.ALICE) as session:
        session.select()
    assert run(target, without_postfix, tmp_path).changed == []

    assert DOVECOT + POSTFIX in example()
    run(target, example(), tmp_path)
    deploys.assert_mail_flows(target)
    assert run(target, example(), tmp_path).changed == []
    # what is open to all lies where none but Postfix gets
    sockets = "stat -c '%U %a' /var/spool/postfix/private; runuser -u nobody -- ls /var/spool/postfix/private"
    assert target.exec(sockets, check=False).stdout == "postfix 700\n"


@on_debian_13
def test_postfix_comes_first(factory: Factory, installed: str, tmp_path: Path) -> None:
    target = factory("components", image=installed)
    reverse = example().replace(DOVECOT + POSTFIX, POSTFIX + DOVECOT)
    run(target, reverse, tmp_path)
    deploys.assert_mail_flows(target)
    assert run(target, reverse, tmp_path).changed == []
