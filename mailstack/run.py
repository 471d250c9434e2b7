"""The current run of pyinfra: the only module that needs pyinfra's internals.

pyinfra documents ``operation``, ``deploy``, facts, ``host`` and ``state``. Everything below these may change
in a minor release, and the next major release replaces gevent and paramiko.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from gevent import Greenlet, GreenletExit, Timeout, getcurrent, sleep, spawn
from gevent.lock import RLock
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError, OperationError, OperationValueError, PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import StateStage
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.context import host, state

from mailstack.settings.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyinfra.api.host import Host

_NO_SUDO = (
    "sudo wants a password on this host, and there is no terminal to ask for it: give the host "
    "`_sudo_password` in the inventory, or let its user sudo without one (NOPASSWD in sudoers)"
)


class Moment(NamedTuple):
    """A point in a run, for one host.

    + executing: whether operations are executed; else the run is prepared
    + changes: how many operations have changed the host so far
    """

    executing: bool
    changes: int


Turn = RLock
"""What one host's greenlet holds while the others wait."""


class Said(NamedTuple):
    """The output of a script on a host, and whether it succeeded."""

    succeeded: bool
    output: str
    errors: str


def current_host() -> Host:
    """Return the current host itself: ``pyinfra.host`` is a proxy for a different host in every greenlet."""
    return host.inventory.get_host(host.name)


def is_executing() -> bool:
    """Return whether operations are executed; else the run is prepared."""
    return bool(host.state.is_executing)


def moment(of: Host) -> Moment:
    """Return the moment of the run that a host has reached."""
    metas = (data.operation_meta for data in of.state.ops.get(of, {}).values())
    changes = sum(1 for meta in metas if meta.is_complete() and meta.did_change())
    return Moment(bool(of.state.is_executing), changes)


def given_name() -> str | None:
    """Return the argument ``name`` that the current deploy was called with, if it was."""
    arguments = cast("dict[str, Any]", host.current_deploy_kwargs or {})
    return arguments.get("name")


def shows_diff() -> bool:
    """Return whether changes of files are shown (``--diff``)."""
    return bool(state.config.DIFF)


def has_failed(name: str) -> bool:
    """Return whether the host of that name has failed in this run."""
    return any(failed.name == name for failed in host.state.failed_hosts)


def is_called_by_pyinfra(function: object) -> bool:
    """Return whether pyinfra's command line can call a function: an operation or a deploy."""
    return hasattr(function, "_inner")


def command_line(arguments: Sequence[str]) -> int:
    """Run pyinfra's command line in this process, and return the status for the console command's end.

    It is 0 if all was done; 1 if something failed, needs a person, or was not done, as pyinfra's question
    was not answered by Enter; 2 for what was refused before a host was changed: an argument, a setting, or a
    limit that no host has.
    """
    from click import ClickException
    from pyinfra_cli.cli import cli  # type: ignore[import-untyped]  # no deploy needs it
    from pyinfra_cli.main import main  # type: ignore[import-untyped]

    sys.argv = ["pyinfra", *arguments]
    cli.main = partial(cli.main, standalone_mode=False)  # its errors come here, and not to an end with 1
    Inventory.get_active_hosts = in_turn  # type: ignore[method-assign, assignment]
    try:
        main()
    except ClickException as error:
        error.show()
        return 2 if _is_refusal(getattr(error, "exception", None)) else error.exit_code
    except SystemExit as end:
        return _status(bool(end.code), "--dry" in arguments)
    return 1  # Ctrl-C


def in_turn(inventory: Inventory) -> list[Host]:
    """Return the hosts of a run in the order of ``--serial``, where pyinfra's own has none.

    A host with the database comes before those that ask it, as they may need its newer schema, and the
    primary before its standbys. Else it is the order of the inventory.
    """

    def rank(one: Host) -> tuple[bool, bool]:
        return "db" not in one.groups, one.data.get("mail_db_primary") != one.name

    return sorted((one for one in inventory if one in inventory.state.active_hosts), key=rank)


def _is_refusal(error: BaseException | None) -> bool:
    """Return whether an error is about what was asked for, and not about a host."""
    without_host = getattr(error, "__context__", None)  # `naming_the_host` has made another of it
    return isinstance(error, OperationValueError) or isinstance(without_host, SettingsError)


def _status(failed: bool, dry: bool) -> int:
    if state.initialised and not state.activated_hosts and not failed:
        return 2
    # Ctrl-C, and another answer than Enter, end pyinfra with 0
    finished = dry or state.current_stage == StateStage.Disconnect
    return 1 if failed or not finished else 0


def run_script(on: Host, script: str, within: float | None = None, *, shows: bool = False) -> Said:
    """Run a script on a host at once, as pyinfra runs its facts.

    + within: the seconds that it may take
    + shows: whether its output is printed, line by line

    Raises ``OperationError`` if the host can't be reached, or sudo asks for a password.
    """
    return _run_script(on, on.run_shell_command, script, within, shows)


@contextmanager
def again(do: Callable[[], None], pause: float) -> Iterator[None]:
    """Call a function again and again while the body waits for a host.

    + pause: the seconds between two calls
    """

    def loop() -> None:
        while True:
            do()
            sleep(pause)

    calls = spawn(loop)
    try:
        yield
    finally:
        calls.kill()


def connects_anew(to: Host) -> bool:
    """Return whether a host is reached by SSH, so that a new connection proves something."""
    return isinstance(to.connector, SSHConnector)


def run_script_anew(on: Host, script: str, within: float) -> Said:
    """Run a script as ``run_script`` does, over a new connection if the host is reached by SSH.

    Raises ``OperationError`` also if there is no new connection.
    """
    if not connects_anew(on):
        return run_script(on, script, within)
    connector = SSHConnector(on.state, on)
    try:
        with Timeout(within, ConnectError(f"no connection within {within:.0f} s")):
            connector.connect()
        return _run_script(on, connector.run_shell_command, script, within)
    except ConnectError as error:
        raise OperationError(str(error)) from None
    finally:
        if connector.client is not None:
            connector.client.close()


def _run_script(
    on: Host, run: Callable[..., Any], script: str, within: float | None, shows: bool = False
) -> Said:
    late = Timeout(within, TimeoutError(f"no answer within {within} s"))
    try:
        late.start()
        succeeded, output = run(
            StringCommand("sh"),  # the script goes to its input: an argument has a limit of 128 KiB
            print_output=shows,
            print_input=on.state.print_fact_input,
            _stdin=script,
            **connector_arguments(on),
        )
    except EOFError:  # pyinfra prompts for it without a terminal
        raise OperationError(_NO_SUDO) from None
    except (TimeoutError, OSError, SSHException) as error:
        raise OperationError(f"could not read the state of the host: {error}") from None
    finally:
        late.close()
    return Said(succeeded, output.stdout, output.stderr)


def answer(text: str) -> None:
    """Print the answer of a command on standard output.

    pyinfra shows on a terminal which host it waits for. The answer would begin on that line.
    """
    if sys.stdout.isatty() and sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
    print(text, end="", flush=True)


def connector_arguments(of: Host) -> dict[str, Any]:
    """Return the sudo, su, … arguments of the current operation or deploy, as for pyinfra's facts."""
    arguments, _ = pop_global_arguments(
        of.state, of, cast("dict[str, Any]", dict(of.current_op_global_arguments or {}))
    )
    return {
        key: value
        for key, value in cast("dict[str, Any]", arguments).items()
        if key in CONNECTOR_ARGUMENT_KEYS and key != "_stdin"
    }


def leave_out(text: str) -> NoReturn:
    """Fail the current host from a deploy outside operations, while the other hosts go on.

    Raises ``OperationError`` if no other host is left.
    """
    leaving = current_host()
    try:
        cast("Any", leaving.state).fail_hosts({leaving})
    except PyinfraError:
        raise OperationError(text) from None
    leaving.log_styled(text, fg="red", log_func=logger.error)
    if not isinstance(getcurrent(), Greenlet):
        raise PyinfraError(text)
    raise GreenletExit
