"""A former primary, back from an outage, must not be a second one: a check at its start, and a watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import systemd
from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File
from mailstack.operations.units import Unit
from mailstack.replication import AUTHORITY, PASSWORD_FILE, ROLE
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.components.component import Site

_NAME = "mailstack-fence"
_SCRIPT = "/usr/local/lib/mailstack/fence-database"
UNIT_FILE = systemd.unit_file(f"{_NAME}.service")


def unit() -> Unit:
    """Return the watch."""
    return Unit(_NAME, unit_file=UNIT_FILE)


def files(site: Site, version: str) -> list[Entry]:
    """Return the script, its unit, and the check before PostgreSQL starts; their absence without standbys.

    + version: PostgreSQL's major version
    """
    check = f"{drop_in_path(f'postgresql@{version}-main').rpartition('/')[0]}/mailstack-fence.conf"
    peers = [node.reachable_at for node in site.topology.database_peers(site.settings)]
    if not peers:
        return [File(path, None, activation=None) for path in (_SCRIPT, UNIT_FILE, check)]
    script = render(
        "postgresql/fence-database",
        version=version,
        port=site.settings.db_port,
        peers=peers,
        replica=ROLE,
        authority=AUTHORITY,
        password_file=PASSWORD_FILE,
    )
    text = f"# {WRITTEN}\n[Service]\nExecStartPre={_SCRIPT} check\n"
    return [
        *systemd.script_service(site.settings, _NAME, _SCRIPT, script, "postgresql/fence.service"),
        File(check, text, activation=None),
    ]


WRITTEN = "Written by mailstack; changes made here are undone by the next run."
