"""`make demo ACME=1`: the server of the demo gets a certificate from a CA beside it, and renews it once."""

from __future__ import annotations

import time
from typing import Any

from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.shell import TargetError, step

_PROGRAM = "/usr/local/lib/mailstack/certificates"
#: The containers beside that of the demo: the DNS, and the CA.
OTHERS = ("mailstack-demo-dns", "mailstack-demo-ca")
#: Seconds. The certificate is renewed when a third of this is left.
_VALIDITY = 60


def run(server: Target) -> None:
    """Deploy with `mail_acme`, and print the certificate before and after its renewal."""
    from tests.support import ca, dns  # they need the targets themselves

    network = networks.demo()
    names = dns.server(OTHERS[0], network, keep=True)
    authority = ca.server(OTHERS[1], network, keep=True)
    ca.start(authority, names, _VALIDITY)
    ca.introduce(server, authority)
    records = [*dns.host("mail.example.org", server.ip, server.ip6), *dns.host(ca.NAME, authority.ip)]
    dns.serve(names, records)
    with step("deploying with mail_acme"):
        server.pyinfra("-y", "deploy.py", data=_data(ca.DIRECTORY), timeout=900).check()
    # Docker's own DNS knows the server by its name, without the rest of the world
    server.exec(f"echo 'nameserver {names.ip}' > /etc/resolv.conf")
    said = server.exec(f"{_PROGRAM} now 2>&1", check=False, timeout=300).stdout
    first = _shown(server)
    if "Pebble" not in first:
        raise TargetError(f"no certificate of the CA: {said}")
    print(f"\nThe certificate of the CA:\n{first}")
    deadline = time.monotonic() + 10 * _VALIDITY
    while (second := _shown(server)) == first:
        if time.monotonic() > deadline:
            raise TargetError("the certificate was not renewed")
        time.sleep(5)
        server.exec("systemctl start mailstack-certificates", timeout=300)  # as the timer does
    print(f"and renewed, as its validity ended soon:\n{second}")


def _shown(server: Target) -> str:
    command = "openssl s_client -connect localhost:993 </dev/null 2>/dev/null | openssl x509 -noout"
    return server.exec(f"{command} -serial -issuer -dates -ext subjectAltName", check=False).stdout


def _data(directory: str) -> dict[str, Any]:
    return {
        "mail_hostname": "mail.example.org",
        "mail_rspamd": False,
        "mail_srs": False,
        "mail_resolver": False,
        "mail_fail2ban": False,
        "mail_backup_repository": "/srv/backup",
        "mail_acme": True,
        "mail_acme_email": "admin@example.net",
        "mail_acme_server": directory,
    }
