"""A service beside Postfix that detects when the database is back, and makes the daemons ask it again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mailstack.components import systemd
from mailstack.engines import engine_of
from mailstack.files import Entry, File
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.endpoint import Endpoint
    from mailstack.settings import Settings

_NAME = "mailstack-recover"
_SCRIPT = "/usr/local/lib/mailstack/recover"


def unit(service: str) -> Unit:
    """Return the service; the unit file has the checksum of the script.

    + service: the unit whose processes are Postfix
    """
    return Unit(_NAME, unit_file=systemd.unit_file(f"{_NAME}.service"), wanted_by=service)


def files(settings: Settings, endpoints: Sequence[Endpoint], service: str) -> list[Entry]:
    """Return the script and its unit file.

    + endpoints: the addresses of the database
    + service: the unit whose processes are Postfix
    """
    script = render("postfix/recover", driver=settings.db_driver, service=service)
    return [
        *systemd.new_auth(),
        File(_SCRIPT, script, mode=0o755, activation=None),
        *systemd.unit_files(
            f"{_NAME}.service",
            render(
                "postfix/recover.service",
                service=service,
                environment=engine_of(settings).postfix_environment(endpoints),
                script=_SCRIPT,
                hardened=settings.mail_hardening,
                checksum=hashlib.sha256(script.encode()).hexdigest(),
            ),
        ),
    ]
