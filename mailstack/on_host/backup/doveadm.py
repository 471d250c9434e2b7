"""Calls of doveadm(1) for the mail of one user, without its quota: what is back may be more than that."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .progress import RUN
from .restic import FailureError

DOVECOT = Path("/etc/dovecot/dovecot.conf")
_IMPORT, _COUNT = 6 * 3600, 600
_NO_FOLDER = 68
"""doveadm's exit code if there is no such folder."""


def imported(user: str, source: str, into: str, query: list[str]) -> None:
    """Copy messages from a directory into a folder of the user. Raises ``FailureError``.

    + query: ``all``, or ``mailbox`` and the name of a folder, which may be missing
    """
    accepted = (0,) if query == ["all"] else (0, _NO_FOLDER)
    _say("import", "-u", user, source, into, *query, within=_IMPORT, accepted=accepted)


def resynced(*which: str) -> None:
    """Let Dovecot find the messages of mailboxes whose indexes were damaged. Raises ``FailureError``."""
    _say("force-resync", *which, "*", within=_IMPORT)


def counted(user: str, masks: list[str]) -> int:
    """Return the number of messages in folders of the user. Raises ``FailureError``."""
    command = ("-f", "tab", "mailbox", "status", "-u", user, "messages", *masks)
    lines = _say(*command, within=_COUNT, accepted=(0, _NO_FOLDER)).split("\n")[1:]
    return sum(int(line.rpartition("\t")[2]) for line in lines if line)


def _say(*arguments: str, within: float, accepted: tuple[int, ...] = (0,)) -> str:
    _configure()
    command = ["doveadm", "-c", str(RUN / "dovecot.conf"), "-o", "stats_writer_socket_path=", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=within)
    except subprocess.TimeoutExpired:
        raise FailureError(f"doveadm {arguments[0]}: no end within {within:.0f} s") from None
    if done.returncode not in accepted:
        errors = "\n".join(line for line in done.stderr.split("\n") if "Warning: " not in line)
        raise FailureError(f"doveadm {arguments[0]}: {errors.strip()[:400]}")
    return done.stdout


def _configure() -> None:
    """Write the settings of the server without quotas."""
    text = DOVECOT.read_text("utf-8")
    if version := re.search("^dovecot_config_version.*$", text, re.MULTILINE):  # 2.4; it must come first
        lines = [version[0], f"!include {DOVECOT}", "mail_plugins {", "  quota = no", "}"]
    else:
        command = ["doveconf", "-h", "mail_plugins"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        plugins = [name for name in said.split() if name != "quota"]
        lines = [f"!include {DOVECOT}", f"mail_plugins = {' '.join(plugins)}"]
    path = RUN / "dovecot.conf"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", "utf-8")
