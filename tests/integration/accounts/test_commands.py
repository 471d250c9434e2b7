"""Accounts one at a time, from pyinfra's command line."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailstack.passwords import verify
from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.both_engines

PASSWORD = 'it\'s "se cret" \\ 5'
EVE = "eve@new.example"
ACTIVE = "CASE WHEN active THEN 'yes' ELSE 'no' END"


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Iterator[Target]:
    """Yield a copy of the standard server, with one more domain."""
    target = module_clone("accounts")
    assert call(target, "domain", "new.example").changed == ["Accounts | Domain new.example"]
    yield target


@pytest.fixture
def eve(host: Target) -> Iterator[str]:
    """Yield a user with the password of Alice, gone afterwards."""
    columns = f"INSERT INTO mail_users (email, password) SELECT '{EVE}', password FROM mail_users"
    clients.sql(host, f"{columns} WHERE email = '{sample_accounts.ALICE}'")
    yield EVE
    clients.sql(host, f"DELETE FROM mail_users WHERE email = '{EVE}'")


def call(target: Target, operation: str, *args: str, **options: Any) -> PyinfraRun:
    """Run `pyinfra -y INVENTORY mailstack.accounts.OPERATION ARGS`, with `--json`."""
    operation = f"mailstack.accounts.{operation}"
    return target.pyinfra("-y", "--json", operation, *args, data=sample_accounts.data(), **options)


def column(target: Target, name: str) -> str:
    """Return a column of eve's row in the database; empty if there is none."""
    return clients.sql(target, f"SELECT {name} FROM mail_users WHERE email = '{EVE}'")


def test_again_is_no_change(host: Target, eve: str) -> None:
    assert call(host, "domain", "New.Example").changed == []
    assert call(host, "user", eve).changed == []
    env = {"PW": sample_accounts.PASSWORDS[sample_accounts.ALICE]}
    assert call(host, "user", "EVE@new.example", "password_from=env:PW", env=env).changed == []


def test_password(host: Target, eve: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("another one\n")
    assert call(host, "user", eve, f"password_from=file:{file}").changed
    assert verify(column(host, "password"), "another one")


def test_password_is_nowhere_in_the_output(host: Target) -> None:
    args = ("-y", "-vvv", "mailstack.accounts.user", EVE, "password_from=env:PW")
    run = host.pyinfra(*args, data=sample_accounts.data(), env={"PW": PASSWORD}).check()
    assert f"+ user {EVE}" in run.stdout + run.stderr
    stored = column(host, "password")
    assert stored.startswith("{ARGON2ID}") and verify(stored, PASSWORD)
    for secret in (PASSWORD, stored, stored.rpartition("$")[2]):
        assert secret not in run.stdout + run.stderr
    call(host, "user", EVE, "present=false").check()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("password=geheim",), "never as an argument"),
        (("password_from=geheim",), "not a source of passwords"),
        ((), "no password, and no terminal to ask at"),
        (("quota_md=1",), "there is no argument quota_md"),
        (("present=maybe",), "must be true or false"),
    ],
)
def test_refused(host: Target, args: tuple[str, ...], said: str) -> None:
    run = call(host, "user", EVE, *args)
    assert run.returncode != 0
    assert said in run.stdout + run.stderr
    assert "geheim" not in run.stdout + run.stderr
    assert column(host, "email") == ""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("user",), "mailstack.accounts.user EMAIL [password_from=…]"),
        (("user", "quota_mb=5"), "missing a required argument: 'email'"),
        (("sender", EVE), "missing a required argument: 'sender_email'"),
        (("alias", EVE, EVE, "source_email=x"), "multiple values for argument 'source_email'"),
        (("domain", "new.example", "quota_md=1"), "there is no argument quota_md; did you mean 'quota_mb'?"),
        (("user", "null", "active=true"), "email: is required: an address"),
        (("usr", EVE), "there is no command mailstack.accounts.usr; did you mean 'user'?"),
        (("users", EVE), "there is no command mailstack.accounts.users; did you mean 'user'?"),
        (("delete", EVE), "one of alias, alias_domain, app_password, convert, domain, "),
    ],
)
def test_an_unknown_command_is_answered_in_one_line(host: Target, args: tuple[str, ...], said: str) -> None:
    run = call(host, *args)
    assert run.returncode == 1
    assert said in run.stderr
    assert "Traceback" not in run.stderr and "bug report" not in run.stderr


def test_removing_a_missing_row_is_no_error(host: Target) -> None:
    removals = {
        ("user", "nobody@new.example"): "user nobody@new.example",
        ("domain", "no.example"): "domain no.example",
        ("alias", "no@new.example"): "alias no@new.example",
        ("alias", "no@new.example", "a@new.example"): "alias no@new.example -> a@new.example",
        ("alias", "no@*"): "alias no@*",
        ("alias_domain", "no.example"): "alias domain no.example",
        ("relay_domain", "no.example"): "relay domain no.example",
        ("relay_domain", "no.example", "a@no.example"): "relay recipient a@no.example",
        ("sender", EVE, "a@new.example"): f"sender {EVE} -> a@new.example",
        ("app_password", EVE, "phone"): f"app password {EVE} -> phone",
    }
    for args, named in removals.items():
        run = call(host, *args, "present=false").check()
        assert f"there is no {named}: nothing to remove" in run.stderr
        assert run.changed == []


def test_an_alias_to_a_missing_address_is_created_with_a_warning(host: Target, eve: str) -> None:
    alias = ("alias", "info@new.example")
    nobody = "alias info@new.example -> eve2@new.example: there is no such address"
    for _ in range(2):
        assert nobody in call(host, *alias, "eve2@new.example").check().stderr
    said = call(host, *alias, f'["{eve}", "x@remote.example.net", "Eve+tag@example.org"]').check().stderr
    assert said.count("there is no such address") == 1
    assert "eve+tag@example.org: there is no such address" in said
    gone = call(host, "user", eve, "present=false").check().stderr
    assert f"alias info@new.example -> {eve}: there is no such address" in gone
    call(host, *alias, "present=false").check()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("domain",), "a domain of ours"),
        (("alias_domain", "new.example"), "an alias domain"),
        (("relay_domain",), "a relay domain"),
    ],
)
def test_the_host_s_own_name_is_no_domain(host: Target, args: tuple[str, ...], word: str) -> None:
    for name in (sample_accounts.HOSTNAME.upper(), "LocalHost.example"):
        data = sample_accounts.data(mail_mydestination=["$myhostname", "localhost.example"])
        command = (f"mailstack.accounts.{args[0]}", name, *args[1:])
        run = host.pyinfra("-y", "--json", *command, data=data)
        assert run.returncode == 1
        assert f"{name.lower()} can't be {word} and one of mail_mydestination" in run.stderr
    assert clients.sql(host, "SELECT domain_name FROM mail_domain WHERE domain_name LIKE '%host%'") == ""


def test_the_next_run_names_rows_that_break_the_settings(host: Target) -> None:
    for data in (
        sample_accounts.data(),
        sample_accounts.data(mail_domains=[], mail_users=[], mail_aliases=[]),
    ):
        clients.sql(host, f"INSERT INTO mail_domain (domain_name) VALUES ('{sample_accounts.HOSTNAME}')")
        run = host.pyinfra("-y", "deploy.py", data=data)
        clients.sql(host, f"DELETE FROM mail_domain WHERE domain_name = '{sample_accounts.HOSTNAME}'")
        assert run.returncode == 1 and "Traceback" not in run.stderr
        assert (
            f"{sample_accounts.HOSTNAME} can't be a domain of ours and one of mail_mydestination"
            in run.stderr
        )


def test_a_command_keeps_the_rules_of_settings(host: Target, eve: str) -> None:
    command = ("mailstack.accounts.user", eve, "detail_folders=true")
    refused = host.pyinfra("-y", *command, data=sample_accounts.data(mail_sieve=False))
    assert refused.returncode == 1 and f"user {eve}: detail_folders needs mail_sieve" in refused.stderr
    assert column(host, "CASE WHEN detail_folders THEN 'yes' ELSE 'no' END") == "no"


def test_app_password(host: Target, eve: str, tmp_path: Path) -> None:
    file = tmp_path / "phone"
    command = ("app_password", eve, "phone")
    refused = call(host, *command)
    assert "app password eve@new.example: phone is new and has no password" in refused.stderr
    dry = host.pyinfra(
        "--dry",
        "mailstack.accounts.app_password",
        *command[1:],
        f"password_to={file}",
        data=sample_accounts.data(),
    )
    assert dry.returncode == 0 and not file.exists(), "a dry run makes no file"

    made = call(host, *command, "service=imap", f"password_to={file}").check()
    secret = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert made.changed and secret not in made.stdout + made.stderr
    with clients.imap(host, eve, password=secret):
        pass
    with clients.smtp(host, 587) as session, pytest.raises(smtplib.SMTPAuthenticationError):
        clients.login(session, eve, secret)

    again = call(host, *command, f"password_to={file}")
    assert again.returncode != 0 and "exists already" in again.stderr
    assert call(host, *command, f"password_from=file:{file}").changed == []
    assert call(host, *command, "service=all").changed
    with clients.smtp(host, 587) as session:
        clients.login(session, eve, secret)
    assert call(host, *command, "present=false").changed
    assert call(host, *command, "present=false").changed == []
    with pytest.raises(imaplib.IMAP4.error), clients.imap(host, eve, password=secret):
        pass
    weak = call(host, *command, "password_from=env:PW", env={"PW": "geheim"})
    assert weak.returncode != 0 and "24 or more" in weak.stderr and "geheim" not in weak.stderr


def test_attributes(host: Target, eve: str) -> None:
    assert call(host, "user", eve, "quota_mb=5", "active=false").changed
    assert column(host, f"quota_mb, {ACTIVE}") == "5|no"
    assert call(host, "user", eve, "quota_mb=6", "quota_messages=7").changed
    assert column(host, f"quota_mb, quota_messages, {ACTIVE}") == "6|7|no", "what was not said stays"


def test_quotas_of_a_domain(host: Target, eve: str) -> None:
    quotas = ("domain", "new.example", "quota_mb=8", "user_quota_mb=5")
    assert call(host, *quotas).changed
    assert call(host, *quotas).changed == []
    refused = call(host, "user", eve, "quota_mb=9")
    assert "add up to 9 MiB, more than the 8 of the domain" in refused.stdout + refused.stderr
    assert call(host, "user", eve, "quota_mb=8").changed
    assert call(host, "domain", "new.example", "quota_mb=0", "user_quota_mb=0").changed


def test_alias(host: Target, eve: str) -> None:
    alias = ("alias", "Info@new.example")
    assert call(host, *alias, f'["{eve}", "x@remote.example.net"]').changed
    assert call(host, *alias, eve).changed == []
    assert call(host, *alias, "x@remote.example.net", "present=false").changed
    assert call(host, *alias, "x@remote.example.net", "present=false").changed == []
    refused = call(host, "domain", "new.example", "present=false")
    stay = "alias info@new.example, user eve@new.example"
    assert f"can't be removed while these exist: {stay}" in refused.stderr
    assert call(host, *alias, "present=false").changed


def test_mail_is_deleted_only_on_request(host: Target) -> None:
    for asked in ([], ["delete_mail=true"]):
        call(host, "user", EVE, "password_from=env:PW", env={"PW": PASSWORD}).check()
        home = clients.home(host, EVE)
        host.exec(f"mkdir -p {home}/Maildir/cur && touch {home}/Maildir/cur/1")
        run = call(host, "user", EVE, "present=false", *asked)
        assert run.changed and (f"- user {EVE}: the mail stays in {home}" in run.stderr) is (not asked)
        assert column(host, "email") == ""
        left = host.exec(f"find {home}", check=False).stdout.split()
        assert left == (
            [] if asked else [home, f"{home}/Maildir", f"{home}/Maildir/cur", f"{home}/Maildir/cur/1"]
        )
        assert host.exec("test -d /var/vmail/new.example").returncode == 0


def test_a_home_elsewhere_is_never_deleted(host: Target, eve: str) -> None:
    host.exec("mkdir -p /srv/precious")
    call(host, "user", eve, "home_directory=/srv/precious").check()
    run = call(host, "user", eve, "present=false", "delete_mail=true")
    assert "is not below /var/vmail" in run.stdout + run.stderr and run.returncode != 0
    assert host.exec("test -d /srv/precious").returncode == 0
    assert column(host, ACTIVE) == "yes"
