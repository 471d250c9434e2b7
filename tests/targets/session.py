"""Permanent shells in containers: starting one takes longer than most commands."""

from __future__ import annotations

import atexit
import base64
import os
import selectors
import shlex
import subprocess
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence

_idle: dict[str, list[_Shell]] = defaultdict(list)


def execute(
    container: str, argv: Sequence[str], timeout: float, input: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Execute a command as `docker exec -i` does; raise `subprocess.TimeoutExpired` after `timeout` s."""
    idle = _idle[container]
    shell = idle.pop() if idle else None
    if shell is None or shell.has_ended():
        shell = _Shell(container)
    done = shell.execute(argv, timeout, input)
    idle.append(shell)
    return done


class _Shell:
    """A shell that runs one command after the other, and marks the end of each output with a line."""

    def __init__(self, container: str) -> None:
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", container, "sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        atexit.register(self._process.kill)
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._in, *self._out = [stream.fileno() for stream in streams if stream]

    def has_ended(self) -> bool:
        """Return whether the container was stopped since."""
        return self._process.poll() is not None

    def execute(
        self, argv: Sequence[str], timeout: float, input: bytes
    ) -> subprocess.CompletedProcess[bytes]:
        end = f"the end {uuid.uuid4()} "
        say_end = f"set -- $?; echo '{end}'$1; echo '{end}'$1 >&2"
        command = f"( {shlex.join(argv)} )"
        if input:
            text = base64.b64encode(input).decode()
            command = f"base64 -d <<'{end}' 2>/dev/null | {command}\n{text}\n{end}"
        else:
            command += " </dev/null"
        self._write(f"{command}\n{say_end}\n".encode(errors="surrogateescape"))
        said = [text.partition(end.encode()) for text in self._read(end.encode(), argv, timeout)]
        # without an end the shell has gone, and `docker exec` says why
        status = int(said[0][2]) if said[0][1] else self._process.wait(timeout)
        return subprocess.CompletedProcess(argv, status, said[0][0], said[1][0])

    def _write(self, script: bytes) -> None:
        try:
            while script:
                script = script[os.write(self._in, script) :]
        except BrokenPipeError:
            pass

    def _read(self, end: bytes, argv: Sequence[str], timeout: float) -> list[bytes]:
        """Return the output on each stream, up to the line that marks its end."""
        said = dict.fromkeys(self._out, b"")
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as open_streams:
            for stream in said:
                open_streams.register(stream, selectors.EVENT_READ)
            while open_streams.get_map():
                ready = open_streams.select(deadline - time.monotonic())
                if not ready and time.monotonic() > deadline:
                    self._process.kill()
                    raise subprocess.TimeoutExpired(argv, timeout)
                for key, _ in ready:
                    said[key.fd] += (more := os.read(key.fd, 65536))
                    if not more or (said[key.fd].endswith(b"\n") and end in said[key.fd][-200:]):
                        open_streams.unregister(key.fd)
        return list(said.values())
