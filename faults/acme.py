"""The CA of the host's certificates, Pebble in a container of its own, is away or gives no answer."""

from __future__ import annotations

import ssl

from faults.hosts import authority
from faults.row import Case, Row
from tests.support import ca, clients, dns
from tests.support.certificates import Authority
from tests.support.trust import Protected

PART = "The CA is away"
_PROGRAM = "/usr/local/lib/mailstack/certificates"
_CERTIFICATE = "/etc/ssl/mailstack/cert.pem"
#: Seconds that a certificate is valid that must be renewed soon: with a third of them to go.
_SHORT = 30


def prepare(protected: Protected) -> None:
    """Make a CA that the server trusts and finds; as yet it is away."""
    host = protected.server
    there = ca.server(authority(host).name, host.network, keep=True)
    there.exec("systemctl stop pebble", check=False)
    ca.introduce(host, there)
    protected.serve("example.org", "example.com", more=dns.host(ca.NAME, there.ip))


def ask(case: Case) -> str:
    """Ask for certificates that are due; return what the host says of them."""
    return case.host.exec(f"{_PROGRAM} now 2>&1", check=False, timeout=300).stdout


def away(case: Case) -> None:
    """Ask a CA for the first certificate that refuses connections."""
    said = ask(case)
    assert f"'{ca.DIRECTORY}' gives no answer" in said, said


def back(case: Case) -> None:
    """Start the CA."""
    ca.start(authority(case.host), case.protected.dns)


def frozen(case: Case) -> None:
    """Ask a CA for the next certificate that takes connections, and says nothing."""
    there = authority(case.host)
    ca.start(there, case.protected.dns, _SHORT)
    case.host.exec(f"{_PROGRAM} roll", timeout=300)
    back(case)
    there.exec("systemctl kill -s STOP pebble")
    goes_on = f"openssl x509 -noout -checkend {_SHORT // 3} -in {_CERTIFICATE}"
    clients.eventually(lambda: case.host.exec(goes_on, check=False).returncode, "it is not due", 60)
    case.host.exec("systemctl start --no-block mailstack-certificates")


def thawed(case: Case) -> None:
    """Let the CA answer."""
    authority(case.host).exec("systemctl kill -s CONT pebble")


def certified(case: Case) -> None:
    """Assert that clients see a certificate of the CA that is good for a while."""
    said = ask(case)
    shown = case.host.exec(f"openssl x509 -noout -issuer -checkend 86400 -in {_CERTIFICATE}", check=False)
    assert "Pebble" in shown.stdout and not shown.returncode, said
    wanted = Authority.first(case.host.read(_CERTIFICATE).decode()).split()
    clients.eventually(
        lambda: ssl.get_server_certificate((case.host.ip, 993), timeout=20).split() == wanted,
        "Dovecot shows another certificate",
        60,
    )


ROWS = (
    Row(
        "ca-away",
        "The CA is away for 10 s, as the host asks it for its first certificate",
        do=away,
        seconds=10,
        undo=back,
        after=certified,
    ),
    Row(
        "ca-frozen",
        "The CA gives no answer for 15 s (SIGSTOP), as a certificate is to be renewed",
        do=frozen,
        seconds=15,
        undo=thawed,
        after=certified,
    ),
)
