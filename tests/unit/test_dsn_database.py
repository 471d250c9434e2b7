"""A server of `mail_db_dsn`: how long it is waited for, and what is known after an error."""

from __future__ import annotations

from typing import Any, NoReturn
from unittest.mock import MagicMock

import psycopg2
import pytest
from pyinfra.api.exceptions import OperationError

from mailstack.engines.postgresql import database
from mailstack.engines.postgresql.database import DsnDatabase, RefusedError

SERVER = DsnDatabase("host=db user=admin")


@pytest.mark.parametrize(("seconds", "connections"), [(10.0, 1), (0.1, 3)], ids=["silent", "refusing"])
def test_a_silent_server_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch, seconds: float, connections: int
) -> None:
    now, made = [0.0], []

    def connect(dsn: str, **_: Any) -> NoReturn:
        made.append(dsn)
        now[0] += seconds
        raise psycopg2.OperationalError("timeout expired")

    monkeypatch.setattr("mailstack.engines.postgresql.database.time.monotonic", lambda: now[0])
    monkeypatch.setattr(database, "_silent", {})
    monkeypatch.setattr(psycopg2, "connect", connect)
    for _ in range(3):
        with pytest.raises(OperationError, match="cannot connect: timeout expired"):
            SERVER.query("mail", "SELECT 1")
    assert len(made) == connections


@pytest.mark.parametrize(("code", "is_refusal"), [("55P03", True), ("57P01", False), (None, False)])
def test_only_a_refusal_has_changed_nothing(
    monkeypatch: pytest.MonkeyPatch, code: str | None, is_refusal: bool
) -> None:
    class ServerError(psycopg2.Error):
        pgcode = code

    connection = MagicMock()
    connection.commit.side_effect = ServerError
    monkeypatch.setattr(psycopg2, "connect", lambda *_, **__: connection)
    with pytest.raises(OperationError) as error:
        SERVER.change("mail", "UPDATE mail_users SET active = true")
    assert isinstance(error.value, RefusedError) == is_refusal
    assert connection.close.called
