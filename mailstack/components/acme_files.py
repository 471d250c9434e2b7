"""The files of the component ``acme``. Where no setting asks for it, ``tls`` removes them."""

from __future__ import annotations

from mailstack.components.systemd import unit_file
from mailstack.facts.acme import SETTINGS

NAME = "mailstack-certificates"
UNITS = (f"{NAME}.timer", f"{NAME}.service")
PROGRAM = "/usr/local/lib/mailstack/on_host"
SCRIPT = "/usr/local/lib/mailstack/certificates"
TABLE = "/etc/mailstack/certificates-domains.cf"
CONFIGURATION, CREDENTIALS = SETTINGS
ALL = (SCRIPT, CONFIGURATION, TABLE, CREDENTIALS, *map(unit_file, UNITS))
"""All without which it does nothing, or with a secret."""
