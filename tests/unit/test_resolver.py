"""The resolver of a host: who asks it, and whom it asks."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack import Settings
from mailstack.components.component import with_required
from mailstack.components.postfix import POSTFIX
from mailstack.components.resolver import RESOLVER, problem
from mailstack.components.rspamd import RSPAMD
from mailstack.facts.platform import RELEASES, Platform
from mailstack.facts.port_owners import NAME_SERVERS
from mailstack.facts.units import Units, UnitStates
from mailstack.files import File
from mailstack.operations.units import Unit, plan
from mailstack.shell import script
from tests.support.sites import site, whole

WATCH = "mailstack-resolver.path"


def written(component: Any, **settings: Any) -> dict[str, str]:
    """Return the files of a component, by path."""
    here = site(Settings(mail_hostname="mail.example.org", **settings))
    entries = component.files(here, RELEASES[1])
    return {entry.path: entry.content for entry in entries if isinstance(entry, File) and entry.content}


def configuration(**settings: Any) -> str:
    return written(RESOLVER, **settings)["/etc/unbound/unbound.conf.d/mailstack.conf"]


def test_it_comes_before_those_that_ask_it() -> None:
    here = site(Settings(mail_hostname="mail.example.org"))
    for wanted in ([POSTFIX], [RSPAMD], whole(here)):
        names = [component.name for component in with_required(wanted, here)]
        assert names.index("resolver") < names.index("rspamd")


def test_without_it_nobody_asks_it() -> None:
    here = site(Settings(mail_hostname="mail.example.org", mail_resolver=False))
    assert "resolver" not in [component.name for component in [*whole(here), *with_required([POSTFIX], here)]]
    options = written(RSPAMD, mail_resolver=False)["/etc/rspamd/local.d/options.inc"]
    assert "dns" not in options
    assert 'nameserver = ["127.0.0.1"];' in written(RSPAMD)["/etc/rspamd/local.d/options.inc"]


def test_it_answers_this_host_alone() -> None:
    assert re.findall(r"interface: (.*)", configuration()) == ["127.0.0.1"]
    assert RESOLVER.ports(site(Settings(mail_hostname="mail.example.org"))) == ()


def test_it_asks_the_world_or_its_forwarders() -> None:
    assert "forward" not in configuration()
    forwarding = configuration(mail_resolver_forwarders=["192.0.2.53", "2001:DB8::53"])
    assert forwarding.endswith(
        'forward-zone:\n    name: "."\n    forward-addr: 192.0.2.53\n    forward-addr: 2001:db8::53\n'
    )
    assert "do-not-query-localhost" not in forwarding
    assert "do-not-query-localhost: no" in configuration(mail_resolver_forwarders=["127.0.2.1"])


@pytest.mark.parametrize("found", [(), ("unbound",)])
def test_an_unbound_may_run_already(found: tuple[str, ...]) -> None:
    assert problem(found) is None


def test_another_server_is_named() -> None:
    said = problem(("dnsmasq", "unbound"))
    assert said and said.startswith("mail_resolver: port 53 of 127.0.0.1 belongs to dnsmasq; allowed: False")


ADDRESSES = [
    ("tcp", "0100007F:0035", "0A", True),
    ("tcp", "0100007F:0035", "06", False),
    ("udp", "00000000:0035", "07", True),
    ("udp6", "00000000000000000000000000000000:0035", "07", True),
    ("tcp", "3500007F:0035", "0A", False),
    ("tcp", "0100007F:0019", "0A", False),
    ("tcp6", "00000000000000000000000001000000:0035", "0A", False),
]


@pytest.mark.parametrize(("table", "address", "state", "counts"), ADDRESSES)
def test_who_has_the_port(tmp_path: Path, table: str, address: str, state: str, counts: bool) -> None:
    for name in ("tcp", "udp", "tcp6", "udp6"):
        line = f"   0: {address} 00000000:0000 {state} 0:0 00:0 0 0 0 4711 1\n" if name == table else ""
        (tmp_path / name).write_text("  sl  local_address\n" + line)
    (tmp_path / "17" / "fd").mkdir(parents=True)
    (tmp_path / "17" / "fd" / "3").symlink_to("socket:[4711]")
    (tmp_path / "17" / "comm").write_text("dnsmasq\n")
    ask = NAME_SERVERS.ask([]).replace("/proc/net/", f"{tmp_path}/").replace("/proc/", f"{tmp_path}/")
    depth = len(tmp_path.parts)  # of the field with the number of the process
    ask = ask.replace("cut -d / -f 3", f"cut -d / -f {depth + 1}")
    done = subprocess.run(["sh", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == ("dnsmasq\n" if counts else "")


@pytest.mark.parametrize("platform", RELEASES)
def test_the_watch_is_a_unit_without_a_process(platform: Platform) -> None:
    (unit,) = [
        each
        for each in RESOLVER.units(site(Settings(mail_hostname="mail.example.org")), platform)
        if each.name == WATCH
    ]
    up = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
    assert plan(unit, Units({WATCH: up})) == []
    down = plan(unit, Units({WATCH: {"ActiveState": "inactive", "UnitFileState": "disabled"}}))
    assert [step.word for step in down] == ["enable", "start"]
    assert f" {WATCH} b.service" in UnitStates.of([WATCH, "b"]).ask(UnitStates.of([WATCH, "b"]).about)
    assert plan(Unit("b"), Units({"b": up}))[0].reason == "its master is dead"


COPY_COMMAND = re.compile(r"ExecStart=(/bin/sh -c '.*')")


def test_the_copy_is_written_if_it_differs(tmp_path: Path) -> None:
    files = written(RESOLVER)
    service = files["/usr/local/lib/systemd/system/mailstack-resolver.service"]
    (command,) = COPY_COMMAND.findall(service)
    ours, copy = tmp_path / "ours", tmp_path / "copy"
    command = command.replace("/etc/unbound/mailstack-resolv.conf", str(ours))
    command = command.replace("/var/spool/postfix/etc/resolv.conf", str(copy))
    ours.write_text("nameserver 127.0.0.1\n")
    copy.write_text("nameserver 192.0.2.1\n")
    subprocess.run(command, shell=True, check=True, timeout=60)
    assert copy.read_text() == ours.read_text()
    os.utime(copy, (1, 1))
    subprocess.run(command, shell=True, check=True, timeout=60)
    assert copy.stat().st_mtime == 1, "written again, the watch would never end"


def test_a_resolver_that_does_not_answer_is_told() -> None:
    probe = script("probe_resolver", "127.0.0.222", "answers")
    done = subprocess.run(["sh", "-c", probe], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "no answer\n")
