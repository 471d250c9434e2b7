"""The repository: calls of restic(1), and what it says."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from .said import objects, told, unread, unreadable

T = TypeVar("T")

CACHE = "/var/cache/mailstack-backup"
KNOWN = Path("/var/lib/mailstack/backup/repository")
"""The repository that this host has used: if that one is empty later, a disk is not mounted."""
MISSING = "Is there a repository at the following location?"
NO_BUCKET = "The specified bucket does not exist"
"""restic of Debian 13 asks again for a quarter of an hour; `restic init` makes the bucket."""
LOCKED = "already locked"
WAIT, _PAUSE = 3600, 20
"""The seconds to wait for another host, and between two attempts; restic of Debian 12 does not wait."""
INCOMPLETE = 3
"""The exit status of a backup in which some files could not be read."""
STALLED = 3600
"""The seconds after which a backup without any progress is ended."""
_ANSWER = 180
"""restic itself would ask a server that gives no answer for a quarter of an hour."""
_LONG = 24 * 3600
_STATUS = 1.0


class FailureError(Exception):
    """A step failed; its text is for a person."""


class Repository:
    """The repository of this host.

    + configuration: ``repository``, ``password``: the path of its password, ``environment``: a file with
      variables, ``ssh``: the arguments of ssh(1)
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self.place: str = configuration["repository"]
        self.host: str = configuration["host"]
        self._password: str = configuration["password"]
        self._environment: str = configuration["environment"]
        self.unread = ""
        """What the last backup could not read."""
        self._ssh: list[str] = configuration.get("ssh") or []
        self._options = ("-o", f"sftp.command={shlex.join(self._ssh)}") if self._ssh else ()

    def directory(self) -> Path | None:
        """Return its directory, if it is on this host."""
        return Path(self.place) if self.place.startswith("/") else None

    def say(self, *arguments: str, cwd: str = "/", within: float = _LONG) -> str:
        """Run a command of restic and return its output.

        Raises ``FailureError``.
        """
        return _patient(lambda: self._called(arguments, cwd, within))

    def _called(self, arguments: tuple[str, ...], cwd: str, within: float) -> str:
        until = time.monotonic() + within
        with self._running(arguments, cwd) as (process, errors):
            while (output := _output(process)) is None:
                # this process and restic share one position in the file: seek(2) would move that of restic
                if NO_BUCKET.encode() in os.pread(errors.fileno(), 4096, 0):
                    raise FailureError(f"restic {arguments[0]}: {NO_BUCKET}")
                if time.monotonic() > until:
                    _end(process)
                    raise FailureError(f"restic {arguments[0]}: no end within {within:.0f} s: {told(errors)}")
            if process.returncode:
                raise FailureError(f"restic {arguments[0]}: {told(errors)}")
        return output

    def lines(self, *arguments: str) -> Iterator[dict[str, Any]]:
        """Yield the JSON objects that a command prints, a line each.

        Raises ``FailureError``.
        """
        until = time.monotonic() + WAIT
        while True:
            try:
                yield from self._lines(arguments)
                return
            except FailureError as failure:  # of a lock, before there was a line
                _wait(failure, until)

    def _lines(self, arguments: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        with self._running(arguments, "/") as (process, errors):
            yield from objects(process.stdout)
            if process.wait(_LONG):
                raise FailureError(f"restic {arguments[0]}: {told(errors)}")

    def backup(self, *arguments: str, cwd: str, watch: Callable[[float, str], None]) -> str:
        """Make a snapshot and return its ID; also if files vanished meanwhile.

        + watch: is told the share that is done, and of what; an error in it ends restic

        Raises ``FailureError``.
        """
        return _patient(lambda: self._backup(arguments, cwd, watch))

    def _backup(self, arguments: tuple[str, ...], cwd: str, watch: Callable[[float, str], None]) -> str:
        made, moved, last = "", (0, 0), time.monotonic()
        options = ("--json", "--host", self.host)
        with self._running(("backup", *options, *arguments), cwd) as (process, errors):
            for each in objects(process.stdout):
                kind = each.get("message_type")
                if kind == "summary":
                    made = str(each["snapshot_id"])
                if kind != "status":
                    continue
                now = (each.get("files_done", 0), each.get("bytes_done", 0))
                if now != moved:
                    moved, last = now, time.monotonic()
                elif time.monotonic() - last > STALLED:
                    raise FailureError(f"no progress for {STALLED // 60} minutes: is {self.place} reached?")
                watch(float(each.get("percent_done", 0)), f"{now[0]:,} files")
            status = process.wait(_LONG)
            if status not in (0, INCOMPLETE) or not made:
                raise FailureError(f"restic backup: {told(errors)}")
            self.unread = unread(errors) if status else ""
        return made

    def restore(self, snapshot: str, target: Path, *arguments: str) -> list[str]:
        """Write the files of a snapshot; return the paths of those that could not be read.

        Raises ``FailureError`` if nothing could.
        """
        return _patient(lambda: self._restore(("restore", snapshot, "--target", str(target), *arguments)))

    def _restore(self, command: tuple[str, ...]) -> list[str]:
        with self._running(command, "/") as (process, errors):
            assert process.stdout is not None
            for _ in process.stdout:
                pass
            status = process.wait(_LONG)
            errors.seek(0)
            bad = [name for line in errors if (name := unreadable(line))]
            if status and not bad:
                raise FailureError(f"restic restore: {told(errors)}")
        return bad

    def open(self, *, make: bool = False) -> None:
        """Open it, and remove locks of runs that have ended.

        + make: whether it is made if it is missing, and this host never had it

        Raises ``FailureError``.
        """
        if not self.is_made():
            if not make:
                raise FailureError(f"there is no repository at {self.place}")
            self.say("init", within=600)
        if self.place != _known():  # on a disk without room, too, there may be something to remove
            KNOWN.write_text(f"{self.place}\n", "utf-8")
        self.say("unlock", within=600)

    def is_made(self, within: float = _ANSWER) -> bool:
        """Return whether there is a repository.

        Raises ``FailureError`` if it can't be opened, or if this host had it and it is not there.
        """
        try:
            self.say("cat", "config", "--no-lock", within=within)
        except FailureError as failure:
            if not any(text in str(failure) for text in (MISSING, NO_BUCKET, "repository does not exist")):
                raise FailureError(self._refused() or f"{failure}{self._shared(str(failure))}") from None
            if self.place == _known():
                raise FailureError(
                    f"the repository {self.place} is gone: is its disk mounted? If it is lost, remove {KNOWN}"
                ) from None
            return False
        return True

    def _shared(self, text: str) -> str:
        """Return what a wrong password of a repository means that this host has never opened."""
        if "wrong password" not in text or self.place == _known():
            return ""
        return (
            "; another host made this repository: servers that share one need the same mail_backup_password,"
            " and a restore needs password_from"
        )

    def _refused(self) -> str:
        """Return why the host of the repository lets nobody in, which restic says only by luck."""
        if not self._ssh:
            return ""
        try:
            done = subprocess.run(self._ssh, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            return f"{self.place}: its host gives no answer"
        told = done.stderr.decode(errors="replace").strip()
        return f"{self.place}: {' '.join(told.split())[-400:]}" if done.returncode and told else ""

    def snapshots(self) -> list[dict[str, Any]]:
        """Return all snapshots of this host, the oldest first."""
        found: list[dict[str, Any]] = json.loads(self.say("snapshots", "--json", "--host", self.host) or "[]")
        return sorted(found or [], key=lambda each: str(each["time"]))

    @contextlib.contextmanager
    def _running(
        self, arguments: tuple[str, ...], cwd: str
    ) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
        """Yield a process of restic, ended at the end, and the file with its errors."""
        command = ["restic", *self._options, *arguments]
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                errors="replace",
            )
            try:
                yield process, errors
            finally:
                _end(process)

    def _variables(self) -> dict[str, str]:
        """Return the environment: only root sees that of a process of root."""
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "RESTIC_REPOSITORY": self.place,
            "RESTIC_PASSWORD_FILE": self._password,
            "RESTIC_CACHE_DIR": CACHE,
            "RESTIC_PROGRESS_FPS": str(_STATUS),
            "TMPDIR": os.environ.get("TMPDIR", "/var/tmp"),
        }
        with contextlib.suppress(FileNotFoundError):
            for line in Path(self._environment).read_text("utf-8").split("\n"):
                name, equals, value = line.partition("=")
                if equals and not name.startswith("#"):
                    variables[name] = value
        return variables


def _patient(call: Callable[[], T]) -> T:
    """Return the result of a call; while another host checks the repository, wait, and call again."""
    until = time.monotonic() + WAIT
    while True:
        try:
            return call()
        except FailureError as failure:
            _wait(failure, until)


def _wait(failure: FailureError, until: float) -> None:
    """Wait before the next attempt, or raise the failure: it is no lock of another host, or it is late."""
    if LOCKED not in str(failure) or time.monotonic() > until:
        raise failure
    time.sleep(_PAUSE)


def _output(process: subprocess.Popen[str]) -> str | None:
    """Return the whole output of a process that has ended; nothing if it still runs after a second."""
    try:
        return process.communicate(timeout=_STATUS)[0]
    except subprocess.TimeoutExpired:
        return None


def _known() -> str:
    with contextlib.suppress(FileNotFoundError):
        return KNOWN.read_text("utf-8").strip()
    return ""


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is None:
        process.terminate()  # restic then removes its lock
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
