"""Deploys: with and without changes, killed, two at once; packages and certificates."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faults import hosts
from faults.row import Case, Row
from tests.support import certificates, deploys
from tests.support.sample_accounts import ALICE
from tests.support.tally import DELIVERED_AGAIN, SENT_AGAIN
from tests.targets.pyinfra import PyinfraRun

PART = "Deploys, packages, certificates"
_KILL_SWITCH = "tests/support/kill_switch.py"
#: More than a deploy has commands.
_MOST = 40
_CERTIFICATE, _KEY = "/etc/ssl/mailstack/cert.pem", "/etc/ssl/mailstack/key.pem"


def variant(number: int) -> dict[str, Any]:
    """Return settings that differ for each number, for every daemon."""
    return hosts.data(
        mail_hostname=f"mail{number}.example.org",
        mail_db_lookup_password=f"a password {number}",
        mail_db_port=5432 + number % 2,
        mail_virtual={f"static{number}@example.org": [ALICE]},
        mail_dovecot_extra=f"login_greeting = greeting {number}",
        mail_sieve_before=f'if header "x-variant" "variant {number}" {{ keep; }}',
    )


def deploy(case: Case, data: Mapping[str, Any] | None = None) -> PyinfraRun:
    """Deploy the server, with the settings that it had or with others."""
    return deploys.run(case.host, case.data if data is None else data)


def unchanged(case: Case) -> None:
    """Deploy, which changes nothing."""
    run = deploy(case)
    assert deploys.changed(run) == [], f"{deploys.changed(run)}: {deploys.said(run)}"


def changed(case: Case) -> None:
    """Deploy other settings."""
    assert deploys.changed(deploy(case, variant(1)))


def rotated(case: Case) -> None:
    """Change the password by which Postfix and Dovecot ask the database, as there and in their files."""
    assert deploys.changed(deploy(case, {**case.data, "mail_db_lookup_password": "another password"}))


def killed(case: Case) -> None:
    """Kill deploys with other settings each: after the first command, after the second, and so on."""
    for number in range(1, _MOST):
        env = {"MAILSTACK_KILL": f"after:{number}"}
        run = case.host.pyinfra("-y", _KILL_SWITCH, "deploy.py", data=variant(number), env=env)
        if run.returncode == 0:
            print(f"  Debian {case.host.debian}: killed after each of {number - 1} commands", flush=True)
            return
        assert run.returncode == -signal.SIGKILL, run.stderr[-2000:]
    raise AssertionError(f"a deploy has more than {_MOST} commands")


def two_at_once(case: Case) -> None:
    """Deploy twice at once, with other settings: one of them may be told that the other is at work."""
    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda n: case.host.pyinfra("-y", "deploy.py", data=variant(n), timeout=300), (1, 2))
        )
    for run in runs:
        said = run.stdout + run.stderr
        assert run.returncode == 0 or "another run is at work" in said, said[-2000:]


def again(case: Case) -> None:
    """Deploy the settings of before; after that a deploy changes nothing."""
    deploy(case)
    unchanged(case)


def expired(case: Case) -> None:
    """Put an expired certificate in place, and make the services read it."""
    certificate, key = certificates.expired()
    case.host.write(_KEY, key.encode())
    case.host.write(_CERTIFICATE, certificate.encode())
    case.host.exec("systemctl reload postfix dovecot nginx")


_REINSTALL = (
    "export DEBIAN_FRONTEND=noninteractive; apt-get install -qy --reinstall --no-download "
    "$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\\n' | grep -oP '^ii \\K"
    "(postfix|postfix-pgsql|dovecot-(core|imapd|lmtpd|pgsql|sieve|managesieved)|postgresql-\\d+|rspamd|redis-server"
    "|unbound|nginx)$') 2>&1"
)

ROWS = (
    Row("deploy-unchanged", "A deploy that changes nothing", do=unchanged),
    Row(
        "password-rotated",
        "A deploy changes the password that Postfix and Dovecot have at the database; another undoes it",
        do=rotated,
        undo=again,
    ),
    Row(
        "deploy-changed",
        "A deploy changes host name, password and port of the database, greeting, Sieve scripts",
        do=changed,
        undo=again,
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
        stops="dovecot",
    ),
    Row(
        "deploy-killed",
        "A deploy that changes all that is killed after its first command, another after its second, …",
        do=killed,
        undo=again,
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
        stops="dovecot",
    ),
    Row(
        "two-deploys",
        "Two deploys at once, with different settings",
        do=two_at_once,
        undo=again,
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
        stops="dovecot",
    ),
    Row(
        "packages-reinstalled",
        "The packages of all services are installed again, and a deploy restarts what these did not",
        do=_REINSTALL,
        # Debian's package restarts redis-server, and no instance of redis-server@
        after=again,
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
        stops="dovecot",
    ),
    Row(
        "certificate-expired",
        "The certificate is expired for 10 s, until a deploy makes another",
        do=expired,
        seconds=10,
        undo=again,
    ),
)
