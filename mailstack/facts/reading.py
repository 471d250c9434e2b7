"""Read a host's state: everything the operations of a run want to know, in one command.

A round trip costs more than anything it carries, so operations don't ask pyinfra for one fact after the
other. Each operation *announces* its probe while the deploy is prepared; the first one that is executed
reads all announced probes at once, and the others find their answer there. The answers are dropped as soon
as any operation has changed the host, whoever wrote that operation; the next one that wants to know reads
what it and those after it have announced.

Answers may hold secrets, so what is read is never printed, at any ``-v``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast
from weakref import WeakKeyDictionary

from gevent import GreenletExit
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.command import StringCommand
from pyinfra.context import host as current

if TYPE_CHECKING:
    from pyinfra.api.host import Host

T = TypeVar("T", covariant=True)
A = TypeVar("A")


@dataclass(frozen=True)
class Probe(Generic[T]):
    """A question to a host.

    + name: names it in errors
    + command: a shell command that exits with 0 on a host in any state, a bare one included
    + parse: turns its standard output into the answer
    """

    name: str
    command: str
    parse: Callable[[str], T] = field(compare=False)


@dataclass
class _Readings:
    """What is known of one host."""

    announced: dict[Probe[Any], None] = field(default_factory=dict)
    answers: dict[Probe[Any], str] = field(default_factory=dict)
    moment: tuple[bool, int] = (False, 0)


_of_hosts: WeakKeyDictionary[Host, _Readings] = WeakKeyDictionary()


def announce(*probes: Probe[Any]) -> None:
    """Say that an operation of this run will want these answers from the current host."""
    readings = _of_hosts.setdefault(current_host(), _Readings())
    readings.announced.update(dict.fromkeys(probes))


def read(probe: Probe[A], host: Host | None = None) -> A:
    """Return the answer to ``probe``, from the current host or from the one given.

    A host that can't be asked is left out of the rest of the run.
    """
    host = host or current_host()
    readings = _of_hosts.setdefault(host, _Readings())
    moment = (bool(host.state.is_executing), _count_changes(host))
    if readings.moment != moment:
        readings.answers.clear()
        readings.moment = moment
    if probe not in readings.answers:
        rest = readings.announced if host.state.is_executing else {}
        readings.answers.update(_ask(host, dict.fromkeys([*rest, probe])))
    if host.state.is_executing:
        readings.announced.pop(probe, None)
    return probe.parse(readings.answers[probe])


def current_host() -> Host:
    """The current host itself: ``pyinfra.host`` is a proxy, and another one in every greenlet."""
    return current.inventory.get_host(current.name)


def _count_changes(host: Host) -> int:
    """How many operations have changed this host so far: a reading is good until that grows."""
    metas = (data.operation_meta for data in host.state.ops.get(host, {}).values())
    return sum(1 for meta in metas if meta.is_complete() and meta.did_change())


def _ask(host: Host, probes: Iterable[Probe[Any]]) -> dict[Probe[Any], str]:
    """Run all probes in one command; each prints one line of base64."""
    asked = list(probes)
    script = "\n".join(f"( {probe.command}\n) </dev/null 2>/dev/null | base64 -w0; echo" for probe in asked)
    try:
        status, output = host.run_shell_command(
            StringCommand("sh"),  # which reads the script from its input: an argument has a limit of 128 KiB
            print_output=False,
            print_input=host.state.print_fact_input,
            _stdin=script,
            **_connector_arguments(host),
        )
    except (TimeoutError, OSError, SSHException) as error:
        _give_up(host, str(error))
    lines = output.stdout_lines
    if not status or len(lines) != len(asked):
        _give_up(host, output.stderr.strip())
    return {
        probe: base64.b64decode(line).decode(errors="surrogateescape")
        for probe, line in zip(asked, lines, strict=True)
    }


def _give_up(host: Host, reason: str) -> NoReturn:
    """Go on without this host, as pyinfra does when one of its own facts fails: others are not to blame."""
    host.log_styled(f"could not read the state of the host: {reason}", fg="red", log_func=logger.error)
    cast("Any", host.state).fail_hosts({host})
    raise GreenletExit


def _connector_arguments(host: Host) -> dict[str, Any]:
    """The sudo, su, … arguments of the current operation or deploy, as pyinfra's own facts get them."""
    arguments, _ = pop_global_arguments(
        host.state, host, cast("dict[str, Any]", dict(host.current_op_global_arguments or {}))
    )
    return {
        key: value
        for key, value in cast("dict[str, Any]", arguments).items()
        if key in CONNECTOR_ARGUMENT_KEYS and key != "_stdin"
    }
