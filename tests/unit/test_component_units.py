"""Each component's unit matches the files that it writes for systemd."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.components.component import Component
from mailstack.components.dovecot import DOVECOT
from mailstack.components.mariadb import MARIADB
from mailstack.components.postfix import POSTFIX
from mailstack.components.postgresql import POSTGRESQL
from mailstack.facts.platform import RELEASES, Platform
from mailstack.facts.units import drop_in_path
from mailstack.files import File
from tests.support.sites import site

OLD, NEW = RELEASES
SETTINGS = Settings(mail_hostname="mail.example.org")
MYSQL = Settings(mail_hostname="mail.example.org", mail_db_engine="mysql")


def test_postfix_replaces_the_unit_of_debian_12_on_13() -> None:
    old, new = (POSTFIX.units(site(SETTINGS), platform)[0] for platform in RELEASES)
    assert (old.process, old.replaces) == ("postfix@-", None)
    assert (new.process, new.replaces) == ("postfix", "postfix@-")


@pytest.mark.parametrize(
    ("component", "platform", "settings"),
    [
        (POSTFIX, OLD, SETTINGS),
        (POSTFIX, NEW, SETTINGS),
        (DOVECOT, NEW, SETTINGS),
        (POSTGRESQL, OLD, SETTINGS),
        (MARIADB, NEW, MYSQL),
    ],
    ids=lambda value: value.name if isinstance(value, Component) else "",
)
def test_a_drop_in_that_is_written_is_asked_for(
    component: Component, platform: Platform, settings: Settings
) -> None:
    here = site(settings)
    entries = component.files(here, platform)
    written = {entry.path for entry in entries if isinstance(entry, File) and entry.content is not None}
    unit = component.units(here, platform)[0]
    assert unit.drop_in and drop_in_path(unit.process) in written
    assert unit.program and unit.listens
