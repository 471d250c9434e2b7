"""Each component's unit matches the files that it writes for systemd."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailstack import Settings
from mailstack.components import dovecot, mariadb, postfix, postgres
from mailstack.facts.platform import RELEASES
from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File
from mailstack.operations.units import Unit
from mailstack.topology import local_endpoint

OLD, NEW = RELEASES
SETTINGS = Settings(mail_hostname="mail.example.org")
MYSQL = Settings(mail_hostname="mail.example.org", mail_db_engine="mysql")
HERE = local_endpoint(SETTINGS)


def test_postfix_replaces_the_unit_of_debian_12_on_13() -> None:
    old, new = postfix.unit(SETTINGS, OLD), postfix.unit(SETTINGS, NEW)
    assert (old.process, old.replaces) == ("postfix@-", None)
    assert (new.process, new.replaces) == ("postfix", "postfix@-")


@pytest.mark.parametrize(
    ("unit", "files"),
    [
        (postfix.unit(SETTINGS, OLD), postfix.files(SETTINGS, OLD, HERE)),
        (postfix.unit(SETTINGS, NEW), postfix.files(SETTINGS, NEW, HERE)),
        (dovecot.unit(), dovecot.files(SETTINGS, "2.4", HERE)),
        (postgres.unit(SETTINGS, OLD), postgres.files(SETTINGS, "15")),
        (mariadb.unit(MYSQL), mariadb.files(MYSQL)),
    ],
    ids=lambda value: value.process if isinstance(value, Unit) else "",
)
def test_a_drop_in_that_is_written_is_asked_for(unit: Unit, files: Sequence[Entry]) -> None:
    written = {entry.path for entry in files if isinstance(entry, File) and entry.content is not None}
    assert unit.drop_in and drop_in_path(unit.process) in written
    assert unit.program and unit.listens
