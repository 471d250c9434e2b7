"""ClamAV: what its component declares, and rspamd's side of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components.clamav import CLAMAV
from mailstack.components.component import Component, with_required
from mailstack.components.rspamd import RSPAMD
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from tests.support.sites import site, whole


def written(component: Component, **settings: Any) -> dict[str, str | None]:
    """Return the files of a component, by path."""
    here = site(Settings(mail_hostname="mail.example.org", **settings))
    entries = component.files(here, RELEASES[1])
    return {entry.path: entry.content for entry in entries if isinstance(entry, File)}


def test_it_is_off_by_default() -> None:
    assert "clamav" not in [each.name for each in whole(site(Settings(mail_hostname="mail.example.org")))]
    files = written(RSPAMD)
    assert files["/etc/rspamd/local.d/antivirus.conf"] is None
    assert "VIRUS" not in "".join(text for text in files.values() if text)


def test_rspamd_asks_it_about_users_too() -> None:
    here = site(Settings(mail_hostname="mail.example.org", mail_antivirus=True))
    assert "clamav" in [each.name for each in with_required([RSPAMD], here)]
    files = written(RSPAMD, mail_antivirus=True)
    assert 'servers = "/run/clamav/clamd.ctl";' in (files["/etc/rspamd/local.d/antivirus.conf"] or "")
    settings = files["/etc/rspamd/local.d/settings.conf"] or ""
    assert (
        len(re.findall(r'symbols_enabled = .*"VIRUS", "VIRUS_FAIL", "FORCE_ACTION_NO_ANTIVIRUS"]', settings))
        == 2
    )


@pytest.mark.parametrize(("unavailable", "waits"), [("wait", True), ("pass", False)])
def test_mail_waits_or_passes_without_it(unavailable: str, waits: bool) -> None:
    files = written(RSPAMD, mail_antivirus=True, mail_antivirus_unavailable=unavailable)
    actions = files["/etc/rspamd/local.d/force_actions.conf"] or ""
    assert ("VIRUS_FAIL" in actions) is waits
    assert actions.count("{") == actions.count("}")


def test_it_takes_all_that_postfix_takes() -> None:
    text = written(CLAMAV, mail_antivirus=True, mail_message_size_limit=70000)["/etc/clamav/clamd.conf"] or ""
    (stream,) = re.findall(r"StreamMaxLength (\d+)", text)
    assert int(stream) > 70000 + 65536


def test_it_needs_rspamd() -> None:
    with pytest.raises(OperationValueError, match="mail_antivirus: needs mail_rspamd"):
        Settings(mail_hostname="mail.example.org", mail_antivirus=True, mail_rspamd=False)
