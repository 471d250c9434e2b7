"""Two connectors for pyinfra: `@recording` records the answers of a container, and `@recorded` repeats them.

A recorded host does no work. So the time of a run against many of them is that of pyinfra, of mailstack, and
of the network, which is a delay for the connection and for each command.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from pyinfra.api.command import StringCommand
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.docker import DockerConnector
from pyinfra.connectors.util import CommandOutput, OutputLine

if TYPE_CHECKING:
    from io import IOBase

#: Environment variables: the path of the answers, and the seconds of a connection and of a command.
RECORD, CONNECTING, COMMAND = "BENCH_RECORD", "BENCH_CONNECTING", "BENCH_COMMAND"


def _key(command: StringCommand, arguments: dict[str, Any]) -> str:
    return hashlib.sha256(f"{command.get_raw_value()}\0{arguments.get('_stdin')}".encode()).hexdigest()


class RecordingConnector(DockerConnector):
    """`@recording/CONTAINER`: `@docker` that records its answers."""

    @staticmethod
    def make_names_data(name: str | None = None) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """See `BaseConnector`."""
        yield f"@recording/{name}", {"docker_identifier": name}, []

    def run_shell_command(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """See `BaseConnector`."""
        key = _key(command, arguments)
        status, output = super().run_shell_command(command, print_output, print_input, **arguments)
        path = Path(os.environ[RECORD])
        record = json.loads(path.read_text()) if path.exists() else {}
        record[key] = [status, output.stdout_lines]
        path.write_text(json.dumps(record))
        return status, output


class RecordedConnector(BaseConnector):
    """`@recorded/NAME`: repeats recorded answers after a delay; an unknown command fails."""

    handles_execution = True

    @staticmethod
    def make_names_data(name: str | None = None) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """See `BaseConnector`."""
        yield f"@recorded/{name}", {}, []

    def connect(self) -> None:
        """See `BaseConnector`."""
        gevent.sleep(float(os.environ[CONNECTING]))

    def run_shell_command(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """See `BaseConnector`."""
        gevent.sleep(float(os.environ[COMMAND]))
        status, lines = _record().get(_key(command, arguments), (False, []))
        return status, CommandOutput([OutputLine("stdout", line) for line in lines])

    def put_file(self, filename_or_io: str | IOBase, remote_filename: str, *_: Any, **arguments: Any) -> bool:
        """Nothing was recorded of that."""
        return False

    def get_file(self, remote_filename: str, filename_or_io: str | IOBase, *_: Any, **arguments: Any) -> bool:
        """Nothing was recorded of that."""
        return False


@cache
def _record() -> dict[str, tuple[bool, list[str]]]:
    record: dict[str, tuple[bool, list[str]]] = json.loads(Path(os.environ[RECORD]).read_text())
    return record


def install(folder: Path) -> Path:
    """Make the connectors known to a pyinfra that has the returned folder in its `PYTHONPATH`."""
    metadata = folder / "site" / "bench_connectors-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-connectors\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(
        "[pyinfra.connectors]\n"
        "recording = bench.recorded:RecordingConnector\nrecorded = bench.recorded:RecordedConnector\n"
    )
    return metadata.parent
