"""What webmail puts on a host, and what fail2ban reads of it."""

from __future__ import annotations

import re

import pytest

from mailstack import Settings
from mailstack.components.fail2ban import jails_of
from mailstack.components.webmail import WEBMAIL
from mailstack.engines.postgresql.schema import Schema
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File
from tests.support.sites import files, site
from tests.unit.test_fail2ban import matches

HERE = Settings(mail_hostname="mail.example.org", mail_webmail=True)


def texts(settings: Settings, platform: Platform = RELEASES[1]) -> dict[str, str | None]:
    """Return its files, by the last part of their paths."""
    entries = files(WEBMAIL, settings, platform)
    return {each.path.rpartition("/")[2]: each.content for each in entries if isinstance(each, File)}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "mail mailstack-webmail-login[12]: wrong login: user=<b@x.example>, password=5ae0, rip=192.0.2.7",
            {"USER": "b@x.example", "HASH": "5ae0", "ip": "192.0.2.7"},
        ),
        (
            "mail mailstack-webmail-login: wrong login: user=<>, password=0000, rip=2001:db8::7",
            {"USER": "", "HASH": "0000", "ip": "2001:db8::7"},
        ),
        # Roundcube's own, in which any text may be
        ("mail mailstack-webmail[12]: wrong login: user=<b@x.y>, password=5ae0, rip=192.0.2.7", {}),
        ("mail other[12]: wrong login: user=<b@x.example>, password=5ae0, rip=192.0.2.7", {}),
        ("mail mailstack-webmail-login[12]: x wrong login: user=<b@x>, password=5ae0, rip=192.0.2.7", {}),
        ("mail mailstack-webmail-login[12]: wrong login: user=<b>, password=5ae0, rip=192.0.2.7 more", {}),
    ],
)
def test_wrong_logins_count(line: str, found: dict[str, str]) -> None:
    jail = jails_of(site(HERE), RELEASES[1])[-1]
    assert matches(jail.guesses, line) == found
    assert matches(jail.logins, line) == {}


def test_good_logins_count_too() -> None:
    jail = jails_of(site(HERE), RELEASES[1])[-1]
    line = "mail mailstack-webmail-login[12]: login: user=<bob@example.org>, rip=192.0.2.7"
    assert matches(jail.logins, line) == {"GOOD": "login", "ip": "192.0.2.7"}
    assert matches(jail.guesses, line) == {}
    assert list(jail.ports) == [80, 443]


def test_without_it_nothing_is_left() -> None:
    off = Settings(mail_hostname="mail.example.org")
    assert texts(off).keys() == texts(HERE).keys() | {"key"}
    assert set(texts(off).values()) == {None}
    assert not [*WEBMAIL.packages(site(off), RELEASES[1]), *WEBMAIL.units(site(off), RELEASES[1])]
    assert WEBMAIL.jails(site(off), RELEASES[1]) == ()


@pytest.mark.parametrize(("platform", "php"), list(zip(RELEASES, ("8.2", "8.4"), strict=True)))
def test_it_runs_php_of_the_release(platform: Platform, php: str) -> None:
    unit = texts(HERE, platform)["mailstack-webmail.service"]
    assert unit and f"\nExecStart=/usr/sbin/php-fpm{php} --nodaemonize " in unit


def test_a_changed_setting_starts_it_again() -> None:
    """PHP itself would not notice another password, or another size of a message."""
    other = Settings(**{**HERE.model_dump(), "mail_message_size_limit": 99_000_000})
    assert texts(other)["mailstack-webmail.service"] != texts(HERE)["mailstack-webmail.service"]


def test_it_has_a_web_server_and_no_secret_outside_of_one_file() -> None:
    assert HERE.serves_web
    written = texts(HERE)
    assert [name for name, text in written.items() if "@mailstack-secret:" in str(text)] == [
        "pg_service.conf"
    ]
    (entry,) = [each for each in files(WEBMAIL, HERE, RELEASES[1]) if each.path.endswith("pg_service.conf")]
    assert isinstance(entry, File) and entry.mode == 0o640


def test_filters_and_spam_follow_the_settings() -> None:
    plain = Settings(mail_hostname="m.example.org", mail_webmail=True, mail_sieve=False, mail_rspamd=False)
    config = str(texts(plain)["config.inc.php"])
    assert "managesieve" not in config and "markasjunk" not in config
    assert "'managesieve'" in str(texts(HERE)["config.inc.php"])


def test_files_may_be_as_large_as_a_message_takes_them() -> None:
    """Roundcube counts 33 % and 10 KiB (actions/mail/attachment_upload.php); base64 makes 78 bytes of 57."""
    found = re.search(r"max_message_size'[]] = ([0-9]+);", str(texts(HERE)["config.inc.php"]))
    assert found is not None
    largest = (int(found[1]) - 10_240) / 1.33
    limit = HERE.mail_message_size_limit
    assert 0.98 * limit < largest * 78 / 57 < 0.99 * limit


def test_an_ipv6_address_is_in_brackets() -> None:
    only = Settings(mail_hostname="mail.example.org", mail_webmail=True, mail_inet_protocols="ipv6")
    assert "'ssl://[::1]:993'" in str(texts(only)["config.inc.php"])


def test_the_role_has_rights_only_with_webmail() -> None:
    roles = ("mailadmin", "maillookup", "mailupgrade")
    name = "functions/webmail.sql"
    assert "webmail text := '';" in Schema(*roles).render(name)
    assert "webmail text := 'letters';" in Schema(*roles, "letters").render(name)
