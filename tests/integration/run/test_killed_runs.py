"""The next run completes a run that was killed at any point, and the daemons use the files on disk."""

from __future__ import annotations

import signal
import smtplib
import ssl
from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.postgresql

KILL_SWITCH = "tests/support/kill_switch.py"


def killed(target: Target, data: Mapping[str, Any], moment: str) -> bool:
    """Run pyinfra and kill it at `moment` (see `kill_switch`); return false if it ended before that."""

    def tried() -> list[PyinfraRun]:
        run = target.pyinfra("-y", KILL_SWITCH, "deploy.py", data=data, env={"MAILSTACK_KILL": moment})
        return [] if "another run is at work on this host" in run.stderr else [run]

    # what a killed run has started goes on alone, and a run waits for some seconds only
    (run,) = clients.eventually(tried, "the run before does not end", 180)
    assert run.returncode in (0, -signal.SIGKILL), run.stderr[-3000:]
    return run.returncode != 0


def variant(number: int) -> dict[str, Any]:
    """Return settings that differ for each number, for every daemon."""
    return sample_accounts.data(
        mail_hostname=f"mail{number}.example.org",
        mail_db_lookup_password=f"a password {number}",
        mail_db_port=5432 + number % 2,
        mail_virtual={f"static{number}@example.org": [sample_accounts.ALICE]},
        mail_dovecot_extra=f"login_greeting = greeting {number}",
        mail_sieve_before=f'if header "x-variant" "variant {number}" {{ keep; }}',
    )


def assert_serves(target: Target, number: int) -> None:
    """Assert that each daemon has the settings of `variant(number)`."""
    on_disk = target.read("/etc/ssl/mailstack/cert.pem").decode()
    wanted = (f"mail{number}.example.org ESMTP", f"greeting {number}", [on_disk.split()] * 2)
    # a process of before a reload may still answer
    clients.eventually(lambda: shown(target) == wanted, f"they do not show {wanted[:2]}")
    (authority,) = clients.tls(on_disk).get_ca_certs()
    assert authority["subject"] == ((("commonName", f"mail{number}.example.org"),),)
    assert f'"variant {number}"' in target.exec(["sieve-dump", "/etc/dovecot/sieve/before.svbin"]).stdout
    show = "cd /; runuser -u postgres -- psql -XAtc 'SHOW port'"
    assert target.exec(show).stdout.strip() == str(5432 + number % 2)
    assert clients.replies(target, f"static{number}@example.org") == 250
    assert clients.replies(target, f"static{number - 1}@example.org") == 550
    assert target.exec("ls /var/lib/mailstack/pending /var/lib/mailstack/stage").stdout.split() == [
        "/var/lib/mailstack/pending:",
        "/var/lib/mailstack/stage:",
    ]


def shown(target: Target) -> tuple[str, str, list[list[str]]]:
    """Return the greetings of Postfix and Dovecot, and the certificates of both."""
    with smtplib.SMTP(timeout=clients.TIMEOUT) as session:
        postfix_says = session.connect(target.ip, 25)[1].decode()
    with clients.imap(target, sample_accounts.ALICE, 143) as mailbox:
        dovecot_says = mailbox.welcome.decode().partition("] ")[2]
    certificates = [ssl.get_server_certificate((target.ip, port)).split() for port in (465, 993)]
    return postfix_says, dovecot_says, certificates


def test_installed_services_without_configuration_do_not_run(factory: Factory, installed: str) -> None:
    """The run died after apt, and the host rebooted: Debian's Dovecot would accept PAM logins."""
    target = factory("killed", image=installed)
    mail = {"25", "110", "143", "465", "587", "993", "995", "4190"}
    listening = target.exec("ss -Hltn | awk '{print $4}'").stdout.split()
    assert not mail & {address.rpartition(":")[2] for address in listening}
    # other packages are not held up
    target.exec("test ! -e /usr/sbin/policy-rc.d && systemctl restart ssh postgresql")


@pytest.mark.parametrize(
    ("debian", "moments"),
    [(12, ("after",)), (13, ("cut", "during"))],
    ids=["debian12-after", "debian13-cut-during"],
    indirect=["debian"],
)
def test_a_first_deploy_that_dies_again_and_again(
    factory: Factory, installed: str, moments: tuple[str, ...]
) -> None:
    """Every run gets one command further than the last. Both releases have the same commands."""
    target = factory("killed", image=installed, hostname="mail1.example.org")
    runs = 0
    while killed(target, variant(1), f"{moments[runs % len(moments)]}:1"):
        runs += 1
        assert runs < 60
    assert runs >= 12 * len(moments)
    deploys.assert_converged(target, variant(1))
    assert_serves(target, 1)
    deploys.assert_mail_flows(target)


def test_a_change_of_settings_that_dies_after_each_command(clone: Factory, debian: int) -> None:
    """On Debian 12 after each third one: its runs have the same commands, with names of other units."""
    target = clone("killed")
    number = 1
    deploys.run(target, variant(number))
    for step in range(1, 60, 3 if debian == 12 else 1):
        number += 1
        if not killed(target, variant(number), f"after:{step}"):
            break
        deploys.run(target, variant(number))
        assert_serves(target, number)
    assert step > 7
    assert_serves(target, number)
    deploys.assert_converged(target, variant(number))
    deploys.assert_mail_flows(target)
