"""SRS: which mail takes the detour, and what Postfix has for it."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.components.component import with_required
from mailstack.components.postfix import POSTFIX
from mailstack.components.srs import SRS
from mailstack.engines import engine_of
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File
from tests.support.sites import site

SETTINGS = Settings(mail_hostname="mail.example.org", mail_domains=["example.org"])
FOREIGN = "proxy:pgsql:$config_directory/sql/foreign_senders.cf"


def text(path: str, settings: Settings = SETTINGS, platform: Platform = RELEASES[1]) -> str:
    """Return one file of Postfix or of SRS."""
    here = site(settings)
    entries = [*POSTFIX.files(here, platform), *SRS.files(here, platform)]
    (file,) = [entry for entry in entries if entry.path == path]
    assert isinstance(file, File) and file.content
    return file.content


def test_relay_hosts_of_senders_come_first() -> None:
    assert f"default_transport_maps =\n  {FOREIGN}\n" in text("/etc/postfix/main.cf")
    relays = Settings(
        mail_hostname="mail.example.org", mail_sender_relayhosts={"@example.org": "[r.example]"}
    )
    tables = f"default_transport_maps =\n  hash:/etc/postfix/sender_relayhosts\n  {FOREIGN}\n"
    assert tables in text("/etc/postfix/main.cf", relays)


@pytest.mark.parametrize(
    ("engine", "domains"),
    [
        ("postgresql", ["NOT EXISTS (SELECT * FROM mailstack_domain('%d'))"]),
        (
            "mysql",
            [
                "NOT EXISTS (SELECT domain_name FROM mail_domain WHERE domain_name = '%d'",
                "mail_alias_domain WHERE alias_domain = '%d'",
            ],
        ),
    ],
)
def test_own_domains_take_no_detour(engine: str, domains: list[str]) -> None:
    settings = Settings.from_data({"mail_hostname": "mail.example.org", "mail_db_engine": engine})
    query = engine_of(settings).lookups.foreign_senders("srs:[127.0.0.1]:10030", settings.local_domains)
    assert query.startswith("SELECT 'srs:[127.0.0.1]:10030' FROM")
    assert "name NOT IN ('mail.example.org', 'localhost')" in query
    assert all(part in query for part in domains)
    # Postfix skips the query for a key without a domain, as that of a bounce is
    assert "%s" not in query


def test_without_local_domains_the_query_is_no_error() -> None:
    assert "NOT IN ('')" in engine_of(SETTINGS).lookups.foreign_senders("x:", ())


def test_the_second_cleanup_alone_rewrites_senders() -> None:
    assert "sender_canonical_maps" not in text("/etc/postfix/main.cf")
    master = text("/etc/postfix/master.cf")
    cleanup = master.partition("\nsrs-cleanup ")[2].partition("\n\n")[0]
    assert "sender_canonical_maps=tcp:127.0.0.1:10001" in cleanup
    assert master.count("sender_canonical_maps") == 1
    assert "cleanup_service_name=srs-cleanup" in master.partition("\n127.0.0.1:10030 ")[2]


def test_the_detour_is_for_this_host_alone() -> None:
    here = site(SETTINGS)
    assert [port.number for port in POSTFIX.ports(here)] == [25, 587, 465]
    assert "10030" in POSTFIX.units(here, RELEASES[1])[0].listens


def test_a_bounce_may_have_a_long_local_part() -> None:
    lines = text("/etc/postfix/impossible_recipients").splitlines()
    assert lines.index("/^SRS[01][-+=]/ DUNNO") < next(
        number for number, line in enumerate(lines) if line.startswith("/^.{65,}@")
    )
    without = Settings(mail_hostname="mail.example.org", mail_srs=False)
    here = site(without)
    (table,) = [
        entry
        for entry in POSTFIX.files(here, RELEASES[1])
        if entry.path == "/etc/postfix/impossible_recipients"
    ]
    assert isinstance(table, File) and "SRS" not in (table.content or "")


def test_postfix_has_it_deployed() -> None:
    names = [component.name for component in with_required([POSTFIX], site(SETTINGS))]
    assert names.index("srs") < names.index("postfix")
