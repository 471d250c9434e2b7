"""A configuration that a daemon would refuse stops the run, and the old one stays in use."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import deploys, sample_accounts
from tests.targets.containers import Target

LOOK = (
    "find /etc /var/lib/mailstack -type f -exec sha256sum {} + | sort; "
    "find /etc /var/lib/mailstack -printf '%y %m %u %g %p %l\\n' | sort"
)


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server."""
    target = module_clone("refused")
    deploys.run(target, sample_accounts.data())
    return target


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no_such_setting = 1", "no_such_setting"),
        ("service imap {", "dovecot.conf"),
        ("ssl = perhaps", "perhaps"),
        ("postmaster_address = %{nosuch}", "nosuch"),
        ("mail_plugins = nosuch", "nosuch"),
    ],
)
def test_configuration_that_dovecot_does_not_understand(host: Target, text: str, said: str) -> None:
    before = host.exec(LOOK).stdout
    run = host.pyinfra("-y", "deploy.py", data=sample_accounts.data(mail_dovecot_extra=text))
    assert run.returncode != 0
    assert said in run.stderr
    assert host.exec(LOOK).stdout == before


def test_configuration_that_postfix_refuses_changes_no_other_service(host: Target) -> None:
    """Dovecot would have to restart for the other setting, and no mark says so."""
    before = host.exec(LOOK).stdout
    settings = sample_accounts.data(
        mail_inet_interfaces=["loopback-only"],
        mail_postfix_main={"smtpd_recipient_restrictions": "check_policy_service {"},
    )
    run = host.pyinfra("-y", "deploy.py", data=settings)
    assert run.returncode != 0
    assert "missing '}'" in run.stderr
    assert host.exec(LOOK).stdout == before


def test_where_the_schema_can_not_change_postfix_keeps_its_queries(host: Target) -> None:
    """A newer query may need a newer schema, and Postfix reads its tables again without a reload."""
    psql = "cd /; runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -d mail -c "
    host.exec(f"{psql} 'ALTER TABLE mail_alias OWNER TO postgres'")
    host.exec(f"{psql} 'ALTER DATABASE mail SET default_transaction_read_only = on'")
    look = "sha256sum /etc/postfix/*.cf /etc/postfix/sql/* /etc/dovecot/*"
    before = host.exec(look, check=False).stdout
    settings = sample_accounts.data(mail_message_size_limit=12_345_678, mail_dovecot_extra="# other")
    run = host.pyinfra("-y", "deploy.py", data=settings)
    assert run.returncode != 0
    assert "read-only transaction" in run.stderr
    assert host.exec(look, check=False).stdout == before
    host.exec(f"{psql} 'SET default_transaction_read_only = off' -c 'ALTER DATABASE mail RESET ALL'")
    deploys.run(host, sample_accounts.data())


def test_a_host_with_another_distribution(host: Target) -> None:
    host.exec("rm /etc/os-release; sed s/^ID=debian/ID=ubuntu/ /usr/lib/os-release > /etc/os-release")
    before = host.exec(LOOK).stdout
    run = host.pyinfra("-y", "deploy.py", data=sample_accounts.data(mail_pop3=True))
    assert run.returncode != 0
    assert "this host runs ubuntu" in run.stderr
    assert host.exec(LOOK).stdout == before
    host.exec("ln -sf ../usr/lib/os-release /etc/os-release")


def test_the_server_was_not_touched(host: Target) -> None:
    deploys.assert_converged(host, sample_accounts.data())
    deploys.assert_mail_flows(host)
