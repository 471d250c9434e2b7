"""A problem that can be known in advance stops a run with one sentence, and the host stays unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import sample_accounts
from tests.support.refused_runs import LOOK, refused
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun, run_pyinfra

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def host(module_factory: Factory) -> Target:
    """Return a bare host, with a user who may sudo if a password is given."""
    target = module_factory("preflight")
    target.exec("useradd -m -s /bin/bash plain && echo plain:secret | chpasswd && usermod -aG sudo plain")
    target.ssh_key("plain")
    return target


def as_plain_user(host: Target, *args: str) -> PyinfraRun:
    """Return a run as a user who is not root."""
    ssh = {"ssh_user": "plain", "ssh_key_text": host.ssh_key("plain"), "ssh_hostname": host.ip}
    return run_pyinfra(host.name, *args, "deploy.py", data=sample_accounts.data(), ssh=ssh)


@pytest.mark.parametrize("how", ["-y", "--dry"])
@pytest.mark.parametrize(
    ("args", "said"),
    [((), "mailstack needs root"), (("--sudo",), "sudo wants a password on this host")],
    ids=["no-root", "sudo-password"],
)
def test_users_other_than_root_are_refused(host: Target, how: str, args: tuple[str, ...], said: str) -> None:
    before = host.exec(LOOK).stdout
    refused(host, as_plain_user(host, how, *args), said)
    assert host.exec(LOOK).stdout == before


@pytest.mark.parametrize("args", [("-y",), ("-y", "--serial")], ids=["-y", "--serial"])
def test_another_debian(host: Target, args: tuple[str, ...]) -> None:
    host.exec(
        "rm /etc/os-release; sed 's/^VERSION_ID=.*/VERSION_ID=\"11\"/' /usr/lib/os-release > /etc/os-release"
    )
    before = host.exec(LOOK).stdout
    run = host.pyinfra(*args, "deploy.py", data=sample_accounts.data())
    assert host.exec(LOOK).stdout == before
    host.exec("ln -sf ../usr/lib/os-release /etc/os-release")
    refused(host, run, "this host runs debian 11; mailstack supports Debian 12 and 13")


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "a user in a misspelt domain": (
        {"mail_users": [{"email": "alice@exmaple.org", "initial_password": "x"}]},
        "user alice@exmaple.org: there is no domain exmaple.org",
    ),
    "an alias in no domain": (
        {"mail_aliases": {"info@example.net": sample_accounts.ALICE}},
        "alias info@example.net: there is no domain example.net",
    ),
    "users above their domain's quota": (
        {"mail_domains": [{"domain_name": "example.org", "quota_mb": 100, "user_quota_mb": 60}]},
        "the quotas of the users in example.org add up to 120 MiB, more than the 100 of the domain",
    ),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_impossible_accounts(host: Target, what: str) -> None:
    more, said = IMPOSSIBLE[what]
    users = [
        {"email": email, "initial_password": "x"} for email in (sample_accounts.ALICE, sample_accounts.BOB)
    ]
    data = {
        "mail_hostname": sample_accounts.HOSTNAME,
        "mail_domains": ["example.org"],
        "mail_users": users,
        **more,
    }
    before = host.exec(LOOK).stdout
    refused(host, host.pyinfra("-y", "deploy.py", data=data), said)
    assert host.exec(LOOK).stdout == before
