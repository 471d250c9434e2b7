"""The whole deploy by every connector: as root or with sudo, from here or on the host itself."""

from __future__ import annotations

import json

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.releases import on_debian_12, on_debian_13
from tests.targets import local
from tests.targets.containers import Target
from tests.targets.shell import ROOT


# connectors know nothing of the release, so each of these two tests has one
@on_debian_12
def test_ssh_with_sudo_deploys_and_the_other_connectors_agree(bare: Factory) -> None:
    """The login shell is csh, which accepts neither a newline in quotes nor a `!`.

    The host's own name looks like an address to Postfix; `mail_hostname` is another.
    """
    target = bare("connectors", hostname="12345")
    # as Debian 12's package leaves it, whose script fails for that name
    target.exec("mkdir /etc/postfix; echo 'myhostname = 12345' > /etc/postfix/main.cf")
    target.exec("apt-get install -qy csh && usermod -s /bin/csh root && usermod -s /bin/csh admin")
    target.pyinfra("-y", "--sudo", "deploy.py", data=sample_accounts.data(), connector="ssh-admin").check()
    assert_serves(target)
    for service in ("dovecot", "postfix"):
        starts = target.exec(f"journalctl --quiet -o cat -u {service}.service | grep -c ^Starting").stdout
        assert int(starts) == 1, f"{service} ran before it had our configuration"
    for connector, sudo in (("ssh-admin", ["--sudo"]), ("ssh", []), ("docker", [])):
        run = target.pyinfra(
            "-y", "--json", *sudo, "deploy.py", data=sample_accounts.data(), connector=connector
        ).check()
        assert run.changed == [], connector


@on_debian_13
def test_local_deploys_and_docker_agrees(factory: Factory, installed: str) -> None:
    target = factory("connectors", image=installed)
    local.install(target)
    deploy = (ROOT / "deploy.py").read_text()
    for expected in (True, False):
        run = local.pyinfra(target, deploy, "-y", "--json", data=sample_accounts.data())
        assert run.returncode == 0, run.stderr
        operations = json.loads(run.stdout)["results"]["operations"]
        assert any(operation["success"] for operation in operations) == expected
    assert_serves(target)
    assert target.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data()).check().changed == []


def assert_serves(target: Target) -> None:
    mail = clients.message(sample_accounts.STRANGER, sample_accounts.ALICE)
    with clients.smtp(target) as session:
        session.send_message(mail)
    with clients.imap(target, sample_accounts.ALICE) as session:
        assert clients.wait_for_mail(session, mail["Message-ID"])
