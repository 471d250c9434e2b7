"""No secret in output, command lines, logs, or files that anybody can read."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.certificates import self_signed
from tests.support.releases import on_debian_13
from tests.support.secret_watch import Seen, watched
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.postgresql

#: One for every setting that is a secret; the accounts' hashes and the roles' verifiers come on top.
GIVEN = {
    "mail_db_owner_password": "given-owner-password",
    "mail_db_lookup_password": "given-lookup-password",
    "mail_db_upgrade_password": "given-upgrade-password",
    "mail_relayhost_password": "given-relayhost-password",
}
INITIAL, HASHED = "given-initial-password", "$2y$05$abcdefghijklmnopqrstuOzwZKCkVZdLsx3KBPVjXe7wM6dxjZ8Ba"
FROM_CLI, CHANGED_BY_CLI = "password-from-the-environment", "another-from-the-environment"


def data(directory: Path, **more: Any) -> dict[str, Any]:
    """Return settings with every kind of secret."""
    certificate, key = self_signed(directory)
    users = [
        {"email": sample_accounts.ALICE, "initial_password": INITIAL},
        {"email": sample_accounts.BOB, "password_hash": f"{{BLF-CRYPT}}{HASHED}"},
    ]
    return {
        "mail_hostname": sample_accounts.HOSTNAME,
        "mail_domains": ["example.org"],
        "mail_users": users,
        "mail_relayhost": f"[{sample_accounts.REMOTE}]:587",
        "mail_relayhost_user": "us",
        "mail_tls_certificate": certificate.read_text(),
        "mail_tls_key": key.read_text(),
        **GIVEN,
        **more,
    }


def secrets_of(settings: dict[str, Any]) -> list[str]:
    """Return the given secrets, and how they look in base64."""
    given = [str(settings[name]) for name in GIVEN if name in settings]
    given += [INITIAL, HASHED, FROM_CLI, CHANGED_BY_CLI, settings["mail_tls_key"].splitlines()[3]]
    return given + [base64.b64encode(secret.encode()).decode().rstrip("=") for secret in given]


def kept(target: Target) -> list[str]:
    """Return the secrets on the host: generated passwords, verifiers of roles, hashes of users, keys."""
    roles = "SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL"
    psql = "runuser -u postgres -- psql -XAt"
    command = f'cd /; {psql} -c "{roles}"; {psql} -d mail -c "SELECT password FROM mail_users"'
    generated = target.exec("cat /var/lib/mailstack/secrets/* 2>/dev/null; true").stdout.splitlines()
    keys = target.exec(
        "cat /etc/postsrsd.secret /var/lib/rspamd/dkim/*/*.key", check=False
    ).stdout.splitlines()
    found = generated + keys + target.exec(command).stdout.splitlines()
    # of a key in PEM, but for its first and last line
    return [secret for secret in found if not secret.startswith("-----")]


def keys_are_made(target: Target) -> bool:
    """Return whether the host has made DKIM keys, which it does after the run."""
    return target.exec("ls /var/lib/rspamd/dkim/example.org/current", check=False).returncode == 0


def assert_nowhere(target: Target, secrets: list[str], seen: Seen, *runs: PyinfraRun) -> None:
    """Assert that no secret was seen."""
    shown = [text for run in runs for text in (run.stdout, run.stderr)] + sorted(seen.commands)
    for secret in secrets:
        assert [text for text in shown if secret in text] == [], secret
    assert seen.files == []
    patterns = "\n".join(secrets)
    log = target.exec("journalctl --no-pager -o cat; cat /var/log/*.log /var/log/postgresql/*; true").stdout
    assert [secret for secret in secrets if secret in log] == []
    places = "/etc /var /run /tmp /home /root /srv /opt /usr/local /dev/shm"
    find = ["grep", "-rlaF", "-D", "skip", "-f", "-", *places.split()]
    nobody = target.exec(["runuser", "-u", "nobody", "--", *find], input=patterns, check=False, timeout=300)
    assert nobody.stdout == ""
    root = target.exec(find, input=patterns, check=False, timeout=300).stdout
    assert "/etc/postfix/sql/virtual_domains.cf" in root, "the search finds what is there"


def assert_watched(seen: Seen) -> None:
    """Assert that the watch was able to see secrets."""
    for program in ("psql", "postconf", "docker exec"):
        assert any(program in line for line in seen.commands), program


@pytest.fixture(scope="module")
def host(module_factory: Factory, installed: str) -> Target:
    """Return a host with the packages, on which nothing was deployed yet."""
    return module_factory("secrets", image=installed)


# on Debian 12 the next test has the first deploy
@on_debian_13
def test_a_first_deploy_and_a_change_of_passwords(host: Target, tmp_path: Path) -> None:
    settings = data(tmp_path)
    secrets = secrets_of(settings)
    with watched(host, secrets) as seen:
        runs = [
            host.pyinfra("--debug-operations", "deploy.py", data=settings),
            host.pyinfra("--dry", "--json", "-vvv", "--diff", "deploy.py", data=settings),
            host.pyinfra("-y", "-vvv", "--diff", "--debug", "deploy.py", data=settings),
        ]
        clients.eventually(lambda: keys_are_made(host), "no keys were made", 180)
        first = kept(host)
        changed = {name: f"{value}-2" for name, value in GIVEN.items()}
        settings = data(tmp_path, **changed)
        again = host.pyinfra("-y", "--json", "-vvv", "--diff", "deploy.py", data=settings)
    assert deploys.DATABASE in deploys.changed(again.check())
    every = [*secrets, *secrets_of(settings), *first, *kept(host)]
    assert_nowhere(host, every, seen, *(run.check() for run in runs), again)
    assert_watched(seen)


def test_generated_passwords_and_accounts_from_the_command_line(host: Target, tmp_path: Path) -> None:
    settings = {name: value for name, value in data(tmp_path).items() if "_db_" not in name}
    secrets = secrets_of(settings)
    with watched(host, secrets) as seen:
        runs = [host.pyinfra("-y", "-vvv", "--diff", "--json", "deploy.py", data=settings)]
        for password in (FROM_CLI, CHANGED_BY_CLI):
            operation = ("mailstack.accounts.user", "carol@example.org", "password_from=env:MAIL_PASSWORD")
            env = {"MAIL_PASSWORD": password}
            runs.append(host.pyinfra("-y", "-vvv", "--diff", *operation, data=settings, env=env))
            secrets += kept(host)
    assert host.exec("ls /var/lib/mailstack/secrets").stdout.split() == [
        "db-lookup-password",
        "db-owner-password",
        "db-upgrade-password",
        "rspamd-web-password",
    ]
    assert_nowhere(host, secrets, seen, *(run.check() for run in runs))
    assert_watched(seen)


def test_a_setting_that_is_wrong_is_not_repeated(host: Target, tmp_path: Path) -> None:
    secret = "two\nlines"
    run = host.pyinfra("-y", "deploy.py", data=data(tmp_path, mail_db_lookup_password=secret))
    assert run.returncode != 0
    assert "mail_db_lookup_password" in run.stderr
    assert "two" not in run.stderr + run.stdout
