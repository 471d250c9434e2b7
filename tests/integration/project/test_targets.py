"""The base of the other tests: bare hosts, and a peer that accepts mail."""

from __future__ import annotations

import smtplib
from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.shell import TargetError, docker

DEPLOY = """
from pyinfra.operations import server
server.shell(name="Who", commands=["id -un > /root/who"])
"""


def test_a_bare_target_is_bare(bare: Factory, debian: int) -> None:
    target = bare()
    assert target.exec(". /etc/os-release && echo $VERSION_ID").stdout.strip() == str(debian)
    assert target.exec("ps -o comm= -p 1").stdout.strip() == "systemd"
    assert target.exec(["systemctl", "is-system-running"]).stdout.strip() == "running"
    installed = target.exec(["dpkg-query", "-W", "-f", "${Package}\n"]).stdout
    assert not [name for name in ("postfix", "dovecot", "postgresql", "exim") if name in installed]


def test_the_connectors_reach_a_target(bare: Factory, tmp_path: Path) -> None:
    target = bare()
    deploy = tmp_path / "deploy.py"
    deploy.write_text(DEPLOY)
    for connector, sudo in (("docker", []), ("ssh", []), ("ssh-admin", ["--sudo"])):
        run = target.pyinfra("-y", "--json", *sudo, str(deploy), connector=connector).check()
        assert run.changed == ["Who"]
        assert target.exec("cat /root/who; rm /root/who").stdout == "root\n"
    assert target.pyinfra("-y", str(deploy), connector="ssh-admin").returncode != 0, "admin is not root"


@pytest.mark.parametrize("address", ["ip", "ip6"])
def test_the_peer_takes_mail_and_keeps_it(peer: Target, address: str) -> None:
    mail = clients.message("someone@example.org", f"anyone@{sample_accounts.REMOTE}")
    with smtplib.SMTP(getattr(peer, address), timeout=clients.TIMEOUT) as session:
        session.send_message(mail)
    assert f"Delivered-To: anyone@{sample_accounts.REMOTE}".encode() in clients.wait_at_peer(
        peer, mail["Message-ID"]
    )


def test_the_peer_relays_after_a_login(peer: Target) -> None:
    mail = clients.message("someone@example.org", "anyone@elsewhere.example")
    with smtplib.SMTP(peer.ip, 587, timeout=clients.TIMEOUT) as session:
        session.starttls(context=clients.tls())
        session.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            clients.login(session, f"relay@{sample_accounts.REMOTE}", "wrong")
        assert session.mail("someone@example.org")[0] == 250
        assert session.rcpt("anyone@elsewhere.example")[0] == 554
        session.rset()
        clients.login(session, f"relay@{sample_accounts.REMOTE}", "relay-secret")
        session.send_message(mail)
    assert clients.wait_at_peer(peer, mail["Message-ID"])


def test_a_range_is_taken_only_from_an_idle_test_network(peer: Target, debian: int) -> None:
    subnet6 = peer.network.subnet6
    in_use = Network(
        f"{peer.network.name}-b", peer.network.subnet, subnet6.replace("2001:db8:", "2001:db8:f")
    )
    with pytest.raises(TargetError, match=f"network {peer.network.name} already has {peer.network.subnet}"):
        in_use.ensure()
    # the same test for the other Debian may run beside this one
    mine = f"198.18.{240 + debian}.0"
    idle = Network(f"{peer.network.name}-c", f"{mine}/29", f"2001:db8:{debian}fc::/64")
    taken = Network(f"{peer.network.name}-d", f"{mine}/30", f"2001:db8:{debian}fd::/64")
    idle.ensure()
    taken.ensure()
    networks = docker("network", "ls", "--format", "{{.Name}}").stdout.split()
    docker("network", "rm", taken.name)
    assert taken.name in networks
    assert idle.name not in networks


def test_a_copy_of_the_server_serves(clone: Factory, server: Target) -> None:
    copy = clone()
    assert copy.ip != server.ip
    with clients.imap(copy, sample_accounts.ALICE) as session:
        assert session.state == "SELECTED"


def test_targets_find_the_peer_by_name(peer: Target, bare: Factory) -> None:
    found = bare().exec(["getent", "ahosts", sample_accounts.REMOTE]).stdout.split()
    assert {peer.ip, peer.ip6} <= set(found)


@pytest.mark.parametrize("given", ["", "\n", "a 'line'\nand ünïcode $HOME `id`\\\n", "x" * 300_000], ids=len)
def test_a_command_gets_its_standard_input(peer: Target, given: str) -> None:
    assert peer.exec(["cat"], input=given).stdout == given
    peer.write("/root/given", given.encode())
    assert peer.read("/root/given") == given.encode()
    done = peer.exec("head -c 1 >/dev/null; echo after >&2; exit 3", input=given, check=False)
    assert (done.stderr, done.returncode) == ("after\n", 3)
