"""Login names as users type them: a Unicode domain, a capital letter, a space at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import clients, sample_accounts
from tests.support.logins import PASSWORD, all_at_once, hashed, users
from tests.support.sample_accounts import ALICE
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines_everywhere

#: Domains in their own letters; two are from RFC 3492, 7.1.
DOMAINS = (
    "bücher.example",
    "例え.example",
    "почта.пример.example",
    "a.grün-x.example",
    "ελληνικά.example",
    "他们为什么不说中文.example",
    "почемужеонинеговорятпорусски.example",
    "ไทย.example",
    "한국.example",
    "l·l.example",
)
#: What looks like A-labels and is none stays as it is.
NONE = ("xn--0.example", "xn--99999999.example", "xn--.example", "example.org", "xn--bcher-kv.example")


def ascii_name(name: str) -> str:
    """Return a domain as it is in the DNS."""
    return name.encode("idna").decode()


@pytest.fixture(scope="module")
def addresses() -> dict[str, str]:
    """Return addresses as people write them, and as they are stored."""
    return {f"anna@{name}": f"anna@{ascii_name(name)}" for name in DOMAINS}


@pytest.fixture
def accounts(server: Target, addresses: dict[str, str]) -> Iterator[None]:
    """Yield users with these addresses, and with one that is no name."""
    names = [*map(ascii_name, DOMAINS), NONE[0]]
    listed = ", ".join(f"('{name}')" for name in names)
    clients.sql(server, f"INSERT INTO mail_domain (domain_name) VALUES {listed}")
    (stored,) = hashed(server, "SSHA512")  # which takes no time
    with users(server, dict.fromkeys((*addresses.values(), f"anna@{NONE[0]}"), stored)):
        yield
    clients.sql(server, f"DELETE FROM mail_domain WHERE domain_name IN ({listed})")


def test_names_are_decoded_as_idna_does_it(server: Target) -> None:
    labels = sorted({label for name in DOMAINS for label in ascii_name(name).split(".")})
    labels += [name.partition(".")[0] for name in NONE]
    query = " UNION ALL ".join(
        f"SELECT {number} AS n, mailstack_unicode_label('{label}') AS label"
        for number, label in enumerate(labels)
    )
    found = clients.sql(
        server, f"SET NAMES 'utf8'; SELECT label FROM ({query}) AS labels ORDER BY n"
    ).splitlines()
    own = {ascii_name(label): label for name in DOMAINS for label in name.split(".")}
    assert dict(zip(labels, found, strict=True)) == {label: own.get(label, label) for label in labels}


def test_a_domain_in_its_own_letters(server: Target, accounts: None, addresses: dict[str, str]) -> None:
    all_at_once(
        server,
        {("imap", written, PASSWORD): True for written in addresses}
        | {("smtp", written, PASSWORD): True for written in addresses}
        | {("imap", stored, PASSWORD): True for stored in addresses.values()}
        | {("imap", f"Anna@bücher.example{space}", PASSWORD): True for space in ("", " ")}
        | {("imap", "anna@bücher.example", PASSWORD + "x"): False}
        | {("imap", f"{name}@bücher.example", PASSWORD): False for name in ("otto", "ännä", "")}
        | {("imap", "anna@buecher.example", PASSWORD): False, ("smtp", "bücher.example", PASSWORD): False},
    )
    with clients.smtp(server, 587) as session:
        clients.login(session, "anna@bücher.example", PASSWORD)
        assert session.mail("anna@xn--bcher-kva.example")[0] == 250
        assert session.rcpt(ALICE)[0] == 250, "it is her own address"
    recorded = "SELECT count(*) FROM mail_last_login WHERE email = 'anna@xn--bcher-kva.example'"
    assert clients.sql(server, recorded) == "2", "IMAP and SMTP"


@pytest.mark.parametrize("name", [ALICE + " ", ALICE + "  ", ALICE.upper() + " "])
def test_a_space_behind(server: Target, name: str) -> None:
    password = sample_accounts.PASSWORDS[ALICE]
    attempts = {(service, name, password): True for service in ("imap", "smtp", "sieve")}
    all_at_once(server, attempts | {("imap", name, password + " "): False})
    assert clients.sql(server, "SELECT count(*) FROM mail_users WHERE email LIKE '% %'") == "0"
