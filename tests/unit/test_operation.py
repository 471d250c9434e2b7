"""An error fails the current host, in one line; the others go on."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable, Generator
from typing import Any, NoReturn, cast

import pytest
from paramiko import SSHException
from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.api.host import Host
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host, host

from mailstack import ban, certificates, dkim, secrets
from mailstack.engines.postgresql.database import DsnDatabase
from mailstack.facts.files import FileStates
from mailstack.facts.platform import here
from mailstack.facts.reading import read
from mailstack.operation import local_command, operation, refused_by
from mailstack.topology import Node
from tests.unit.test_hosts import inventory

DEBIAN_11 = "id=debian\nrelease=11\n"
BROKEN = "two"


class Log:
    """What pyinfra would log for a host."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log_styled(self, message: str, **_: Any) -> None:
        self.said.append(message)


def execute(command: Any) -> tuple[bool, list[str]]:
    """Execute a command as pyinfra does; `False` fails the host."""
    assert isinstance(command, FunctionCommand)
    log = Log()
    return command.execute(cast("Any", None), cast("Any", log), {}), log.said


def test_success_prints_nothing() -> None:
    assert execute(local_command(lambda: None)) == (True, [])


def test_an_error_is_one_line() -> None:
    def fail() -> None:
        raise OperationValueError("password_to: phone.txt exists already")

    assert execute(local_command(fail)) == (False, ["password_to: phone.txt exists already"])


def test_a_database_that_went_away() -> None:
    database = DsnDatabase("postgresql://admin:s3cret@127.0.0.1:9/")
    success, said = execute(database.script("mail", "SELECT 's3cret'", "1 change of accounts"))
    assert not success
    assert len(said) == 1 and said[0].startswith("mail_db_dsn: cannot connect: ")
    assert "s3cret" not in said[0]


def answering(said: str) -> Callable[..., tuple[bool, CommandOutput]]:
    """Return a connection to a host that gives this answer to any command."""

    def run_shell_command(command: StringCommand, **_: Any) -> tuple[bool, CommandOutput]:
        text = base64.b64encode(gzip.compress(f"0\n\0{said}\0".encode())).decode()
        return True, CommandOutput([OutputLine("stdout", text)])

    return run_shell_command


def lost(error: Exception) -> Callable[..., NoReturn]:
    """Return a connection that breaks."""

    def run_shell_command(command: StringCommand, **_: Any) -> NoReturn:
        raise error

    return run_shell_command


def refuse() -> None:
    """Fail as a check of the host's state does."""
    raise OperationError("the server refused")


def break_down() -> None:
    """Fail unexpectedly; the value may be a secret."""
    raise KeyError("hunter2")


def ask_the_first() -> None:
    """Ask for a password that another host keeps."""
    store = secrets.Store({}, owner=Node("one"))
    assert store["db-lookup"]


def read_files() -> None:
    """Read files of the host."""
    read(FileStates.of(["/etc/postfix/main.cf"]))


def ask_for_the_platform() -> None:
    """Ask which Debian it is."""
    here(lambda platform: platform)


@operation
def _act(act: Callable[[], None]) -> Generator[PyinfraCommand]:
    if host.name == BROKEN:
        act()
    yield StringCommand("true")


WAYS = [
    pytest.param(refuse, "", "the server refused", id="an error of the operation"),
    pytest.param(break_down, "", "unexpected KeyError in test_operation.py, line", id="an unforeseen error"),
    pytest.param(read_files, "a|b\n\n", "unexpected ValueError in files.py, line", id="an unexpected line"),
    pytest.param(ask_for_the_platform, DEBIAN_11, "this host runs debian 11", id="another release"),
]


def run(hosts: dict[str, Host], act: Callable[[], None]) -> set[str]:
    """Execute an operation on all hosts, then another one; return the names of those that failed."""
    state = hosts["one"].state
    state.check_for_changes = False  # as with -y
    state.activated_hosts = set(hosts.values())
    state.active_hosts = set(hosts.values())
    for name in ("first", "second"):
        add_op(state, _act, act=act, name=name)
    run_ops(state)
    return {failed.name for failed in state.failed_hosts}


@pytest.mark.parametrize(("act", "said", "line"), WAYS)
def test_an_error_fails_one_host(
    act: Callable[[], None],
    said: str,
    line: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    hosts = inventory()
    for each in hosts.values():
        each.run_shell_command = answering(said)  # type: ignore[method-assign]
    assert run(hosts, act) == {BROKEN}
    assert [hosts[name].state.get_results_for_host(hosts[name]).success_ops for name in hosts] == [2, 0, 2]
    assert caplog.text.count(line) == 1
    output = "".join([caplog.text, *capfd.readouterr()])
    assert "Traceback" not in output
    assert "hunter2" not in output


@pytest.mark.parametrize("error", [OSError("reset"), TimeoutError(), SSHException("no session")])
def test_a_host_whose_peer_can_not_be_asked_fails(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """The asked host fails in its own operation, not in that of another host."""
    hosts = inventory()
    for each in hosts.values():
        each.run_shell_command = answering("")  # type: ignore[method-assign]
        each.connected = True
    hosts["one"].run_shell_command = lost(error)  # type: ignore[method-assign]
    assert run(hosts, ask_the_first) == {"one", BROKEN}
    expected = "db-lookup: one keeps it, and one could not be asked: could not read the state of the host"
    assert expected in caplog.text


@pytest.mark.parametrize(("act", "said", "line"), WAYS)
def test_while_a_run_is_prepared_an_error_names_the_host(
    act: Callable[[], None], said: str, line: str
) -> None:
    two = inventory()[BROKEN]
    two.run_shell_command = answering(said)  # type: ignore[method-assign]
    inner: Any = _act
    with ctx_host.use(two), pytest.raises(OperationError, match=f"^two: {line}"):
        list(inner._inner(act=act))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ban.add("nonsense", _sudo=True), "address = 'nonsense'"),
        (lambda: ban.remove(address="192.0.2.0/24"), "address = '192.0.2.0/24'"),
        (lambda: dkim.publish("x..y"), "domain_name = 'x..y'"),
        (lambda: dkim.switch("x..y"), "domain_name = 'x..y'"),
        (lambda: dkim.retire("example.org", now=cast("bool", "maybe")), "now = 'maybe'"),
        (lambda: certificates.roll(now=cast("bool", "maybe")), "now = 'maybe'"),
    ],
)
def test_a_bad_argument_is_refused_as_the_operation_is_called(call: Callable[[], Any], said: str) -> None:
    """With -y, pyinfra would run the operation itself only as it is executed: that is a failed host."""
    with pytest.raises(OperationValueError, match=re.escape(said)):
        call()


def test_what_does_not_fit_is_left_to_the_operation() -> None:
    calls: list[tuple[object, ...]] = []

    def made(*args: object, **given: object) -> None:
        calls.append((*args, given))

    checked: list[str] = []
    called = refused_by(lambda address: checked.append(address))(made)
    called("a", _sudo=True)
    called()
    called("a", "b")
    assert (checked, calls) == (["a"], [("a", {"_sudo": True}), ({},), ("a", "b", {})])
