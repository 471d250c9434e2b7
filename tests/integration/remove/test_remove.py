"""A host is given back as it was, but for what the administrator keeps; components go one by one, too.

One host for all tests of a file: they run in their order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import trust
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun
from tests.targets.shell import docker

pytestmark = pytest.mark.postgresql

#: Paths that change by themselves, and Postfix's aliases, which a purge leaves.
MOVING = (
    "/var/lib/(ucf|dovecot|apt|dpkg|postgresql|systemd|dhcp|logrotate)|/var/(log|cache|tmp|backups)|"
    "/tmp|/root|/run|/proc|/sys|/dev|"
    "/etc/(aliases|mtab|ld.so.cache|resolv.conf|hosts|hostname|machine-id)|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?"
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
#: What Debian's packages leave when they are purged.
LEFT = {
    "directory /etc/dovecot",
    "directory /etc/dovecot/conf.d",
    "directory /etc/postgresql",
}
SQL = "cd /; setpriv --reuid=postgres --regid=postgres --init-groups psql -XqAt -c"


#: The settings once rspamd is removed.
OFF: dict[str, Any] = {"mail_rspamd": False, "mail_trusted_sealers": []}


def remove(host: Target, *args: str, how: str = "-y", **more: Any) -> PyinfraRun:
    """Run `mailstack.remove`."""
    return host.pyinfra(how, "mailstack.remove", *args, data={**trust.data(), **more}, timeout=900)


@pytest.fixture(scope="module")
def before(module_factory: Factory) -> Iterator[list[str]]:
    """Return what a bare host has."""
    bare = module_factory("never-deployed")
    yield bare.exec(LOOK).stdout.splitlines()


@pytest.fixture(scope="module")
def host(module_factory: Factory, filtering: str) -> Target:
    """Return a copy of the standard server with rspamd and SRS; it has mail."""
    host = module_factory("removing", filtering)
    host.exec("cd /var/vmail && mkdir x && echo kept > x/letter && chown -R vmail: x")
    return host


def test_without_a_choice_it_says_what_there_is(host: Target) -> None:
    change = "UPDATE mail_users SET home_directory = {} WHERE email = $$bob@example.org$$"
    host.exec(f"{SQL} '{change.format('$$/srv/b ,o=20b$$')}' mail")
    run = remove(host, "component=all")
    host.exec(f"{SQL} '{change.format('NULL')}' mail")
    assert run.returncode and "the mail of bob@example.org stays in /srv/b ,o=20b" in run.stderr
    assert "database mail: 5 users" in run.stderr and "/var/vmail: mail, " in run.stderr
    assert all(f" {choice} (" in run.stderr for choice in ("keep", "archive", "delete"))


def test_what_can_not_be_done_is_refused_before_anything_is_changed(host: Target) -> None:
    host.exec("ln -s /var/vmail /srv/link && mount -t tmpfs none /var/vmail/x")
    try:
        run = remove(host, "component=all", "data=delete")
        assert run.returncode and "/var/vmail/x is mounted in /var/vmail" in run.stderr
    finally:
        host.exec("umount /var/vmail/x")
    run = remove(host, "component=all", "data=archive", "to=/srv/link/archive")
    host.exec("rm /srv/link")
    assert run.returncode and "to = /srv/link/archive: is in /var/vmail" in run.stderr
    host.exec("mkdir -m 775 /srv/open && chgrp adm /srv/open")
    run = remove(host, "component=all", "data=archive", "to=/srv/open/archive")
    host.exec("rmdir /srv/open")  # it is empty
    assert run.returncode and "can change what is there: open (drwxrwxr-x root adm)" in run.stderr
    hba = host.exec(f"{SQL} 'SHOW hba_file'").stdout.strip()
    host.exec(f"cp -p {hba} /root/hba && sed -i '1i local all postgres reject' {hba}")
    host.exec("pkill -HUP -o -x postgres")
    try:
        run = remove(host, "component=all", "data=archive")
        assert run.returncode and "the database server refuses its superuser: psql: error: " in run.stderr
    finally:
        host.exec(f"mv /root/hba {hba} && pkill -HUP -o -x postgres")
    host.exec("systemctl is-active dovecot postfix mailstack-recover && ls /var/vmail/x/letter")


def test_one_component_goes_and_the_others_work(host: Target) -> None:
    remove(host, "component=rspamd", "data=delete", **OFF).check()
    status = host.exec("dpkg-query -W -f '${db:Status-Status} ' rspamd redis-server", check=False).stdout
    assert "installed" not in status.replace("not-installed", "")
    assert host.exec("systemctl list-units --all --plain --no-legend 'mailstack-dkim*'").stdout == ""
    host.exec("postfix status && doveadm user alice@example.org")
    again = remove(host, "component=rspamd", "data=delete", "--json", **OFF).check()
    assert again.changed == []


def test_dry_changes_nothing_and_sees_databases_of_others(host: Target) -> None:
    host.exec(f"{SQL} 'CREATE DATABASE theirs'")
    look = host.exec(LOOK).stdout
    run = remove(host, "component=all", "data=archive", how="--dry", **OFF).check()
    assert "remove the packages" in run.stderr and "archive the state" in run.stderr
    assert "drop database mail" in run.stderr and "give back /etc/" in run.stderr
    assert "the database server stays: it has databases of others: theirs" in run.stderr
    assert host.exec(LOOK).stdout == look
    host.exec(f"{SQL} 'DROP DATABASE theirs'")


def test_a_killed_removal_is_completed_and_the_host_is_as_before(host: Target, before: list[str]) -> None:
    args = ("component=all", "data=archive")
    killed = threading.Thread(target=remove, args=(host, *args), kwargs=OFF)
    killed.start()
    end = time.monotonic() + 300
    while host.exec("pgrep -x dpkg && ls /var/lib/mailstack/removing", check=False).returncode:
        assert time.monotonic() < end, "it never came to the packages"
    docker("kill", host.name)
    killed.join()
    host.start()
    assert host.exec("cat /var/lib/mailstack/removing").stdout.startswith("/var/backups/mailstack/")
    remove(host, *args, **OFF).check()
    after = host.exec(LOOK).stdout.splitlines()
    assert sorted({*after} - {*before} - LEFT) == []
    assert sorted({*before} - {*after}) == []
    assert host.exec("find /var/lib/postgresql -type f", check=False).stdout == ""


def test_the_second_run_has_nothing_to_do(host: Target) -> None:
    run = remove(host, "component=all", "data=archive", "--json", **OFF).check()
    assert run.changed == []


def test_the_archive_has_the_state(host: Target) -> None:
    (archive,) = host.exec("ls /var/backups/mailstack/*.tar.gz").stdout.split()
    assert host.exec(f"stat -c '%a %U' {archive}").stdout == "600 root\n"
    names = host.exec(f"tar -tzf {archive}").stdout.splitlines()
    assert "var/vmail/x/letter" in names and "etc/postfix/main.cf" in names
    dump = host.exec(f"tar -xzOf {archive} var/lib/mailstack/database.sql").stdout
    assert "alice@example.org" in dump
