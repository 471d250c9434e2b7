"""`mailstack.verify` on the standard server: with MariaDB, without a filter."""

from __future__ import annotations

import json

import pytest

from tests.integration.conftest import Factory
from tests.support import sample_accounts

pytestmark = pytest.mark.mariadb


def test_without_a_filter(clone: Factory) -> None:
    run = clone("verify").pyinfra("-y", "mailstack.verify", "format=json", data=sample_accounts.data())
    checks = json.loads(run.check().stdout)["checks"]
    states = {check["title"]: check["state"] for check in checks}
    assert "failed" not in states.values()
    assert states["the message by 587 is signed and aligned"] == "skipped"
    assert states["IMAP lets the user in, and has the messages"] == "ok"
    assert states["MariaDB has the mail database"] == "ok"
