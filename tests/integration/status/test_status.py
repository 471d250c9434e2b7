"""`mailstack.status`: it names each trouble, says what to do, and fails; without any it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from docs import screens
from mailstack.components.tls import CERTIFICATE, KEY
from tests.integration.conftest import Factory
from tests.support import certificates, clients, pictures, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, HOSTNAME
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.both_engines

FULL = "full@example.org"
KEPT = ("/etc/postfix/main.cf", CERTIFICATE)
BREAK = f"""set -e
for file in {" ".join(KEPT)}; do cp -p $file $file.kept; done
postconf -e defer_transports=smtp && postfix reload
echo Subject: waits | sendmail -f {ALICE} x@waiting.example
echo Subject: full | sendmail -f {ALICE} {FULL}
systemd-run --quiet --unit=mailstack-broken false || true
mount -t tmpfs -o size=4m tmpfs /var/log
head -c 3900000 /dev/zero > /var/log/full
"""
REPAIR = f"""
umount -l /var/log
systemctl reset-failed mailstack-broken.service
postsuper -d ALL
for file in {" ".join(KEPT)}; do mv $file.kept $file; done
postfix reload
"""


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Iterator[Target]:
    """Yield a copy of the standard server."""
    target = module_clone("status")
    user = "INSERT INTO mail_users (email, password, quota_messages) SELECT"
    clients.sql(target, f"{user} '{FULL}', password, 1 FROM mail_users WHERE email = '{ALICE}'")
    yield target


def call(host: Target, *args: str) -> PyinfraRun:
    """Run the command as a person does."""
    return host.pyinfra("-y", "mailstack.status", *args, data=sample_accounts.data())


def state(host: Target, *args: str) -> dict[str, Any]:
    """Return what is printed as JSON; a trouble and the exit status belong together."""
    run = call(host, "format=json", *args)
    found: dict[str, Any] = json.loads(run.stdout)
    assert (run.returncode == 0) is found["ok"] is not bool(found["troubles"]), run.stderr
    return found


def troubles(found: dict[str, Any]) -> dict[str, list[str]]:
    """Return the texts of all troubles by section, without those of this machine's own disk."""
    by_section: dict[str, list[str]] = {}
    for each in found["troubles"]:
        assert each["advice"]
        if each["section"] != "disk" or each["text"].startswith("/var/log"):
            by_section.setdefault(each["section"], []).append(each["text"])
    return by_section


def test_a_server_that_needs_nobody(host: Target, db_engine: str, tmp_path: Path) -> None:
    mail = clients.message(ALICE, BOB)
    with clients.smtp(host, 587, ALICE) as session:
        session.send_message(mail, ALICE, [BOB])
    clients.received(host, BOB, str(mail["Message-ID"]))
    clients.replies(host, "nobody@example.org")
    clients.wait_for_empty_queue(host)
    found = state(host)
    assert troubles(found) == {}
    services = {each["name"]: each for each in found["services"]}
    assert {"postfix", "dovecot"} <= services.keys()
    assert {each["state"] for each in found["services"]} <= {"runs", "waits"}
    assert all(each["since"] for each in found["services"])
    assert found["queue"]["messages"] == 0
    assert found["mail"]["from_users"] >= 1 and found["mail"]["delivered"] >= 1
    assert found["mail"]["refused"]["No active mailbox and no alias has this address."] >= 1
    assert found["quota"] == {"users_with_quota": 1, "above": []}
    assert found["certificates"][0]["name"] == "mail.example.org" and found["certificates"][0]["days"] > 300
    assert found["disk"]["mail_bytes"] > 0
    assert 0 < found["database"]["connections"] < found["database"]["limit"]
    assert found["deploy"] == {"changes": [], "refused": [], "unknown": None}
    assert found["dns"] is None and "dkim" not in found and "bans" not in found
    said = call(host).stdout
    assert said.startswith(f"{found['host']}, 20") and "deploy" in said and "\x1b" not in said
    if db_engine == "postgresql":
        screen = screens.draw("mailstack status", said.replace(found["host"], HOSTNAME))
        pictures.place("status.svg", tmp_path).write_text(screen)


def test_each_trouble_is_named(host: Target, db_engine: str) -> None:
    host.exec(BREAK)
    try:
        # the clock of a virtual machine may go back a second: no boundary of a day is near
        end = datetime.now(UTC) + timedelta(days=4, hours=12)
        host.write(CERTIFICATE, certificates.of_key(host.read(KEY), end).encode())
        if db_engine == "postgresql":
            clients.sql(host, "SELECT pg_create_physical_replication_slot('nobody', true)")
        clients.eventually(lambda: len(clients.queue(host)) == 1, "the other message is not delivered", 60)
        host.exec("postsuper -h ALL")
        found = state(host)
        named = troubles(found)
        assert named["queue"] == [f"1 message on hold: {queue_id(host)}"]
        assert named["quota"] == [f"full, or nearly: {FULL}"]
        assert found["quota"]["above"] == [{"address": FULL, "used_percent": 100.0}]
        assert named["certificates"] == ["that of mail.example.org has 4 days left"]
        assert named["services"] == ["mailstack-broken has failed"]
        assert named["disk"][0].startswith("/var/log is 9")
        assert named["deploy"] == ["the host differs from the inventory: 2 changes"]
        make, write = found["deploy"]["changes"]
        assert (make, write) == ("make a certificate for mail.example.org", "/etc/postfix/main.cf: content")
        if db_engine == "postgresql":
            assert named["database"][0].startswith("nothing reads the replication slot nobody")
        run = call(host, "changes=false")
        assert run.returncode != 0 and "needs a person, see above: " in " ".join(run.stderr.split())
        for each in found["troubles"]:
            listed = f"  {each['section']}: {each['text']}\n    = {each['advice']}\n"
            assert (listed in run.stdout) is (each["section"] != "deploy")
    finally:
        host.exec(REPAIR)
        if db_engine == "postgresql":
            clients.sql(host, "SELECT pg_drop_replication_slot('nobody')")
    assert troubles(state(host)) == {"quota": [f"full, or nearly: {FULL}"]}


def queue_id(host: Target) -> str:
    """Return the ID of the only message in the queue."""
    identity: str = json.loads(host.exec(["postqueue", "-j"]).stdout)["queue_id"]
    return identity


def test_stopped_services(host: Target, db_engine: str) -> None:
    server = "mariadb" if db_engine == "mysql" else f"postgresql@{17 if host.debian == 13 else 15}-main"
    host.exec(f"systemctl stop dovecot {server}")
    try:
        found = state(host)
    finally:
        host.exec(f"systemctl start {server} dovecot")
    named = troubles(found)
    assert named["database"] == ["it does not answer"]
    name = "mariadb" if db_engine == "mysql" else "postgresql"
    assert [text.partition(":")[0] for text in named["services"]] == [name, "dovecot"]
    assert {"dovecot: start", f"{name}: start"} <= set(found["deploy"]["changes"])


def test_wrong_arguments(host: Target) -> None:
    for argument, said in {
        "format=xml": "format = 'xml': allowed: table, json",
        "changes=some": "changes = 'some': must be true or false",
        "since=2h": "mailstack.status [changes=…] [quotas=…] [format=…]: there is no argument since",
    }.items():
        run = call(host, argument)
        assert run.returncode != 0 and run.stdout == ""
        assert said in " ".join(run.stderr.split())
