"""Repositories on another host, by SFTP, and in storage that speaks S3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mailstack.components.acme_files import PROGRAM
from tests.integration.conftest import Factory
from tests.support import backups, clients, deploys, s3, sample_accounts
from tests.support.backups import PASSWORD
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import CAROL
from tests.support.secret_watch import watched
from tests.targets.containers import Target
from tests.targets.networks import Network

pytestmark = pytest.mark.postgresql

OWN = "the password of the repository 7"
S3_SECRET = "the secret of the access key 8"
KEY = "/var/lib/mailstack/secrets/backup-ssh"


@pytest.fixture(scope="module")
def server(module_clone: Factory) -> Target:
    """Return a server with mail, and no backups."""
    target = module_clone("elsewhere")
    backups.fill(target, sample_accounts.data())
    return target


@pytest.fixture(scope="module")
def vault(module_factory: Factory) -> Target:
    """Return a host with a user who may use SFTP alone."""
    target = module_factory("vault", hostname="vault.example.net")
    target.exec("useradd --create-home kept && install -d -o kept -g kept -m 700 ~kept/.ssh /srv/mail")
    return target


@pytest.fixture(scope="module")
def storage(network: Network) -> Iterator[str]:
    """Yield the address of storage that speaks S3."""
    with s3.server(network) as url:
        yield url


def let_in(vault: Target, key: str) -> None:
    """Let the vault accept a key."""
    lines = f'restrict,command="internal-sftp" {key}\n'
    vault.write("/home/kept/.ssh/authorized_keys", lines.encode())
    vault.exec("chown kept: /home/kept/.ssh/authorized_keys")


def by_sftp(vault: Target, **more: Any) -> dict[str, Any]:
    kind, key, *_ = vault.exec("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()
    place = {"mail_backup_repository": f"sftp:kept@{vault.ip}:/srv/mail/mx"}
    return sample_accounts.data(**{**place, "mail_backup_ssh_host_key": f"{kind} {key}", **more})


def deployed(server: Target, data: dict[str, Any]) -> None:
    server.pyinfra("-y", "deploy.py", data=data, timeout=900).check()
    deploys.assert_converged(server, data)


def refused(server: Target, data: dict[str, Any]) -> str:
    """Return what a backup says that fails, on one line."""
    run = server.pyinfra("-y", "mailstack.backup.now", data=data, timeout=300)
    assert run.returncode, run.stdout
    return " ".join(run.stderr.split())


def assert_all_is_back(server: Target, data: dict[str, Any]) -> None:
    """Make a backup, look at it, and bring back the mail of a user who has lost it."""
    before = backups.mailboxes(server, CAROL, PASSWORD)
    assert sum(map(len, before.values())) >= 6
    made = backups.backup(server, data)
    listed = server.pyinfra("-y", "mailstack.backup.list", "format=json", data=data).check().stdout
    assert [each["id"] for each in json.loads(listed)["backups"]] == [made["snapshot"]]
    server.pyinfra("-y", "mailstack.backup.check", data=data, timeout=300).check()
    home = clients.home(server, CAROL)
    server.exec(f"rm -rf {home}/Maildir {home}/sdbox")
    server.pyinfra("-y", "mailstack.restore", f"user={CAROL}", data=data, timeout=300).check()
    assert backups.mailboxes(server, CAROL, PASSWORD) == before


# test_storage_that_speaks_s3 has both releases
@on_debian_13
def test_a_host_that_is_reached_by_ssh(server: Target, vault: Target) -> None:
    data = by_sftp(vault)
    deployed(server, data)
    said = refused(server, data)
    assert "Permission denied" in said, said

    key = server.pyinfra("-y", "mailstack.backup.key", data=data).check().stdout.strip()
    assert key.startswith("ssh-ed25519 ") and key == server.read(f"{KEY}.pub").decode().strip()
    let_in(vault, key)
    private = server.read(KEY).decode().splitlines()[2]
    with watched(server, [private]) as seen:
        assert_all_is_back(server, data)
    assert not seen.files and not [line for line in seen.commands if private in line]
    assert server.exec(f"stat -c '%a %U' {KEY}").stdout == "600 root\n"
    # the key opens SFTP there, and nothing else
    (command,) = [json.loads(server.read("/etc/mailstack/backup.json"))["ssh"]]
    shell = [*command[: command.index("-s")], "id -un"]
    assert "kept" not in server.exec(["timeout", "10", *shell], check=False).stdout
    # another host at its address gets nothing
    other = by_sftp(vault, mail_backup_ssh_host_key=" ".join(key.split()[:2]))
    deployed(server, other)
    assert re.search("Host key verification failed|host key", refused(server, other), re.IGNORECASE)
    deployed(server, data)
    backups.backup(server, data)


def test_storage_that_speaks_s3(server: Target, storage: str) -> None:
    place = {"mail_backup_repository": f"s3:{storage}/bucket/mx", "mail_backup_password": OWN}
    access = {"mail_backup_s3_key_id": "the-key", "mail_backup_s3_secret": S3_SECRET}
    data = sample_accounts.data(**place, **access)
    secrets = [OWN, S3_SECRET]
    with watched(server, secrets) as seen:
        deployed(server, data)
        assert_all_is_back(server, data)
    assert not seen.files
    assert not [line for line in seen.commands if any(each in line for each in secrets)]
    journal = server.exec("journalctl --no-pager -o cat -u 'mailstack-*'").stdout
    assert journal and not any(each in journal for each in secrets)
    for path in ("/etc/mailstack/backup.environment", "/etc/mailstack/backup.password"):
        assert server.exec(["stat", "-c", "%a %U", path]).stdout == "600 root\n"


def test_storage_that_is_away(server: Target) -> None:
    place = {"mail_backup_repository": "s3:http://127.0.0.1:9/bucket/mx", "mail_backup_password": OWN}
    access = {"mail_backup_s3_key_id": "the-key", "mail_backup_s3_secret": S3_SECRET}
    data = sample_accounts.data(**place, **access)
    server.pyinfra("-y", "deploy.py", data=data, timeout=900).check()
    # restic of Debian 13 tries on, and is ended after three minutes
    server.exec(f"sed -i 's/^_ANSWER = .*/_ANSWER = 10/' {PROGRAM}/backup/restic.py")
    said = refused(server, data)
    assert "no end within" in said or "connection refused" in said, said
    assert S3_SECRET not in said and OWN not in said
    deploys.assert_mail_flows(server)
