"""`make demo`, as the Makefile runs it: twice, then with `ACME=1`, and then the printed next steps."""

from __future__ import annotations

import imaplib
import re
import sys
from collections.abc import Iterator

import pytest

from tests.support import clients
from tests.targets import demo, demo_acme, networks
from tests.targets.containers import Target
from tests.targets.shell import docker, run


@pytest.fixture
def release(engine: None) -> Iterator[int]:
    """Yield the Debian release for the demo: that of an existing demo, which is kept."""
    container = Target("mailstack-demo", 12, networks.demo())
    if container.exists():
        yield int(re.findall(r":(\d+)-", container.image())[0])
        return
    yield 12
    container.remove()
    for other in demo_acme.OTHERS:
        Target(other, 13, container.network).remove()
    docker("network", "rm", container.network.name, check=False)


def test_the_demo_works_on_loopback_only_and_a_second_one_changes_nothing_and_then_asks_a_ca(
    release: int,
) -> None:
    command = [sys.executable, "-m", "tests.targets", "demo", "--debian", str(release)]
    first, second = (run([*command, *more], timeout=900).stdout for more in ([], ["--acme"]))
    for said in (first, second):
        assert re.search(rf"port 25, as a stranger, to {demo.ALICE}: Subject: From the outside world", said)
        assert re.search(rf"port 587, as {demo.BOB}, STARTTLS and AUTH: Subject: From a colleague", said)
        rest = said.partition("What the DNS of example.org needs")[2].partition("\nThe certificate")[0]
        zone = rest.partition("\nDoes all of it work?")[0].splitlines()[2:]
        assert "example.org. 3600 IN MX 10 mail.example.org." in zone
        assert any(line.startswith("mail.example.org. 3600 IN A 1") for line in zone)
        # so that all of it can be copied
        assert all(line == "" or line.startswith("; ") or " IN " in line for line in zone)
        assert any(line.endswith(".in-addr.arpa. PTR mail.example.org.") for line in zone)
    proof = first.partition("\nDoes all of it work?")[2]
    assert re.search(r"^@docker/mailstack-demo: \d+ checks, 0 failed", proof, re.MULTILINE)
    assert re.search(rf"{demo.ALICE}'s INBOX back from it: Restored \S+ \w+$", proof, re.MULTILINE)
    assert 10 < len(proof.partition("\nContainer mailstack-demo")[2].splitlines()) <= 30
    assert "mailstack.status" in proof and f"mailstack.trace {demo.ALICE}" in proof
    assert "was there already" in second
    assert "pyinfra: 0 changes" in second
    # of the CA, and renewed
    assert len(set(re.findall(r"^serial=(\w+)$", second, re.MULTILINE))) == 2
    assert second.count("issuer=CN = Pebble") + second.count("issuer=CN=Pebble") == 2

    password = re.findall(rf"{demo.ALICE}, password (\S+)", second)[0]
    with imaplib.IMAP4_SSL("127.0.0.1", 2993, ssl_context=clients.tls(), timeout=clients.TIMEOUT) as session:
        session.login(demo.ALICE, password)
        assert int((session.select()[1][0] or b"0").decode()) >= 4
    assert demo.PASSWORDS.stat().st_mode & 0o777 == 0o600

    ports = docker("port", "mailstack-demo").stdout.splitlines()
    assert len(ports) == len(demo.PORTS)
    assert all("-> 127.0.0.1:" in line for line in ports)
