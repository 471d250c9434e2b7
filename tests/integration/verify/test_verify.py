"""`mailstack.verify` on a server that works, and on one on which all sorts of things are broken."""

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailstack.verify.accounts import PREFIX
from tests.conftest import KEEP
from tests.support import certificates, clients, dns, trust
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import HOSTNAME
from tests.support.trust import Protected
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.pyinfra import PYINFRA, PyinfraRun, run_pyinfra
from tests.targets.shell import ROOT

#: The program of an administrator, and the port of another one.
ALLOWED, UNDECLARED = 8765, 8766
#: Makes a certificate of a key that ended long ago: OpenSSL 3.0 has that only for a CA.
EXPIRED = f"""
mkdir -p /tmp/ca && cd /tmp/ca && : > index && echo 01 > serial && cat > conf <<'END' &&
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
END
cd /etc/ssl/mailstack && cp cert.pem cert.kept && cd /tmp/ca &&
openssl req -new -key /etc/ssl/mailstack/key.pem -subj /CN={HOSTNAME} -out request &&
openssl ca -batch -config conf -selfsign -keyfile /etc/ssl/mailstack/key.pem -in request -notext \
  -startdate 20240101000000Z -enddate 20240201000000Z -out /etc/ssl/mailstack/cert.pem 2>/dev/null
"""

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def host(network: Network, debian: int, filtering: str) -> Iterator[Protected]:
    """Yield a server with a filter, and a DNS that knows it, for tests that break things."""
    name = f"{networks.WORKER_NAME}-verify"
    server = Target(f"{name}-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(filtering)
    resolver = dns.server(f"{name}-dns-{debian}", network, keep=KEEP)
    try:
        if KEEP:
            server.pyinfra("-y", "deploy.py", data=data(), timeout=900).check()
        dns.use(server, resolver)
        both = Protected(server, resolver)
        both.serve("example.org", "example.com")
        clients.eventually(lambda: dns.ask(server, "example.org") == (0, True), "no DNS")
        yield both
    finally:
        if not KEEP:
            server.remove()
            resolver.remove()


def data() -> dict[str, Any]:
    """Return the settings of the host."""
    return trust.data(mail_verify_ports=[ALLOWED])


def call(host: Protected, *args: str) -> PyinfraRun:
    """Run the command as a person does."""
    return host.server.pyinfra("-y", "mailstack.verify", *args, data=data())


def found(run: PyinfraRun) -> dict[str, dict[str, Any]]:
    """Return the checks of a run by their titles: standard output has nothing else."""
    answer = json.loads(run.stdout)
    assert answer["ok"] == (run.returncode == 0)
    return {check["title"]: check for check in answer["checks"]}


def failures(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return what failed, and what was seen; each has advice."""
    failed = {title: check for title, check in checks.items() if check["state"] == "failed"}
    assert all(len(check["advice"]) > 20 for check in failed.values()), failed
    return {title: check["text"] for title, check in failed.items()}


def nothing_stays(server: Target) -> bool:
    """Return whether neither an account nor a file of a run is there."""
    columns = {
        "mail_users": "email",
        "mail_alias": "source_email",
        "mail_relay_domain": "domain_name",
        "mail_relay_recipient": "address",
        "mail_last_login": "email",
        "mail_former_users": "email",
        "mail_former_addresses": "email",
    }
    rows = " UNION ALL ".join(
        f"SELECT {column} AS name FROM {table} WHERE {column} LIKE '%{PREFIX}%'"
        for table, column in columns.items()
    )
    files = server.exec(f"ls -d /var/vmail/{PREFIX}* /run/mailstack-verify", check=False).stdout
    return not clients.sql(server, f"{rows};") and not files


# each kind of check is on both releases; what mailstack does with the answers is the same
def test_a_server_that_works(host: Protected) -> None:
    run = call(host, "format=json")
    checks = found(run)
    assert failures(checks) == {} and run.returncode == 0
    assert {check["group"] for check in checks.values()} == {
        "services",
        "maps",
        "tls",
        "ports",
        "mail",
        "refused",
    }
    states = {title: check["state"] for title, check in checks.items()}
    # the certificate is the server's own, and nothing else is doubtful
    assert {check["group"] for check in checks.values() if check["state"] == "warning"} == {"tls"}
    assert "skipped" not in states.values()
    for port in (25, 587, 465):
        assert " s in the queue, " in checks[f"{port} through the queue"]["text"]
        assert checks[f"{port} to the mailbox"]["text"].endswith("s after it was accepted")
        assert float(checks[f"{port} through the filter"]["text"].removesuffix(" ms")) > 0
    for port in (587, 465):
        signed = checks[f"the message by {port} is signed and aligned"]["text"]
        assert "(rsa-sha256)" in signed and "(ed25519-sha256)" in signed and "of example." in signed
    assert checks["a stranger can't relay"]["text"].startswith("554 5.7.1")
    assert "553 5.7.1" in checks["a user can't send as somebody else"]["text"]
    assert checks["mail to an unknown recipient is refused"]["text"].startswith("550 5.1.1")
    assert checks["mail to a full mailbox is refused"]["text"].startswith("552 5.2.2")
    assert nothing_stays(host.server)
    assert host.server.exec("postqueue -p").stdout.startswith("Mail queue is empty")
    kept = "/var/lib/mailstack/verify.json"
    assert host.server.exec(f"stat -c '%U %a' {kept}").stdout == "root 600\n"
    assert len(json.loads(host.server.read(kept))["checks"]) == len(checks)
    assert host.server.exec("journalctl -u mailstack-verify").stdout.count("argon") == 0


def test_from_outside(host: Protected) -> None:
    run = outside(host, "example.org")
    checks = found(run)
    assert failures(checks) == {}
    ip = host.server.ip
    assert checks["the mail servers of example.org"]["text"] == HOSTNAME
    assert checks[f"{ip} greets on 25 with its name"]["text"].startswith(f"220 {HOSTNAME} ")
    assert checks[f"{ip} takes no mail for others"]["text"].startswith("554 5.7.1")
    for port in ("25", "465 (submissions)", "993 (imaps)"):
        assert checks[f"the certificate on {ip} {port}"]["state"] == "warning"
    assert f"{ip} 5432 (PostgreSQL) is closed" in checks
    wrong = outside(host, "nobody.example.org")
    assert failures(found(wrong)) == {"nobody.example.org has addresses": "it has none"}
    assert "mailstack.dns.zone" in wrong.stdout


def outside(host: Protected, name: str, *args: str) -> PyinfraRun:
    """Look at a server from here."""
    return run_pyinfra(
        "@local",
        "-y",
        "mailstack.verify.from_outside",
        name,
        f"resolver={host.dns.ip}",
        *(args or ("format=json",)),
    )


def test_every_fault_is_named_and_a_deploy_mends_what_it_can(host: Protected) -> None:
    server = host.server
    for port in (ALLOWED, UNDECLARED):
        server.exec(f"systemd-run --quiet --collect --unit=other-{port} python3 -m http.server {port}")
    server.exec(EXPIRED)
    server.exec(
        "sed -i 's/^query = .*/query = SELECT 1 WHERE false/' /etc/postfix/sql/sender_logins.cf;"
        " chmod 644 /etc/ssl/mailstack/key.pem;"
        " postconf -e mynetworks=0.0.0.0/0 smtpd_tls_auth_only=no;"
        " postconf -P submission/inet/smtpd_tls_security_level=may submission/inet/smtpd_tls_auth_only=no;"
        " systemctl restart postfix dovecot"
    )
    checks = found(call(host, "format=json"))
    wrong = failures(checks)
    (of_map,) = (text for title, text in wrong.items() if title.startswith("sender_logins has "))
    assert of_map == "there is no answer"
    assert "key.pem" in wrong["no secret can be read by others"]
    assert f"{UNDECLARED} (python3)" in wrong["no port is open that nobody declared"]
    assert str(ALLOWED) not in wrong["no port is open that nobody declared"]
    assert "to verify@mailstack-verify.example: 250" in wrong["a stranger can't relay"]
    assert wrong["no password in clear on 587 (submission)"] == "the server took it"
    for number in ("465 (submissions)", "993 (imaps)", "25 (smtp)"):
        assert "has expired" in wrong[f"the certificate on {number}"]
    assert nothing_stays(server)

    seen = failures(found(outside(host, HOSTNAME)))
    assert "to verify@mailstack-verify.example: 250" in seen[f"{server.ip} takes no mail for others"]
    assert "has expired" in seen[f"the certificate on {server.ip} 25"]

    # at the end of a deploy, which mends all but the program of somebody else
    server.exec(
        "mv /etc/ssl/mailstack/cert.kept /etc/ssl/mailstack/cert.pem; systemctl restart dovecot postfix"
    )
    deploy = server.pyinfra("-y", "deploy.py", data=data() | {"mail_verify": True})
    assert deploy.returncode != 0
    assert f"open to other hosts, and of no component: {UNDECLARED} (python3)" in deploy.stderr
    server.exec(f"systemctl stop other-{UNDECLARED}")
    deploy = server.pyinfra("-y", "--json", "deploy.py", data=data() | {"mail_verify": True}).check()
    assert deploy.changed == []


@on_debian_13
def test_a_key_that_the_filter_can_not_read_is_told_of_every_domain(host: Protected) -> None:
    """The message of the checks is of the first domain alone."""
    server, key = host.server, "/var/lib/rspamd/dkim/example.org/rsa1.key"
    server.exec(f"chown root:root {key}; chmod 600 {key}")
    try:
        wrong = failures(found(call(host, "format=json")))
        (text,) = wrong.values()
        assert text.startswith(f"rspamd can not read {key} ") and "restart rspamd" in text
        status = server.pyinfra("-y", "mailstack.status", "changes=false", "format=json", data=data())
        told = [each["text"] for each in json.loads(status.stdout)["troubles"] if each["section"] == "dkim"]
        assert len(told) == 1 and "example.org/rsa1.key" in told[0]
    finally:
        server.exec(f"chgrp _rspamd {key}; chmod 640 {key}")
    # a key with which another program has signed before signs too
    server.exec(
        "cd /var/lib/rspamd/dkim/example.org; cp -p rsa1.key mail.key; cp -p current current.kept;"
        " echo mail > current"
    )
    status = server.pyinfra("-y", "mailstack.status", "changes=false", "format=json", data=data())
    server.exec("cd /var/lib/rspamd/dkim/example.org; mv current.kept current; rm mail.key")
    assert "dkim" not in {each["section"] for each in json.loads(status.stdout)["troubles"]}


@on_debian_13
def test_a_certificate_of_ones_own_is_a_warning(host: Protected, tmp_path: Path) -> None:
    pem, key = certificates.self_signed(tmp_path)
    own = {"mail_tls_certificate": pem.read_text(), "mail_tls_key": key.read_text()}
    before = host.server.pyinfra("-y", "mailstack.verify", "format=json", data=data() | own)
    assert "deploy.py" in found(before)["the certificate on 993 (imaps)"]["advice"]
    host.server.pyinfra("-y", "deploy.py", data=data() | own | {"mail_verify": True}, timeout=600).check()
    checks = found(host.server.pyinfra("-y", "mailstack.verify", "format=json", data=data() | own))
    assert failures(checks) == {}
    assert "as that in mail_tls_certificate is" in checks["the certificate on 993 (imaps)"]["text"]
    host.server.pyinfra("-y", "deploy.py", data=data(), timeout=600).check()


def test_without_the_filter_mail_waits_and_verify_says_so(host: Protected) -> None:
    host.server.exec("systemctl stop rspamd")
    run = call(host)
    host.server.exec("systemctl start rspamd")
    assert run.returncode != 0
    lines = run.stdout.splitlines()
    assert " failed" in lines[0]
    (at,) = (number for number, line in enumerate(lines) if line.startswith("  FAILED    rspamd runs"))
    assert lines[at + 1].strip().startswith("= systemctl restart rspamd")
    assert any(line.startswith("  FAILED    587 takes a message") and "454 4.3.0 " in line for line in lines)
    assert nothing_stays(host.server)
    assert host.server.exec("postqueue -p").stdout.startswith("Mail queue is empty")


@on_debian_13
def test_a_killed_run_leaves_nothing(host: Protected) -> None:
    server = host.server
    active = "systemctl show --property=ActiveState --value mailstack-verify"
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder, "inventory.py")
        inventory.write_text(f"hosts = [({f'@docker/{server.name}'!r}, {data()!r})]\n")
        command = [PYINFRA, "-y", str(inventory), "mailstack.verify"]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as run:
            clients.eventually(lambda: not nothing_stays(server), "no run began", 180)
            run.kill()
        clients.eventually(lambda: server.exec(active).stdout.strip() == "inactive", "it did not end", 120)
        assert nothing_stays(server)
        # and what runs on the host, too
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            clients.eventually(lambda: not nothing_stays(server), "no run began", 180)
            server.exec("systemctl kill --signal=KILL mailstack-verify")
            assert run.wait(180) != 0
    clients.eventually(lambda: nothing_stays(server), "it left something", 120)
    kept = json.loads(server.read("/var/lib/mailstack/verify.json"))
    assert kept["failed"] == ["the checks did not end"]


def test_no_secret_in_the_process_list(host: Protected) -> None:
    """The password of the run is in no argument, also not in base64 with the rest of the plan."""
    server = host.server
    watch = (
        "while sleep 0.05; do tail -n +1 /proc/[0-9]*/cmdline >> /tmp/seen;"
        " cp /run/mailstack-verify/plan /tmp/plan; done 2>/dev/null"
    )
    server.exec(f"rm -f /tmp/seen /tmp/plan; systemd-run --quiet --unit=watch sh -c {shlex.quote(watch)}")
    start = time.monotonic()
    run = call(host)
    assert run.returncode == 0, run.stdout
    assert time.monotonic() - start < 120
    server.exec("systemctl stop watch")
    seen = server.read("/tmp/seen").replace(b"\0", b" ").decode(errors="replace")
    password = json.loads(server.read("/tmp/plan"))["password"]
    server.exec("rm /tmp/seen /tmp/plan")
    assert "systemd-run" in seen and len(password) > 20
    assert password not in seen and "$argon" not in seen and "AUTH PLAIN" not in seen
    # three octets are four characters, and the password begins at any of the three
    for at in range(3):
        part = password[at : at + 27].encode()
        assert base64.b64encode(part).decode() not in seen
    tried = re.findall(r" auth test (mailstack-verify-\S+)(.*)", seen)
    assert tried and not any(more.strip() for _, more in tried)  # it reads the password from its input


def test_bad_arguments_and_settings_are_refused_at_once(host: Protected) -> None:
    assert "format = 'jsn': allowed: table, json" in call(host, "format=jsn").stderr
    assert "there is no argument fromat" in call(host, "fromat=json").stderr
    assert "server = 'a b'" in outside(host, "a b").stderr
    run = host.server.pyinfra("-y", "mailstack.verify", data=trust.data(mail_verify_ports=["a"]))
    assert run.returncode != 0 and "mail_verify_ports" in run.stderr
