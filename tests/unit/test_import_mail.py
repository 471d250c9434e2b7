"""Where imported mail comes from: sources, logins, names of folders."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.accounts.mail_source import Login, Source, expanded, logins_in
from mailstack.on_host.import_mail import files, imap
from mailstack.on_host.import_mail.plan import quoted


@pytest.mark.parametrize(
    "text, values",
    [
        ("imaps://old.example.net", {"host": "old.example.net", "port": 993, "tls": "imaps"}),
        ("imaps://old.example.net:1993", {"host": "old.example.net", "port": 1993, "tls": "imaps"}),
        ("imap://[2001:db8::1]", {"host": "2001:db8::1", "port": 143, "tls": "starttls"}),
        ("maildir:/srv/%d/%n", {"path": "/srv/example.org/alice"}),
        ("mbox:/var/mail/%n", {"path": "/var/mail/alice"}),
    ],
)
def test_sources(text: str, values: dict[str, object]) -> None:
    kind = "imap" if text.startswith("imap") else text.partition(":")[0]
    assert Source.parse(text).of("alice@example.org") == {"kind": kind, **values}


@pytest.mark.parametrize(
    "text",
    [
        "old.example.net",
        "pop3://old.example.net",
        "imaps://",
        "imaps://old.example.net/INBOX",
        "imaps://old.example.net:port",
        "maildir:relative",
        "mbox:",
        "maildir:/srv/a\nb",
        "",
    ],
)
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(OperationValueError, match=r"source = .*allowed: imaps://HOST"):
        Source.parse(text)


def test_a_password_in_a_source_is_not_repeated() -> None:
    with pytest.raises(OperationValueError, match="no login in it") as caught:
        Source.parse("imaps://alice:secret@old.example.net")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text, result",
    [
        ("%u", "a.b@example.org"),
        ("%n*master", "a.b*master"),
        ("/%d/%n/100%%", "/example.org/a.b/100%"),
        ("none", "none"),
    ],
)
def test_variables(text: str, result: str) -> None:
    assert expanded(text, "a.b@example.org") == result


@pytest.mark.parametrize("text", ["%x", "100%", "%{user}"])
def test_unknown_variables(text: str) -> None:
    with pytest.raises(OperationValueError, match="allowed: %u, %n, %d and %%"):
        expanded(text, "a@example.org")


def test_a_list_of_logins(tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    file.write_text('\ufeffAlice@example.org,alice,"a ""b"", c"\n\nbob@example.org,bob,x\n')
    assert logins_in(str(file)) == {
        "alice@example.org": Login("alice", 'a "b", c'),
        "bob@example.org": Login("bob", "x"),
    }


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a@example.org,secret\n", "row 1: needs three fields"),
        ("a@example.org,a,\n", "row 1: needs three fields"),
        ('a@example.org,a,"sec\nret"\n', "row 1: needs three fields"),
        ("secret,a,secret\n", "row 1: its first field is no address"),
        ("a@example.org,a,secret\nA@example.org,b,secret\n", "row 2: a@example.org has another row"),
        ("", "it is empty"),
        ('a@example.org,a,"secret\n', "not a CSV file in UTF-8"),
        ("a@example.org,a,secret\xe9\n", "not a CSV file in UTF-8"),
    ],
)
def test_a_wrong_list_is_named_without_passwords(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "old.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(OperationValueError, match=problem) as caught:
        logins_in(str(file))
    assert "secret" not in str(caught.value)


def test_a_list_that_is_not_there() -> None:
    with pytest.raises(OperationValueError, match="logins = '/no/such': No such file"):
        logins_in("/no/such")


@pytest.mark.parametrize(
    "value, generation, result",
    [
        ('a"b\\c', "2.3", '"a\\"b\\\\c"'),
        ("%{user}%", "2.3", '"%{user}%"'),
        ("%{user}%", "2.4", '"%%{user}%"'),
    ],
)
def test_values_of_dovecot_s_configuration(value: str, generation: str, result: str) -> None:
    assert quoted(value, generation) == result


@pytest.mark.parametrize(
    "name, result", [("Grüße", "Gr&APwA3w-e"), ("a&b", "a&-b"), ("日本", "&ZeVnLA-"), ("plain", "plain")]
)
def test_names_of_folders(name: str, result: str) -> None:
    assert files.encoded(name) == result


@pytest.mark.parametrize(
    "answer, prefix",
    [
        (b'(("INBOX." ".")) NIL (("#shared." "."))', "INBOX"),
        (b'(("" "/")) NIL NIL', ""),
        (b"NIL NIL NIL", ""),
    ],
)
def test_what_names_begin_with(answer: bytes, prefix: str) -> None:
    session = Mock(capabilities=("IMAP4REV1", "NAMESPACE"), namespace=lambda: ("OK", [answer]))
    assert imap.namespace(session) == prefix


def test_folders_and_their_numbers() -> None:
    listed = [
        b'(\\HasNoChildren) "/" INBOX',
        b'(\\Noselect \\HasChildren) "/" "[Gmail]"',
        (b'(\\HasNoChildren) "/" {4}', b'a"bc'),
        b'(\\HasNoChildren) NIL "flat"',
        b"",
    ]
    session = Mock(
        list=lambda: ("OK", listed), status=lambda name, _: ("OK", [b"x (MESSAGES %d)" % len(name)])
    )
    assert imap.folders(session) == {"INBOX": 5, 'a\\"bc': 7, "flat": 6}


def test_files_in_mbox_format(tmp_path: Path) -> None:
    for name in ("Inbox", "Sent.mbox", "a.b", "work.sbd/Blue", "work", "Grüße"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("From a@example.org Sat Feb  1 10:11:12 2020\n\nx\n")
    (tmp_path / "Inbox.msf").write_text("no mail")
    (tmp_path / ".hidden").write_text("From a")
    assert sorted(folder for folder, _ in files.mbox_files(tmp_path)) == [
        "",
        ".Gr&APwA3w-e",
        ".Sent",
        ".a_b",
        ".work",
        ".work.Blue",
    ]
    assert [*files.mbox_files(tmp_path / "work")] == [("", tmp_path / "work")]
