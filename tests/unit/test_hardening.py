"""The drop-ins that take rights from services."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File
from tests.support.sites import site, whole

OLD, NEW = RELEASES
#: Services of mailstack's own, which have the rules in their unit files.
OWN = {"mailstack-dane", "mailstack-dkim", "mailstack-limits", "mailstack-recover", "mailstack-reports"}


def written(platform: Platform, *, hardened: bool) -> dict[str, str | None]:
    """Return the files of a server with all services, by path."""
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_hardening=hardened,
        mail_web=True,
        mail_dmarc_reports=True,
        mail_smtp_tls_reports=platform == NEW,
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
    files = written(NEW, hardened=hardened)
    for name in (*OWN, "mailstack-tls-reports"):
        text = files[f"/usr/local/lib/systemd/system/{name}.service"] or ""
        assert ("\nProtectSystem=full\n" in text) == hardened, name


def test_mail_may_be_in_home_and_commands_may_send_mail() -> None:
    found = drop_ins(OLD, hardened=True)
    for unit in ("postfix@-", "dovecot"):
        assert "\nNoNewPrivileges=no\n" in found[unit] and "\nProtectHome=no\n" in found[unit]
        assert "PrivateTmp=" not in found[unit] and "MemoryDenyWriteExecute" not in found[unit]
