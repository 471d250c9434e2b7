"""Where imported mail comes from: sources, logins, names of folders."""

from __future__ import annotations

import io
from pathlib import Path
from unittest.mock import Mock

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.accounts.mail_source import Login, Source, expanded, logins_in
from mailstack.on_host.import_mail import __main__ as program
from mailstack.on_host.import_mail import files, imap
from mailstack.on_host.import_mail.mbox import messages
from mailstack.on_host.import_mail.plan import Plan, Problem, quoted

BEGIN = "From a@example.org Sat Feb  1 10:11:12 2020"


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


@pytest.mark.parametrize("generation, user", [("2.3", '"a%%example.org"'), ("2.4", '"a%example.org"')])
def test_a_login_may_have_a_percent_sign(generation: str, user: str) -> None:
    """As those of Courier and cPanel; 2.3 said: Unknown variable '%e'."""
    login = {"login": "a%example.org", "password": "100%u", "verify": True}
    source = {"host": "old.example.net", "port": 993, "tls": "imaps", **login}
    about = {"email": "a@example.org", "home": "/", "generation": generation, "which": "", "exclude": []}
    found = imap.settings(Plan({**about, "source": source}), "")
    assert (found["imapc_user"], found["imapc_password"]) == (user, '"100%u"')


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
        path.write_text(f"{BEGIN}\n\nx\n")
    (tmp_path / "Inbox.msf").write_text("no mail")
    (tmp_path / ".hidden").write_text(f"{BEGIN}\n")
    (tmp_path / "letter").write_text("From here on, no mail\n")
    (tmp_path / "linked").symlink_to(tmp_path / "Inbox")
    assert sorted(folder for folder, _ in files.mbox_files(tmp_path)) == [
        "",
        ".Gr&APwA3w-e",
        ".Sent",
        ".a_b",
        ".work",
        ".work.Blue",
    ]
    assert [*files.mbox_files(tmp_path / "work")] == [("", tmp_path / "work")]


def found_in(text: str) -> list[tuple[str, str, int]]:
    """Return the subject, the name's part that stays, and the date, of the messages in a file."""
    found = messages(io.BytesIO(text.encode("latin-1")))
    return [
        (content.decode("latin-1").split("\n")[0], name.split(":")[0], date) for name, content, date in found
    ]


@pytest.mark.parametrize(
    "begin, date",
    [
        (BEGIN, 1580551872),
        ("From 17@xxx Sat Feb 01 10:11:12 +0000 2020", 1580551872),
        ("From - Sat Feb  1 10:11:12 2020", 1580551872),
        ("From \xe9@example.org  Sat Feb  1 11:11:12 2020 +0100", 1580551872),
        ("From a@example.org Sat Feb  1 10:11 2020", 1580551860),
        ("From a@example.org Sat Feb  1 10:11:12 UTC 2020", 1580551872),
        ("From a@example.org Sat Feb 31 99:99:99 2020", 0),
    ],
)
def test_lines_that_begin_a_message(begin: str, date: int) -> None:
    ((subject, _, found),) = found_in(f"{begin}\nSubject: a\n\nbody\n")
    assert subject == "Subject: a"
    assert found == date or not date


def test_text_that_begins_as_a_message_does() -> None:
    text = f"{BEGIN}\nSubject: a\n\nFrom here\n{BEGIN}\nx\n\n{BEGIN}\nSubject: b\n\ny\n"
    assert [subject for subject, _, _ in found_in(text)] == ["Subject: a", "Subject: b"]
    (_, first, _), _ = messages(io.BytesIO(text.encode()))
    assert first == f"Subject: a\n\nFrom here\n{BEGIN}\nx\n".encode()


def test_a_length_that_fits() -> None:
    body = f"x\n\n{BEGIN}\ny\n"
    text = f"{BEGIN}\nSubject: a\nContent-Length: {len(body)}\n\n{body}\n{BEGIN}\nSubject: b\n\nz\n"
    (_, first, _), (_, second, _) = messages(io.BytesIO(text.encode()))
    assert first.endswith(body.encode()) and second.startswith(b"Subject: b")
    wrong = text.replace(f"Length: {len(body)}", "Length: 7")
    assert len(found_in(wrong)) == 3
    cut = text.replace(f"Length: {len(body)}", "Length: 9999")
    assert len(found_in(cut)) == 3


def test_a_date_that_a_maildir_can_not_have() -> None:
    assert found_in(f"{BEGIN.replace('2020', '1960')}\nSubject: a\n\nbody\n")[0][2] == 0


def test_what_was_read_or_deleted_keeps_the_names_of_others() -> None:
    one, two = (f"{BEGIN}\nSubject: {name}\n{{}}\n\nbody\n\n" for name in "ab")
    before = found_in(one.format("Status: O") + two.format("Status: O") * 2)
    after = found_in(two.format("Status: RO\nX-Keywords: x") * 2)
    assert before[1:] == after
    assert len({name for _, name, _ in before}) == 3, "equal messages are two"


def test_flags_and_odd_bytes() -> None:
    header = "Status: RO\xe9\nX-Status: AFTDx"
    ((name, content, _),) = messages(io.BytesIO(f"{BEGIN}\n{header}\r\n\r\nb\xff\r\n".encode("latin-1")))
    assert name.endswith(":2,DFRST")
    assert content == f"{header}\n\nb\xff\n".encode("latin-1")


def test_data_of_uw_imap_are_no_message() -> None:
    data = f"{BEGIN}\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nx\n\n"
    assert [subject for subject, _, _ in found_in(data + f"{BEGIN}\nSubject: a\n\nb\n")] == ["Subject: a"]


def test_only_regular_files_are_copied(tmp_path: Path) -> None:
    old, plan = tmp_path / "old", Mock()
    files.new_folder(old)
    (old / "cur" / "1:2,S").write_text("mail")
    (old / "cur" / "2:2,S").symlink_to("/etc/passwd")
    (old / ".Linked").symlink_to("/etc")
    files.copy_maildir(plan, old, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").rglob("*:2,*")] == ["1:2,S"]
    plan.say.assert_called_once_with(f"{old}/cur/2:2,S is left out: it is no regular file")


def test_folders_that_dovecot_would_pass_over(tmp_path: Path) -> None:
    old, plan = tmp_path / "old", Mock()
    for name in ("", ".~a", ".b.~c"):
        files.new_folder(old / name)
    (old / ".~a/cur/1:2,S").write_text("mail")
    files.copy_maildir(plan, old, tmp_path / "new")
    assert [path.parts[-3] for path in (tmp_path / "new").rglob("*:2,*")] == ["._a"]
    assert (tmp_path / "new/.b.~c/cur").is_dir()
    (tmp_path / "~d").write_text(f"{BEGIN}\nSubject: a\n\nbody\n")
    files.copy_mbox(plan, tmp_path / "~d", tmp_path / "one")
    (tmp_path / "mbox").mkdir()
    (tmp_path / "~d").rename(tmp_path / "mbox/~d")
    files.copy_mbox(plan, tmp_path / "mbox", tmp_path / "many")
    assert [path.parts[-3] for path in (tmp_path / "many").rglob("*:2,*")] == ["._d"]


def test_a_name_that_is_too_long_is_that_of_the_source(tmp_path: Path) -> None:
    place = tmp_path / "mbox" / ("\u0416" * 100)
    place.parent.mkdir()
    place.write_text(f"{BEGIN}\nSubject: a\n\nbody\n")
    with pytest.raises(Problem, match=f"^{place}: the name of its folder has 270 letters .* allowed: 255"):
        files.copy_mbox(Mock(), place.parent, tmp_path / "new")


@pytest.mark.parametrize("here, exclude, said", [(16, [], True), (17, [], False), (16, ["Sent"], False)])
def test_messages_that_did_not_come_are_named(
    monkeypatch: pytest.MonkeyPatch, here: int, exclude: list[str], said: bool
) -> None:
    plan = Mock(source={"kind": "mbox"}, exclude=exclude)
    counts = iter(({}, {"INBOX": here}))
    monkeypatch.setattr(program, "configure", lambda _: None)
    monkeypatch.setattr(program, "counted", lambda _: next(counts))
    monkeypatch.setattr(program, "stage", lambda _: (["maildir:/copy"], 17))
    monkeypatch.setattr(program, "synchronise", lambda *_: None)
    program.bring(plan)
    lines = [str(call.args[0]) for call in plan.say.call_args_list]
    assert any("not all is here: 17 messages in the source, 16 here" in line for line in lines) is said
