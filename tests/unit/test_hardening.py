"""The drop-ins that take rights from services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailstack import Settings
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File
from tests.support.sites import site, whole

OLD, NEW = RELEASES
#: Services of mailstack's own, which have the rules in their unit files.
OWN = {
    "mailstack-dane",
    "mailstack-dkim",
    "mailstack-limits",
    "mailstack-recover",
    "mailstack-reports",
    "mailstack-reports@",
    "mailstack-tls-reports",
    "mailstack-webmail",
    "mailstack-webmail-clean",
}
#: Those without: they change what the rules protect, or start and end services, or have rules of their own.
WITHOUT = {
    "mailstack-backup",
    "mailstack-backup-check",
    "mailstack-certificate",
    "mailstack-certificates",
    "mailstack-firewall",
    "mailstack-flush",
    "mailstack-metrics",
    "mailstack-metrics-gate",
    "mailstack-resolver",
    "mailstack-restore",
    "mailstack-retry@",
    "mailstack-web",
    "mailstack-webmail-watch",
}


def written(platform: Platform, *, hardened: bool, **more: Any) -> dict[str, str | None]:
    """Return the files of a server with all services, by path."""
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_hardening=hardened,
        mail_webmail=True,
        mail_dmarc_reports=True,
        mail_smtp_tls_reports=platform == NEW,
        mail_firewall=True,
        mail_metrics=True,
        mail_backup_repository="/srv/backup",
        mail_metrics_clients=["192.0.2.7"],
        **more,
    )
    here = site(settings)
    entries = [entry for each in whole(here) for entry in each.files(here, platform)]
    return {entry.path: entry.content for entry in entries if isinstance(entry, File)}


def drop_ins(platform: Platform, *, hardened: bool) -> dict[str, str]:
    """Return the drop-ins, by the unit."""
    end = ".service.d/mailstack-hardening.conf"
    files = written(platform, hardened=hardened)
    return {
        path.rpartition("/etc/systemd/system/")[2].removesuffix(end): text
        for path, text in files.items()
        if path.endswith(end) and text
    }


@pytest.mark.parametrize("platform", RELEASES)
def test_services_whose_packages_leave_them_all_rights(platform: Platform) -> None:
    expected = {"dovecot", "nginx", "postsrsd", "rspamd", "unbound"}
    expected |= {"postfix@-"} if platform == OLD else set()
    assert drop_ins(platform, hardened=True).keys() == expected
    assert drop_ins(platform, hardened=False) == {}


@pytest.mark.parametrize("platform", RELEASES)
def test_without_it_the_files_are_removed(platform: Platform) -> None:
    off = written(platform, hardened=False)
    for unit in (*drop_ins(platform, hardened=True), "postfix@-"):
        assert off[f"/etc/systemd/system/{unit}.service.d/mailstack-hardening.conf"] is None


@pytest.mark.parametrize("hardened", [True, False])
def test_mailstack_s_own_services_have_the_rules_too(hardened: bool) -> None:
    acme = {"mail_acme": True, "mail_acme_email": "admin@example.org"}
    on_host = {"mail_tls_certificate": "host:/etc/a.pem", "mail_tls_key": "host:/etc/b.pem"}
    files = {
        path: text
        for more in (acme, on_host)
        for path, text in written(NEW, hardened=hardened, **more).items()
        if text
    }
    own = {
        path.rpartition("/")[2].removesuffix(".service"): text
        for path, text in files.items()
        if path.startswith("/usr/local/lib/systemd/system/") and path.endswith(".service")
    }
    with_rules = {name for name, text in own.items() if "\nProtectClock=yes\n" in text}
    assert with_rules == (OWN if hardened else set())
    assert own.keys() == OWN | WITHOUT
    shown = (Path(__file__).parents[2] / "docs" / "hardening.md").read_text()
    assert {name for name in own if f"`{name.rstrip('@')}" not in shown} == set()


def test_mail_may_be_in_home_and_commands_may_send_mail() -> None:
    found = drop_ins(OLD, hardened=True)
    for unit in ("postfix@-", "dovecot"):
        assert "\nNoNewPrivileges=no\n" in found[unit] and "\nProtectHome=no\n" in found[unit]
        assert "PrivateTmp=" not in found[unit] and "MemoryDenyWriteExecute" not in found[unit]
