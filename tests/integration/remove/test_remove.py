"""A host is given back as it was, but for what the administrator keeps; components go one by one, too.

One host for all tests of a file: they run in their order.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import sample_accounts
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun
from tests.targets.shell import docker

pytestmark = pytest.mark.postgresql

#: What the host has before the deploy: a web server with a site, a database and an alias of its owner.
OWNED = """
export DEBIAN_FRONTEND=noninteractive
apt-get -q update && apt-get -q -y install --no-install-recommends nginx postgresql
rm -f /etc/nginx/sites-enabled/default
echo 'server { listen 8080; location / { return 200 theirs; } }' > /etc/nginx/sites-enabled/theirs
printf 'their: root\\n' > /etc/aliases
systemctl restart nginx
cd /; setpriv --reuid=postgres --regid=postgres --init-groups psql -q -c 'CREATE DATABASE theirs'
"""
#: Paths that change by themselves, and what packages of Debian leave when they are purged.
MOVING = (
    "/etc/dbconfig-common|/var/lib/(ucf|dovecot)|"
    "/var/(log|cache|tmp|backups|lib/(apt|dpkg|postgresql|systemd|dhcp|logrotate))|/tmp|/root|/srv/backups|/run|/proc|/sys|/dev"
    "|/etc/(mtab|ld.so.cache|resolv.conf|hosts|hostname|machine-id)|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?"
)
_ELSEWHERE = f"-regextype posix-extended -regex '({MOVING})(/.*)?'"
LOOK = f"""
find / -xdev {_ELSEWHERE} -prune -o ! -type d -printf '%p %y %m %u %g %l\\n' | sort
dpkg-query -W -f 'package ${{Package}} ${{db:Status-Status}}\\n'
sed 's/:.*//; s/^/user /' /etc/passwd; sed 's/:.*//; s/^/group /' /etc/group
systemctl list-unit-files --plain --no-legend | awk '{{ print "unit", $1, $2 }}' | sort
find /etc /usr/local /var/lib /srv -xdev {_ELSEWHERE} -prune -o -type d -printf 'directory %p\\n' | sort
find /etc -xdev {_ELSEWHERE} -prune -o -type f -exec sha256sum {{}} + | sort -k 2
"""


def data(**more: Any) -> dict[str, Any]:
    """Return the host data of a server with everything that needs no other server."""
    given = {
        "mail_backup_repository": "/srv/backups",
        "mail_fail2ban": True,
        "mail_firewall": True,
        "mail_metrics": True,
        "mail_resolver": True,
        "mail_rspamd": True,
        "mail_srs": True,
        "mail_webmail": True,
    }
    return sample_accounts.data(**{**given, **more})


def remove(host: Target, *args: str, how: str = "-y", **more: Any) -> PyinfraRun:
    """Run `mailstack.remove`."""
    return host.pyinfra(how, "mailstack.remove", *args, data=data(**more), timeout=900)


@pytest.fixture(scope="module")
def host(module_factory: Factory) -> Target:
    """Return the host, with an owner."""
    host = module_factory("removing")
    host.exec(OWNED, timeout=600)
    return host


@pytest.fixture(scope="module")
def before(host: Target) -> list[str]:
    """Return what the host has before the deploy; it is deployed, and has mail, after that."""
    found = host.exec(LOOK).stdout.splitlines()
    host.pyinfra("-y", "deploy.py", data=data(), timeout=1500).check()
    host.exec("install -d -o vmail -g vmail /var/vmail/x && echo kept > /var/vmail/x/letter")
    return found


def test_without_a_choice_it_says_what_there_is(host: Target, before: list[str]) -> None:
    run = remove(host, "component=all")
    assert run.returncode
    assert "database mail: 5 users" in run.stderr and "/var/vmail: mail, " in run.stderr
    assert all(f"data={choice}" in run.stderr for choice in ("keep", "archive", "delete"))
    run = remove(host, "component=webmail", "data=delete")
    assert run.returncode and "allowed: with mail_webmail = False" in run.stderr
    run = remove(host, "component=rspamd", "data=burn")
    assert run.returncode and "data = 'burn': allowed: " in run.stderr


@pytest.mark.parametrize(
    ("component", "off", "package"),
    [
        ("metrics", {"mail_metrics": False}, "prometheus-node-exporter"),
        ("webmail", {"mail_webmail": False, "mail_web": True}, "roundcube-core"),
        ("rspamd", {"mail_rspamd": False}, "rspamd"),
    ],
)
def test_one_component_goes_and_the_others_work(
    host: Target, before: list[str], component: str, off: dict[str, Any], package: str
) -> None:
    remove(host, f"component={component}", "data=delete", **off).check()
    status = host.exec(f"dpkg-query -W -f '${{db:Status-Status}}' {package}", check=False).stdout
    assert status in ("", "not-installed")
    left = host.exec(f"systemctl list-units --all --plain --no-legend 'mailstack-{component}*'").stdout
    assert left == ""
    again = remove(host, f"component={component}", "data=delete", "--json", **off).check()
    assert again.changed == []
    host.exec("postfix status && doveadm user alice@example.org")
    host.pyinfra("-y", "deploy.py", data=data(), timeout=900).check()
    assert host.exec(f"dpkg-query -W -f '${{db:Status-Status}}' {package}").stdout == "installed"


def test_dry_changes_nothing(host: Target, before: list[str]) -> None:
    # rspamd compiles its expressions in the background
    still = LOOK.replace("| sort\n", "| grep -v '^/var/lib/rspamd/.*[.]hs' | sort\n", 1)
    look = host.exec(still).stdout
    run = remove(host, "component=all", "data=archive", how="--dry").check()
    assert "remove the packages" in run.stderr and "archive the state" in run.stderr
    assert "drop database mail" in run.stderr and "give back " in run.stderr
    assert host.exec(still).stdout == look


def test_a_killed_removal_is_completed_and_the_host_is_as_before(host: Target, before: list[str]) -> None:
    killed = threading.Thread(
        target=remove, args=(host, "component=all", "data=archive"), name="the run that is killed"
    )
    killed.start()
    end = time.monotonic() + 300
    while host.exec("pgrep -x apt-get && ls /var/lib/mailstack/removing", check=False).returncode:
        assert time.monotonic() < end, "it never came to the packages"
    docker("kill", host.name)
    killed.join()
    host.start()
    assert host.exec("ls /var/lib/mailstack/removing").stdout
    run = remove(host, "component=all", "data=archive").check()
    assert "nothing of it is left" not in run.stderr
    after = host.exec(LOOK).stdout.splitlines()
    assert sorted({*after} - {*before}) == []
    assert sorted({*before} - {*after}) == []


def test_the_second_run_has_nothing_to_do(host: Target, before: list[str]) -> None:
    assert remove(host, "component=all", "data=archive", "--json").check().changed == []


def test_what_was_there_before_works(host: Target, before: list[str]) -> None:
    assert host.exec("curl -s http://127.0.0.1:8080/ || wget -qO- http://127.0.0.1:8080/").stdout == "theirs"
    listed = host.exec("cd /; setpriv --reuid=postgres --regid=postgres --init-groups psql -lqAt").stdout
    assert "theirs|" in listed and not re.search("^mail[|]", listed, re.MULTILINE)


def test_the_first_archive_has_the_state(host: Target, before: list[str]) -> None:
    archive = host.exec("ls /var/backups/mailstack/*.tar.gz").stdout.split()[0]
    assert host.exec(f"stat -c '%a %U' {archive}").stdout == "600 root\n"
    names = host.exec(f"tar -tzf {archive}").stdout.splitlines()
    assert "var/vmail/x/letter" in names and "etc/postfix/main.cf" in names
    dump = host.exec(f"tar -xzOf {archive} var/lib/mailstack/database.sql").stdout
    assert "alice@example.org" in dump


def test_a_new_deploy_works(host: Target, before: list[str]) -> None:
    host.pyinfra("-y", "deploy.py", data=data(), timeout=1500).check()
    host.exec("doveadm user alice@example.org && postfix status")
