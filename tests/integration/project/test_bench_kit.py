"""The finished server of `make bench` is the one that `deploy.py` makes, and its check finds differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.kit import Kit
from tests.integration.conftest import Factory
from tests.support import sample_accounts
from tests.targets.shell import TargetError

pytestmark = pytest.mark.postgresql

MAIN_CF = "/etc/postfix/main.cf"


def test_the_kit_is_the_deployed_server(clone: Factory, debian: int, tmp_path: Path) -> None:
    host = clone()
    kit = Kit.of(debian, sample_accounts.data(), tmp_path)
    kit.check(host)
    host.exec(["chmod", "600", MAIN_CF])
    with pytest.raises(TargetError, match=f"not as it should be: {MAIN_CF} root root 0644"):
        kit.check(host)
    host.exec(f"chmod 644 {MAIN_CF} && echo >> {MAIN_CF}")
    with pytest.raises(TargetError, match=f"not as it should be: {MAIN_CF}: FAILED"):
        kit.check(host)
