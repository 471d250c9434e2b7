"""The files of the component ``acme``. Where no setting asks for it, ``tls`` removes them."""

from __future__ import annotations

from mailstack.components.systemd import unit_file

NAME = "mailstack-certificates"
UNITS = (f"{NAME}.timer", f"{NAME}.service")
PROGRAM = "/usr/local/lib/mailstack/on_host"
SCRIPT = "/usr/local/lib/mailstack/certificates"
CONFIGURATION = "/etc/mailstack/certificates.json"
TABLE = "/etc/mailstack/certificates-domains.cf"
CREDENTIALS = "/etc/mailstack/certificates-dns.ini"
ALL = (SCRIPT, CONFIGURATION, TABLE, CREDENTIALS, *map(unit_file, UNITS))
"""All without which it does nothing, or with a secret."""
