"""What fails on the machine that runs pyinfra fails one host, in one line."""

from __future__ import annotations

from typing import Any, cast

from pyinfra.api.command import FunctionCommand
from pyinfra.api.exceptions import OperationValueError

from mailstack.engines.postgresql.database import DsnDatabase
from mailstack.local_command import local_command


class Host:
    """What pyinfra would log for a host."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log_styled(self, message: str, **_: Any) -> None:
        self.said.append(message)


def execute(command: Any) -> tuple[bool, list[str]]:
    """As pyinfra does it; `False` fails the host."""
    assert isinstance(command, FunctionCommand)
    host = Host()
    return command.execute(cast("Any", None), cast("Any", host), {}), host.said


def test_what_succeeds_says_nothing() -> None:
    assert execute(local_command(lambda: None)) == (True, [])


def test_an_error_is_one_line() -> None:
    def fail() -> None:
        raise OperationValueError("password_to: phone.txt is there already")

    assert execute(local_command(fail)) == (False, ["password_to: phone.txt is there already"])


def test_a_database_that_went_away() -> None:
    database = DsnDatabase("postgresql://admin:s3cret@127.0.0.1:9/")
    success, said = execute(database.script("mail", "SELECT 's3cret'", "1 change of accounts"))
    assert not success
    assert len(said) == 1 and said[0].startswith("mail_db_dsn: cannot connect: ")
    assert "s3cret" not in said[0]
