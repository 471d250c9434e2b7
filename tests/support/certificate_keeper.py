"""A host that keeps certificates, without a DNS, a CA, a database or a web server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.certificates import keeper
from mailstack.on_host.certificates.files import FailureError, Present
from mailstack.on_host.certificates.keeper import Keeper

DAY = 24 * 3600.0
NOW = 1_000_000 * DAY / 1000
CONFIGURATION: dict[str, Any] = {
    "hostname": "mail.example.org",
    "names": ["mta-sts.@DOMAIN@", "autoconfig.@DOMAIN@"],
    "kinds": ["ecdsa"],
    "as_postfix": False,
    "challenge": "http-01",
    "services": [],
    "server": "https://ca.example/dir",
    "table": "pgsql:/table",
    "site": None,
    "sites": "/nonexistent",
}


class Dns:
    """A DNS in which names have problems."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.asked: list[str] = []

    def problem(self, name: str) -> str | None:
        """See `Names.problem`."""
        self.asked.append(name)
        return self.problems.get(name)


class World:
    """A CA and a disk."""

    def __init__(self) -> None:
        self.there: dict[Path, Present] = {}
        self.orders: list[list[str]] = []
        self.failure: FailureError | None = None

    def order(self, _: object, names: list[str], key: Path) -> str:
        """See `ca.order`."""
        self.orders.append(list(names))
        if self.failure:
            raise self.failure
        self.there[key.with_name("cert.pem")] = Present(tuple(names), NOW, NOW + 90 * DAY)
        return "PEM"


def keeper_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Keeper, World]:
    """Return what keeps certificates in this directory, and its world."""
    world = World()
    monkeypatch.setattr(keeper, "order", world.order)
    monkeypatch.setattr(keeper, "install", lambda *_: None)
    monkeypatch.setattr(keeper, "public", lambda _: "a key")
    monkeypatch.setattr(keeper, "present", lambda wanted: world.there.get(wanted.certificate))
    monkeypatch.setattr(keeper, "Names", lambda _: Dns())
    for name in ("STATE", "RELOAD", "CONFIGURATION"):
        monkeypatch.setattr(keeper, name, directory / name)
    monkeypatch.setattr(keeper, "CERTIFICATES", directory)
    return Keeper(CONFIGURATION), world


class Host:
    """What commands answer: the domains in the database, and why nginx refuses its files."""

    def __init__(self) -> None:
        self.domains: str | None = "."
        self.nginx = ""
        self.commands: list[tuple[str, ...]] = []

    def run(self, *command: str, **_: object) -> subprocess.CompletedProcess[str]:
        """See `files.run`."""
        self.commands.append(command)
        if command[0] == "nginx":
            return subprocess.CompletedProcess(command, int(bool(self.nginx)), "", self.nginx)
        if self.domains is None:
            raise subprocess.TimeoutExpired(command, 20)
        return subprocess.CompletedProcess(command, 0, self.domains, "")
