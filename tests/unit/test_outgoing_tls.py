"""TLS to other servers: what Postfix is told, which table decides, and when DANE wins over MTA-STS."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mailstack import Settings
from mailstack.components.mta_sts import MTA_STS
from mailstack.components.postfix import POSTFIX
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from mailstack.templates import render
from tests.support.sites import files, site

MX, TLSA = 15, 52
DANE = "socketmap:inet:127.0.0.1:8462:postfix"
POLICIES = "socketmap:inet:127.0.0.1:8461:postfix"


def settings(**more: Any) -> Settings:
    return Settings.from_data({"mail_hostname": "mail.example.org", **more})


def text(path: str, **more: Any) -> str | None:
    """Return a file of Postfix with these settings."""
    (file,) = [entry for entry in files(POSTFIX, settings(**more), RELEASES[1]) if entry.path == path]
    assert isinstance(file, File)
    return file.content


def main_cf(**more: Any) -> str:
    return text("/etc/postfix/main.cf", **more) or ""


def tables(**more: Any) -> list[str]:
    """Return the value of smtp_tls_policy_maps."""
    found = re.search(r"^smtp_tls_policy_maps =((?:\s+\S+:\S+)+)$", main_cf(**more), re.MULTILINE)
    assert found
    return found[1].split()


def test_dane_where_answers_are_proven() -> None:
    assert "\nsmtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n" in main_cf()


@pytest.mark.parametrize("more", [{"mail_resolver": False}, {"mail_relayhost": "[smtp.example.com]:587"}])
def test_without_a_resolver_and_for_a_relay_host_nothing_changes(more: dict[str, Any]) -> None:
    assert "\nsmtp_tls_security_level = may\nsmtp_tls_policy_maps = hash:" in main_cf(**more)
    assert "dnssec" not in main_cf(**more)
    assert tables(**more) == ["hash:/etc/postfix/tls_policy"]
    assert not MTA_STS.is_wanted(site(settings(**more)))


def test_a_policy_with_dane_asks_for_proofs_too() -> None:
    given = {"mail_resolver": False, "mail_smtp_tls_policy": {"example.net": "dane-only"}}
    assert "\nsmtp_dns_support_level = dnssec\n" in main_cf(**given)


def test_the_administrator_then_dane_then_the_policies_of_domains() -> None:
    assert tables() == ["hash:/etc/postfix/tls_policy", DANE, POLICIES]
    assert tables(mail_smtp_mta_sts=False) == ["hash:/etc/postfix/tls_policy"]


def test_the_administrator_is_first_below_a_domain_too() -> None:
    """Postfix looks for `.example.net` only after all tables were asked for the domain itself."""
    given = {".example.net": "may", ".a.example.net": "encrypt", "example.net": "secure"}
    assert tables(mail_smtp_tls_policy=given)[1] == "regexp:$config_directory/tls_policy_parents"
    path = "/etc/postfix/tls_policy_parents"
    rows = [line for line in (text(path, mail_smtp_tls_policy=given) or "").splitlines() if line[0] == "/"]
    patterns = [(re.compile(row.split()[0].strip("/")), row.split()[1]) for row in rows]

    def policy(domain: str) -> str | None:
        return next((level for pattern, level in patterns if pattern.search(domain)), None)

    assert policy("b.example.net") == "may"
    assert policy("b.a.example.net") == "encrypt"
    assert [policy(name) for name in ("example.net", "xexample.net", ".example.net", "b.example.org")] == [
        None
    ] * 4
    assert text(path) is None


def test_detours_and_relay_hosts_of_senders_ask_no_domain() -> None:
    relays = {"@example.org": {"host": "[smtp.example.com]:587", "user": "a", "password": "b"}}
    master = text("/etc/postfix/master.cf", mail_sender_relayhosts=relays) or ""
    relay = master.partition("\nsender-relay ")[2].partition("\n\n")[0]
    assert "smtp_tls_policy_maps=hash:/etc/postfix/tls_policy\n" in relay + "\n"
    assert "-o smtp_tls_policy_maps=\n" in master.partition("\nsrs ")[2]


@pytest.mark.parametrize(
    ("given", "address"),
    [({}, "postmaster@a.example"), ({"mail_tls_reports_to": "tls&co@example.org"}, "tls%26co@example.org")],
)
def test_reports_are_asked_for(given: dict[str, Any], address: str) -> None:
    records = POSTFIX.records(site(settings(**given)), "a.example")
    (record,) = [each for each in records if each.name == "_smtp._tls.a.example"]
    assert record.data == f'"v=TLSRPTv1; rua=mailto:{address}"'


# ----- what answers before the daemon of MTA-STS

Zone = dict[tuple[str, int], tuple[int, bool, list[bytes]]]


def packed(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def mx(*names: str) -> list[bytes]:
    return [b"\0\x0a" + packed(name) for name in names]


def answerer(zone: Zone) -> SimpleNamespace:
    """Return the functions of the service, which ask this zone: code, AD, and records."""
    found: dict[str, Any] = {"__name__": "dane_first"}
    exec(render("mta_sts/dane-first", port=8462, resolver="127.0.0.1"), found)

    def exchange(message: bytes) -> bytes:
        name, end = found["name_at"](message, 12)
        (kind,) = struct.unpack_from("!H", message, end)
        code, proven, records = zone.get((name, kind), (3, True, []))
        head = struct.pack("!2s5H", message[:2], 0x8180 | proven << 5 | code, 1, len(records), 0, 0)
        rows = (struct.pack("!3HIH", 0xC00C, kind, 1, 60, len(data)) + data for data in records)
        return head + message[12 : end + 4] + b"".join(rows)

    found["exchange"] = exchange
    return SimpleNamespace(**found)


SIGNED: Zone = {("a.example", MX): (0, True, mx("mx1.a.example", "mx2.a.example"))}
TLSA_OF_SECOND: Zone = {("_25._tcp.mx2.a.example", TLSA): (0, True, [b"\3\1\1" + bytes(32)])}


@pytest.mark.parametrize(
    ("zone", "wins"),
    [
        (SIGNED, False),
        (SIGNED | TLSA_OF_SECOND, True),
        # the names of its servers are not proven: MTA-STS protects them
        ({("a.example", MX): (0, False, mx("mx2.a.example"))} | TLSA_OF_SECOND, False),
        ({("_25._tcp.mx1.a.example", TLSA): (0, False, [b"\3\1\1"])} | SIGNED, False),
        # who makes an answer fail must not choose
        ({("a.example", MX): (2, False, [])}, True),
        ({("_25._tcp.mx1.a.example", TLSA): (2, False, [])} | SIGNED, True),
        # no MX record: the domain itself is the server (RFC 5321, 5.1)
        ({("a.example", MX): (0, True, [])}, False),
        ({("a.example", MX): (0, True, []), ("_25._tcp.a.example", TLSA): (0, True, [b"\3\1\1"])}, True),
        ({("a.example", MX): (0, True, mx(""))}, False),
    ],
)
def test_dane_wins_where_it_is_proven(zone: Zone, wins: bool) -> None:
    assert answerer(zone).is_protected("a.example") is wins


def talk(zone: Zone, said: bytes) -> bytes:
    """Return what the service answers to these bytes."""
    session = answerer(zone).Session
    made = session.__new__(session)
    made.rfile, made.wfile = io.BytesIO(said), io.BytesIO()
    made.handle()
    written: bytes = made.wfile.getvalue()
    return written


def netstring(words: str) -> bytes:
    return b"%d:%s," % (len(words), words.encode())


@pytest.mark.parametrize(
    "next_hop", ["[a.example]", "[a.example]:587", "a.example:26", ".a.example", "", "a..b", "ä"]
)
def test_it_has_no_word_on_next_hops_that_an_administrator_names(next_hop: str) -> None:
    zone: Zone = {("a.example", MX): (2, False, [])}
    assert talk(zone, netstring(f"postfix {next_hop}")) == netstring("NOTFOUND ")


def test_it_answers_one_question_after_the_other() -> None:
    said = netstring("postfix A.example.") + netstring("postfix b.example")
    assert talk(SIGNED | TLSA_OF_SECOND, said) == netstring("OK dane") + netstring("NOTFOUND ")


@pytest.mark.parametrize("junk", [b"x", b"99999999:", b"", b"5:abc"])
def test_it_hangs_up_on_junk(junk: bytes) -> None:
    assert talk({}, junk) in (b"", netstring("NOTFOUND "))


def test_answers_that_make_no_sense_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = b"\0\1\x81\xa0\0\1\0\1\0\0\0\0" + b"\xc0\x0c" * 9
    found: Callable[[str], bool]
    for answer in (b"", b"\0" * 11, loop, b"\xff" * 40):
        service = answerer({})
        service.ask.__globals__["exchange"] = lambda _, answer=answer: answer
        found = service.is_protected
        assert found("a.example") is True
