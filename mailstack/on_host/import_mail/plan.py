"""What is imported, and doveadm with the settings of an import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

DIRECTORY = Path("/run/mailstack-import_mail")
"""Only root can read it."""
DOVECOT = "/etc/dovecot/dovecot.conf"


class Problem(Exception):  # noqa: N818 - it is a line for people
    """Raised with a line that says what prevents it."""


class Plan:
    """The mail of one user, and where it comes from."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.email: str = plan["email"]
        self.home = Path(plan["home"])
        self.generation: str = plan["generation"]
        self.which: str = plan["which"]
        self.exclude: list[str] = plan["exclude"]
        self.source: dict[str, Any] = plan["source"]

    def say(self, text: str) -> None:
        """Print a line about it."""
        try:
            print(f"{self.which}: {self.email}: {text}", flush=True)
        except BrokenPipeError:  # the connection is lost, and the import goes on
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it stays open until the end


def doveadm(plan: Plan, *arguments: str, within: float, accepted: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """Run doveadm with the settings of an import. Raises ``Problem`` for any other exit code."""
    command = ["doveadm", "-c", str(DIRECTORY / "conf"), "-o", "stats_writer_socket_path=", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"doveadm did not end within {within:.0f} s") from None
    if done.returncode not in accepted:
        errors = [line for line in done.stderr.split("\n") if "Error" in line or "Fatal" in line]
        raise Problem(f"doveadm: {errors[0][:500] if errors else f'exit code {done.returncode}'}")
    return done.returncode, done.stdout


def counted(plan: Plan) -> dict[str, int]:
    """Return the number of messages in each folder of the user's own."""
    ask = ("-f", "tab", "mailbox", "status", "-u", plan.email, "messages", "*")
    # 68: also if a folder has only subfolders
    _, said = doveadm(plan, *ask, within=300, accepted=(0, 68))
    lines = (line.rpartition("\t") for line in said.split("\n")[1:] if line)
    return {name: int(number) for name, _, number in lines if not name.startswith("shared/")}


def quoted(value: str, generation: str) -> str:
    """Return a value of Dovecot's configuration; 2.4 takes ``%{name}`` in it for a variable."""
    if generation != "2.3":
        value = value.replace("%{", "%%{")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def configure(plan: Plan, more: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write the settings of an import: quotas are off, and these are added."""
    if plan.generation == "2.3":
        plugins = [name for name in doveconf("mail_plugins").split() if name != "quota"]
        lines = [f"!include {DOVECOT}", f"mail_plugins = {' '.join(plugins)}"]
    else:
        # it must come first
        version = re.search("^dovecot_config_version.*$", Path(DOVECOT).read_text(), re.MULTILINE)
        lines = [version[0] if version else "", f"!include {DOVECOT}", "mail_plugins {", "  quota = no", "}"]
    lines += [f"{name} = {value}" for name, value in more.items()]
    path = DIRECTORY / "conf"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def doveconf(name: str) -> str:
    """Return a setting of the server's."""
    return subprocess.run(["doveconf", "-h", name], capture_output=True, text=True, check=True).stdout.strip()
