"""Webmail as a service: what it serves, whom it believes, its tables, its log-ins, and its end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from mailstack import Settings
from mailstack.components.webmail import WEBMAIL
from mailstack.facts.platform import RELEASES
from tests.integration.conftest import Factory
from tests.integration.webmail.conftest import DATA, LIMIT
from tests.support import clients, roundcube, sample_accounts
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import ALICE, BOB, PASSWORDS
from tests.support.sites import site
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

UNIT = "mailstack-webmail"
STATE = "/var/lib/mailstack-webmail/"
JOURNAL = f"journalctl -q -o cat --no-pager -u {UNIT}"


def test_the_login_page_has_its_headers(webmail_server: Target) -> None:
    page = roundcube.ask(webmail_server)
    assert page.status == 200 and "rcmloginuser" in page.text
    assert page.headers["strict-transport-security"] == "max-age=31536000"
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "x-powered-by" not in page.headers
    assert "1.6." not in page.text  # its version
    assert page.cookies.keys() == {"roundcube_sessid"}
    moved = roundcube.ask(webmail_server, "/webmail")
    assert moved.status == 301 and moved.headers["location"].endswith("/webmail/")
    assert b"https://mail.example.org/webmail/" in roundcube.ask(webmail_server, "/").body


def test_it_serves_files_for_browsers_and_no_others(webmail_server: Target) -> None:
    for path in (
        "skins/elastic/styles/styles.min.css",
        "program/js/common.min.js",
        "plugins/password/password.js",
    ):
        assert roundcube.ask(webmail_server, roundcube.PATH + path).status == 200, path
    for path in (
        "config/config.inc.php",
        "plugins/password/password.php",
        "plugins/mailstack/mailstack.php",
        "plugins/password/composer.json",
        "program/js/../../../../../etc/passwd",
        "program/js/..%2f..%2fconfig/config.inc.php",
        "SQL/postgres.initial.sql",
        "logs/errors.log",
        "temp/",
        "installer/index.php",
        ".htaccess",
        "index.php/x",
    ):
        assert roundcube.ask(webmail_server, roundcube.PATH + path).status in (400, 404), path


def test_a_login_is_told_and_a_wrong_one_refused(webmail_server: Target) -> None:
    assert roundcube.is_logged_in(webmail_server, ALICE, PASSWORDS[ALICE])
    assert not roundcube.is_logged_in(webmail_server, "nobody@example.org", "wrong pass 1")
    said = webmail_server.exec(JOURNAL).stdout
    assert f"login: user=<{ALICE}>, rip=" in said
    assert "wrong login: user=<nobody@example.org>, password=" in said
    assert "wrong pass" not in said and PASSWORDS[ALICE] not in said


def test_nobody_writes_a_line_about_another_address(webmail_server: Target) -> None:
    """PHP makes several lines of a text with newlines, and Roundcube logs names as they are typed."""
    forged = "wrong login: user=<b@example.org>, password=0000, rip=203.0.113.9"
    assert roundcube.log_in(webmail_server, f"x\n{forged}\ny", "a password").status == 401
    lines = webmail_server.exec(
        "journalctl -q -o cat --no-pager -t mailstack-webmail-login"
    ).stdout.splitlines()
    assert "wrong login: user=<x?wrong?login:?user=" in lines[-1]
    assert [line for line in lines if line == forged] == []


def test_too_many_guesses_shut_the_address_out(webmail_server: Target) -> None:
    """From IPv6, as from IPv4 there were good logins."""
    try:
        for number in range(LIMIT):
            user = f"guess{number}@example.org"
            assert roundcube.log_in(webmail_server, user, "a guess", ipv6=True).status == 401
        clients.eventually(lambda: is_shut_out(webmail_server), "it is not shut out", 180)
    finally:
        webmail_server.exec("fail2ban-client unban --all")
    clients.eventually(lambda: not is_shut_out(webmail_server), "it stays shut out")
    assert roundcube.ask(webmail_server, ipv6=True).status == 200


def is_shut_out(target: Target) -> bool:
    """Return whether this machine is refused over IPv6."""
    try:
        roundcube.ask(target, ipv6=True)
    except ConnectionRefusedError:
        return True
    return False


def test_one_user_can_be_guessed_three_times_a_minute(webmail_server: Target) -> None:
    assert roundcube.is_logged_in(webmail_server, BOB, PASSWORDS[BOB])  # known to Roundcube from now on
    no_time_passes = "UPDATE mailwebmail.users SET failed_login = now() WHERE failed_login IS NOT NULL"
    for _ in range(3):
        assert not roundcube.is_logged_in(webmail_server, BOB, "the same guess")
        clients.sql(webmail_server, no_time_passes)  # on a loaded machine it may be more than that minute
    assert not roundcube.is_logged_in(webmail_server, BOB, PASSWORDS[BOB])
    forget = "UPDATE mailwebmail.users SET failed_login = NULL, failed_login_counter = NULL"
    clients.sql(webmail_server, forget)
    assert roundcube.is_logged_in(webmail_server, BOB, PASSWORDS[BOB])


@contextmanager
def another_certificate(target: Target) -> Iterator[None]:
    """Yield while the certificate that webmail expects is not the one that Dovecot has."""
    path = "/etc/ssl/mailstack/cert.pem"
    make = (
        f"cp -p {path} /root/cert.pem && openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -days 2"
        f" -subj /CN=mail.example.org -addext subjectAltName=DNS:mail.example.org -out {path} 2>/dev/null"
    )
    target.exec(f"systemctl stop mailstack-web.path && {make}")
    try:
        yield
    finally:
        target.exec(f"cp -p /root/cert.pem {path} && rm /root/cert.pem && systemctl start mailstack-web.path")


def test_it_gives_passwords_to_no_other_server(webmail_server: Target) -> None:
    with another_certificate(webmail_server):
        assert not roundcube.is_logged_in(webmail_server, ALICE, PASSWORDS[ALICE])
    assert roundcube.is_logged_in(webmail_server, ALICE, PASSWORDS[ALICE])


def test_tables_follow_the_version_of_roundcube(webmail_server: Target) -> None:
    files = "/usr/share/roundcube/SQL/postgres"
    *_, old, new = webmail_server.exec(f"ls {files} | sed s/.sql//").stdout.split()
    version = "SELECT value FROM mailwebmail.system WHERE name = 'roundcube-version'"
    assert clients.sql(webmail_server, version) == new
    clients.sql(webmail_server, f"UPDATE mailwebmail.system SET value = '{old}'")
    webmail_server.exec(f"systemctl restart {UNIT}")
    assert clients.sql(webmail_server, version) == new
    assert f"tables of Roundcube: {old} becomes {new}" in webmail_server.exec(JOURNAL).stdout
    # a file that fails changes nothing
    clients.sql(webmail_server, f"UPDATE mailwebmail.system SET value = '{new}'")
    webmail_server.exec(f"echo 'CREATE TABLE half (); SELECT wrong' > {files}/9999010100.sql")
    try:
        assert webmail_server.exec(f"systemctl restart {UNIT}", check=False).returncode
        assert clients.sql(webmail_server, version) == new
        assert clients.sql(webmail_server, "SELECT to_regclass('mailwebmail.half') IS NULL") == "t"
    finally:
        webmail_server.exec(f"rm {files}/9999010100.sql; systemctl restart {UNIT}")


def test_a_new_version_of_roundcube_starts_it_again(webmail_server: Target) -> None:
    shown = f"systemctl show -P MainPID {UNIT}"
    before = webmail_server.exec(shown).stdout
    webmail_server.exec("touch /usr/share/roundcube/index.php")
    clients.eventually(
        lambda: webmail_server.exec(shown).stdout not in (before, "0\n"), "it did not start again", 60
    )
    clients.eventually(lambda: roundcube.ask(webmail_server).status == 200, "it does not answer", 60)


def test_a_second_run_changes_nothing_and_the_probe_passes(webmail_server: Target, debian: int) -> None:
    data = sample_accounts.data(**DATA)
    assert webmail_server.pyinfra("-y", "--json", "deploy.py", data=data).check().changed == []
    (platform,) = [release for release in RELEASES if release.debian == debian]
    (probe,) = WEBMAIL.probes(site(Settings.from_data(data)), platform)
    webmail_server.exec(probe.script)
    assert webmail_server.exec("systemctl --failed --plain --no-legend").stdout == ""
    webmail_server.exec(f"systemctl stop {UNIT}")
    try:
        assert webmail_server.exec(probe.script, check=False).returncode
    finally:
        webmail_server.exec(f"systemctl start {UNIT}")


def test_no_secret_is_readable_and_the_socket_is_nginx_alone(webmail_server: Target) -> None:
    password = webmail_server.exec("cat /var/lib/mailstack/secrets/db-webmail-password").stdout.strip()
    assert password
    try_it = ["runuser", "-u", "nobody", "--", "sh", "-c"]
    for path in (
        "/etc/mailstack/webmail/pg_service.conf",
        "/etc/mailstack/webmail/key",
        "/var/lib/mailstack-webmail/",
    ):
        assert webmail_server.exec([*try_it, f"ls -A {path} && cat {path}"], check=False).returncode, path
    assert webmail_server.exec(f"stat -c '%U %G %a' /run/{UNIT}").stdout == "mailwebmail www-data 750\n"
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect('/run/{UNIT}/php.sock')"
    for user, status in (("nobody", 1), ("www-data", 0)):
        done = webmail_server.exec(["runuser", "-u", user, "--", "python3", "-c", connect], check=False)
        assert done.returncode == status, (user, done.stderr)
    assert password not in webmail_server.exec(JOURNAL).stdout + webmail_server.exec("ps axwwe").stdout


def test_php_is_in_no_group_but_its_own_and_reads_no_secret_of_others(webmail_server: Target) -> None:
    roundcube.ask(webmail_server)  # starts a process that answers
    own = webmail_server.exec("id -g mailwebmail").stdout.split()
    pids = webmail_server.exec("pgrep -u mailwebmail").stdout.split()
    assert len(pids) > 1
    for pid in pids:
        status = webmail_server.exec(["cat", f"/proc/{pid}/status"]).stdout
        assert re.findall(r"^Groups:\t(.*?) *$", status, re.MULTILINE) in ([""], own)
    mine = "/etc/mailstack/webmail/"
    secrets = webmail_server.exec(
        f"find /etc /var/lib /usr/local -xdev -type f ! -perm -o+r ! -path '{mine}*' 2>/dev/null"
    ).stdout.split("\n")
    assert {"/etc/shadow", "/var/lib/mailstack/secrets/db-lookup-password"} <= set(secrets)
    look = ["setpriv", "--reuid", "mailwebmail", "--regid", "mailwebmail", "--clear-groups"]
    readable = webmail_server.exec(
        [*look, "sh", "-c", 'while read -r path; do [ ! -r "$path" ] || echo "$path"; done'],
        input="\n".join(secrets),
    ).stdout.split("\n")
    assert [path for path in readable if path and not path.startswith(STATE)] == []


def test_logins_of_one_address_are_slowed_down_and_others_are_not(webmail_server: Target) -> None:
    """A form that is too old counts, and has no password that fail2ban would count."""

    def answer(ipv6: bool, query: str) -> int:
        return roundcube.ask(
            webmail_server, f"{roundcube.PATH}?{query}", {"_task": "login", "_action": "login"}, ipv6=ipv6
        ).status

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: answer(True, "_task=login"), range(30)))
        assert 10 <= answers.count(429) < 30
        assert roundcube.ask(webmail_server, ipv6=True).status == 200
        assert list(pool.map(lambda _: answer(True, "_task=mail"), range(30))).count(429) == 0
    assert roundcube.is_logged_in(webmail_server, ALICE, PASSWORDS[ALICE])
    # the web server counts what has this in the query, so nothing else is a login
    assert roundcube.log_in(webmail_server, ALICE, PASSWORDS[ALICE], query="_task=mail").status == 200


# fail2ban counts other passwords, which two tests above see on both releases
@on_debian_13
def test_one_wrong_telephone_shuts_no_household_out(webmail_server: Target) -> None:
    """Several users have one address; a program tries the same wrong password again and again."""
    try:
        for number in range(LIMIT + 2):
            assert not roundcube.is_logged_in(webmail_server, "phone@example.org", "an old one")
            if number < 2:
                assert roundcube.is_logged_in(
                    webmail_server, (ALICE, BOB)[number], PASSWORDS[(ALICE, BOB)[number]]
                )

        def lines() -> list[str]:
            said = webmail_server.exec("journalctl -q -o cat --no-pager -t mailstack-webmail-login").stdout
            return [line for line in said.split("\n") if "wrong login: user=<phone@example.org>" in line]

        clients.eventually(lambda: len(lines()) >= LIMIT + 2, "not all are in the journal")
        assert len(lines()) == LIMIT + 2 and len(set(lines())) == 1
        time.sleep(5)  # fail2ban reads the journal at once
        assert roundcube.is_logged_in(webmail_server, BOB, PASSWORDS[BOB])
    finally:
        webmail_server.exec("fail2ban-client unban --all")


def test_it_ends(webmail_server: Target, module_factory: Factory, with_webmail: str) -> None:
    target = module_factory("ended", image=with_webmail)
    assert roundcube.is_logged_in(target, ALICE, PASSWORDS[ALICE])
    data = sample_accounts.data(**DATA | {"mail_webmail": False, "mail_web": True})
    target.pyinfra("-y", "deploy.py", data=data, timeout=300).check()
    assert roundcube.ask(target).status == 404
    units = f"{UNIT} {UNIT}-watch.path {UNIT}-clean.timer"
    assert target.exec(f"systemctl is-active {units}", check=False).stdout.split() == ["inactive"] * 3
    assert target.exec("nginx -t && ls /etc/nginx/conf.d").stdout.split() == ["mailstack.conf"]
    may = "SELECT has_schema_privilege('mailwebmail', 'public', 'USAGE')"
    assert clients.sql(target, may) == "f"
    left = target.exec("ls /etc/mailstack/webmail /var/lib/mailstack/secrets").stdout.split()
    assert [name for name in left if name in ("key", "pg_service.conf", "db-webmail-password")] == []
    assert target.pyinfra("-y", "--json", "deploy.py", data=data).check().changed == []
