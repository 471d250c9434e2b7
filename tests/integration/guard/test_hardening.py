"""Services with fewer rights, and all that mail still needs of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.hardening import exposures
from tests.integration.conftest import Factory
from tests.support import clients, trust
from tests.support.sample_accounts import ALICE, CAROL
from tests.targets.containers import Target

#: systemd's figure for each service, at most; a service with all rights has 9 and more.
LEVELS = {"dovecot": 6.5, "nginx": 6.5, "postsrsd": 4, "rspamd": 4, "unbound": 5}
DATA = trust.data(
    mail_hardening=True,
    mail_web=True,
    mail_local_aliases={
        "piped": ["|/usr/bin/tee -a /tmp/piped"],
        "resent": [f"|/usr/sbin/sendmail -i -f '' {CAROL}"],
    },
    mail_postfix_main={"home_mailbox": "Maildir/"},
)


@pytest.fixture(scope="module")
def hardened(module_factory: Factory, filtering: str) -> Iterator[Target]:
    """Yield a server with all services; greylisting and the DNS are no matter of local mail."""
    target = module_factory("hardening", image=filtering)
    target.pyinfra("-y", "deploy.py", data=DATA, timeout=900).check()
    yield target


def local(target: Target, recipient: str) -> str:
    """Send a message from the host itself, and return its Message-ID."""
    mail = clients.message("root@mail.example.org", recipient)
    target.exec(["sendmail", "-i", "-f", "root", recipient], input=mail.as_string())
    return str(mail["Message-ID"])


def test_all_run_and_have_fewer_rights(hardened: Target, debian: int) -> None:
    levels = LEVELS | ({"postfix@-": 6.5} if debian == 12 else {"postfix": 6.5})
    found = {unit: float(level) for unit, level in exposures(hardened).items()}
    assert {unit: found[unit] for unit in levels if found[unit] > levels[unit]} == {}
    # it delivers what waited for Dovecot, and ends
    found.pop("mailstack-flush", None)
    own = {unit: level for unit, level in found.items() if unit.startswith("mailstack-")}
    assert own and max(own.values()) < 8
    assert hardened.exec("systemctl --failed --no-legend --plain").stdout == ""
    assert hardened.exec("journalctl --quiet --grep 'status=31/SYS' --no-pager", check=False).stdout == ""


def test_commands_in_aliases_work_and_may_send_mail(hardened: Target) -> None:
    message_id = local(hardened, "piped@mail.example.org")
    clients.eventually(
        lambda: hardened.exec(["grep", "-c", message_id, "/tmp/piped"], check=False).returncode == 0,
        "the command in the alias did not get the message",
    )
    # as nobody, who may not write to the queue: postdrop(1) is set-gid
    clients.received(hardened, CAROL, local(hardened, "resent@mail.example.org"))


def test_mail_of_system_users_may_be_in_home(hardened: Target) -> None:
    hardened.exec("useradd --create-home sam")
    message_id = local(hardened, "sam@mail.example.org")
    clients.eventually(
        lambda: hardened.exec(f"grep -qsr '{message_id}' /home/sam/Maildir/new", check=False).returncode == 0,
        "no mail in /home",
    )


def test_the_mail_store_may_be_elsewhere(hardened: Target) -> None:
    hardened.exec("systemctl stop dovecot; mv /var/vmail /home/vmail; ln -s /home/vmail /var/vmail")
    hardened.exec("systemctl start dovecot")
    clients.received(hardened, ALICE, local(hardened, ALICE))


def test_vacation_is_sent_by_dovecot(hardened: Target) -> None:
    text = 'require "vacation"; vacation :addresses "alice@example.org" "away till Monday";'
    put = f"doveadm sieve put -u {ALICE} -a away"
    hardened.exec(put, input=text)
    mail = clients.message(CAROL, ALICE)
    hardened.exec(["sendmail", "-i", "-f", CAROL, ALICE], input=mail.as_string())
    with clients.imap(hardened, CAROL) as session:
        clients.eventually(
            lambda: session.noop() and session.search(None, "TEXT", '"away till Monday"')[1][0], "no vacation"
        )


def test_switched_off_the_rights_are_back(hardened: Target) -> None:
    hardened.pyinfra("-y", "deploy.py", data={**DATA, "mail_hardening": False}, timeout=900).check()
    assert hardened.exec("find /etc/systemd -name '*hardening*'").stdout == ""
    found = exposures(hardened)
    assert min(float(found[unit]) for unit in ("rspamd", "unbound", "postsrsd", "nginx")) > 8
    clients.received(hardened, ALICE, local(hardened, ALICE))
    run = hardened.pyinfra("-y", "--json", "deploy.py", data={**DATA, "mail_hardening": False}).check()
    assert run.changed == []
