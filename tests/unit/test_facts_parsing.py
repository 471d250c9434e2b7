"""What hosts answer, and what is made of it."""

from __future__ import annotations

import base64
import hashlib

from mailstack.facts.certificates import serves
from mailstack.facts.files import Found, file_states, file_texts, index_sums
from mailstack.facts.packages import installed_packages
from mailstack.facts.units import unit_states

SUM = hashlib.sha256(b"").hexdigest()


def test_files_directories_and_links() -> None:
    output = (
        "regular file|640|root|postfix|/etc/a b\n"
        "regular empty file|4755|root|root|/etc/e|f\n"
        "directory|750|vmail|UNKNOWN|/var/vmail\n"
        "symbolic link|777|root|root|/etc/l\n"
        f"\n{SUM}  /etc/a b\n{SUM}  /etc/e|f\n"
    )
    assert file_states([]).parse(output) == {
        "/etc/a b": Found("regular file", 0o640, "root", "postfix", SUM),
        "/etc/e|f": Found("regular file", 0o4755, "root", "root", SUM),
        "/var/vmail": Found("directory", 0o750, "vmail", "UNKNOWN"),
        "/etc/l": Found("symbolic link", 0o777, "root", "root"),
    }


def test_no_files_at_all() -> None:
    assert file_states(["/etc/a"]).parse("\n") == {}


def test_texts_may_have_any_bytes() -> None:
    content = base64.b64encode("ü\tx\n".encode() + b"\xff").decode()
    assert file_texts([]).parse(f"/etc/a\t{content}\n/etc/empty\t\n") == {
        "/etc/a": "ü\tx\n\udcff",
        "/etc/empty": "",
    }


def test_sums_of_indexes() -> None:
    assert index_sums("postfix").parse(f"{SUM}  /etc/a.db\n") == {"/etc/a.db": SUM}
    assert index_sums("postfix").parse("") == {}


def test_a_package_is_installed_wholly_or_not() -> None:
    output = "postfix installed\ndovecot-core unpacked\ndovecot-imapd config-files\n"
    assert installed_packages([]).parse(output) == {"postfix"}


def test_units_and_marks() -> None:
    output = (
        "postfix.reload\npostgresql.restart\n=\n"
        "Id=postfix.service\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=postfix@-.service\nActiveState=reloading\nUnitFileState=indirect\n\n"
        "Id=dovecot.service\nActiveState=inactive\nUnitFileState=masked\n=\n"
        "1234 99 /usr/lib/postfix/sbin/master\n=\n"
        "0019\n024B\n/var/run/postgresql/.s.PGSQL.5432\nprivate/smtp\n"
    )
    states = unit_states([("postfix", None), ("postfix@-", "/usr/lib/postfix/sbin/master")]).parse(output)
    assert set(states.properties) == {"postfix", "postfix@-"}, "another service was asked for along with it"
    assert states.marks == {"postfix.reload", "postgresql.restart"}
    assert states.is_active("postfix") and states.is_enabled("postfix")
    assert states.is_active("postfix@-") and not states.is_enabled("postfix@-")
    assert states.times == {"/usr/lib/postfix/sbin/master": (1234, 99)}
    assert states.listeners == {"25", "587", "/run/postgresql/.s.PGSQL.5432"}


def test_no_marks() -> None:
    assert unit_states([]).parse("=\nId=postfix.service\nActiveState=active\n=\n=\n").marks == frozenset()


def test_a_certificate_serves_or_not() -> None:
    key, other = (f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n" for text in "ab")
    matches, end = "Hostname mail.example.org does match certificate\n", "notAfter=Nov 19 22:10:00 2099 GMT\n"
    parse = serves("mail.example.org", "/c", "/k").parse
    # the order of what is said is that of openssl 3.0 or of 3.5
    assert parse(f"\f/c\n{end}{key}{matches}{key}")
    assert parse(f"\f/b\n\f/c\n{end}{matches}{key}{key}\f/d\n{other}")
    assert not parse("")
    assert not parse(f"\f/c\n{end}{key}{matches}")
    assert not parse(f"\f/c\n{end}{matches}{key}{other}")
    assert not parse(f"\f/c\n{end}{matches.replace('does', 'does NOT')}{key}{key}")
    assert not parse(f"\f/c\n{end.replace('2099', '2001')}{matches}{key}{key}")
    assert not parse(f"\f/c\n\f/d\n{end}{matches}{key}{key}")
