"""Fewer rights for services whose packages give them all: drop-ins for systemd, see systemd.exec(5).

What a service still may do is in its template, with the reasons. Redis, postfix-mta-sts-resolver and the
Postfix of Debian 13 have such rules of their package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.files import File
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.files import Entry
    from mailstack.settings import Settings


def drop_in(
    settings: Settings, template: str, unit: str | None = None, *, wanted: bool = True
) -> list[Entry]:
    """Return the file that takes rights from a service; without ``mail_hardening``, its absence.

    + template: the name of the template in ``templates/hardening/``
    + unit: the service with the processes, if it has another name
    + wanted: whether this host has that service
    """
    path = f"/etc/systemd/system/{unit or template}.service.d/mailstack-hardening.conf"
    text = render(f"hardening/{template}.conf") if settings.mail_hardening and wanted else None
    return [File(path, text, activation="restart" if wanted else None)]
