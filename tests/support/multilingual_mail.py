"""Messages in many scripts and with odd words, and searches for them, each of a kind.

`docs/mailboxes.md` lists by these kinds where the results of the index differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from typing import NamedTuple


class Script(NamedTuple):
    """Text in one script.

    + charset: a charset of its own, for one of the messages
    + word: a word of the text
    + part: some letters from within the text that begin no word
    + long: a run of letters in it without a space, over 30 octets where the script has such words
    """

    charset: str
    name: str
    text: str
    word: str
    part: str
    long: str


SCRIPTS = {
    "Latin": Script(
        "iso-8859-1",
        "Jörg Müller",
        "Die Übergabe am Hauptbahnhof regelt die Donaudampfschifffahrtsgesellschaft Süd.",
        "Übergabe",
        "bahnhof",
        "Donaudampfschifffahrtsgesellschaft",
    ),
    "Cyrillic": Script(
        "koi8-r",
        "Иван Петров",
        "Это проверка связи, достопримечательность города.",
        "проверка",
        "верка",
        "достопримечательность",
    ),
    "Greek": Script(
        "iso-8859-7",
        "Νίκος Παππάς",
        "Λοιπόν, καλημέρα από την ωτορινολαρυγγολογική κλινική.",
        "καλημέρα",
        "ημέρα",
        "ωτορινολαρυγγολογική",
    ),
    "Chinese": Script(
        "gb2312",
        "王小明",
        "今天我们在北京大学举行了一次非常重要的国际学术会议，欢迎参加。",
        "今天",
        "大学",
        "今天我们在北京大学举行了一次非常重要的国际学术会议",
    ),
    "Japanese": Script(
        "iso-2022-jp",
        "山田太郎",
        "これは日本語の文章を検索するための試験用の手紙です。",
        "これは",
        "日本語",
        "これは日本語の文章を検索するための試験用の手紙です",
    ),
    "Korean": Script(
        "euc-kr",
        "김철수",
        "안녕하세요 오늘 회의는 국제학술대회준비위원회사무실에서 열립니다.",
        "안녕하세요",
        "위원회",
        "국제학술대회준비위원회사무실에서",
    ),
    "Arabic": Script(
        "iso-8859-6",
        "محمد علي",
        "هذه رسالة باللغة العربية عن المستشفيات.",
        "رسالة",
        "سالة",
        "المستشفيات",
    ),
    "Hebrew": Script(
        "iso-8859-8", "דוד כהן", "זאת הודעה בעברית על האוניברסיטאות בארץ.", "הודעה", "דעה", "האוניברסיטאות"
    ),
    "Thai": Script(
        "tis-620",
        "สมชาย",
        "ขอเชิญประชุมคณะกรรมการบริหารมหาวิทยาลัยในวันจันทร์หน้า",
        "ขอเชิญ",
        "คณะกรรมการ",
        "ขอเชิญประชุมคณะกรรมการบริหารมหาวิทยาลัย",
    ),
    "Devanagari": Script(
        "utf-8",
        "राम शर्मा",
        "यह हिन्दी में लिखा हुआ अन्तरराष्ट्रीयकरण पत्र है।",
        "हिन्दी",
        "राष्ट्रीय",
        "अन्तरराष्ट्रीयकरण",
    ),
    "Georgian": Script(
        "utf-8",
        "გიორგი",
        "გამარჯობა, ეს არის საერთაშორისო კონფერენცია.",
        "გამარჯობა",
        "ჯობა",
        "საერთაშორისო",
    ),
}

UUID = "3f2b8c1e-9d47-4a60-b5e2-7c0d1f6a8e93"
URL = "https://www.example.net/path/page.html?id=4711&lang=de#top"
#: Looks like base64, which Dovecot 2.4 does not index: fifty or more of its characters.
KEY = "MIGfMA0GSqGSIb3DQEBAQUAA4GNADMIGJAoGBAL7uVwNxLZ5mQJ0TqRb4yPzHs6Nf"
#: The text of one message each, and the search for it.
MARKED = {
    "invoice": ("Invoice 2024-0815 is due.", "2024-0815"),
    "phone": ("Call +49-89-1234567 today.", "+49-89-1234567"),
    "equation": ("where c=d holds", "c=d"),
    "same letters": ("the c before a d", "the c"),
    "uuid": (f"Case {UUID}.", UUID),
    "url": (f"See {URL} for more.", URL),
    "euro": ("It costs 30 € or 5€.", "€"),
    "dots": ("version v1.2.3-rc4 of foo.bar", "v1.2.3-rc4"),
    "path": ("in /var/log/mail.log there", "/var/log/mail.log"),
    "file": ("open report_final(2).pdf now", "report_final(2).pdf"),
    "percent": ("a 100% success", "100%"),
    "address": ("write to jane.doe+shop@shop.example.net please", "jane.doe+shop@shop.example.net"),
    "apostrophe": ("It doesn't matter, O'Neil.", "doesn't"),
    "hash": ("written in C# and C++", "C++"),
    "quoted": ("she said (quite loudly) hello", "(quite loudly)"),
}


class Query(NamedTuple):
    """A search, as the client writes it after `SEARCH CHARSET UTF-8`, and its kind."""

    kind: str
    text: str


def messages() -> list[bytes]:
    """Return over 60 messages: six for each script, and some with odd words, equal at each call."""
    made = [mail for script in SCRIPTS.values() for mail in _in_script(script)]
    made += [_mail(subject, text) for subject, (text, _) in MARKED.items()]
    made += [_mail(f"number {number}", f"line {number}", f"Person {number}") for number in range(1, 13)]
    key, header = _mail("a key", f"ssh-rsa {KEY} jane"), _mail("a list", "text")
    header["X-Spam-Status"], header["List-Id"], header["X-Empty"] = (
        "No, score=-1.9",
        "<dev.lists.example>",
        "",
    )
    made += [key, header]
    for mail in made:
        for part in mail.walk():
            if part.is_multipart() and part.get_content_maintype() == "multipart":
                part.set_boundary("=_boundary")
    return [mail.as_bytes().replace(b"\n", b"\r\n") for mail in made]


def _mail(subject: str, text: str, name: str = "Anna") -> EmailMessage:
    mail = EmailMessage()
    local = name.lower().replace(" ", ".") if name.isascii() else "someone"
    mail["Received"] = (
        "from relay.example.com by mail.example.org with ESMTPS id 4BxYz; Mon, 2 Nov 2026 10:00"
    )
    mail["From"], mail["To"] = f"{name} <{local}@remote.example.net>", "Bob <bob@example.org>"
    mail["Subject"], mail["Message-ID"] = subject, f"<{abs(hash_of(subject + text))}@remote.example.net>"
    mail.set_content(f"{text}\n", cte="quoted-printable")
    return mail


def hash_of(text: str) -> int:
    """Return a number for a text, the same in each process."""
    return sum(place * ord(letter) for place, letter in enumerate(text, 1))


def _in_script(script: Script) -> Iterator[EmailMessage]:
    for charset, cte in (("utf-8", "8bit"), ("utf-8", "quoted-printable"), (script.charset, "base64")):
        mail = _mail(f"{script.word} {cte}", "", script.name)
        mail.set_content(f"{script.text}\n", charset=charset, cte=cte)
        yield mail
    html = _mail(script.long, "plain text only")
    html.add_alternative(f"<html><body><p>{script.text}</p></body></html>", "html", cte="base64")
    yield html
    attached = _mail("forwarded", "see below")
    attached.add_attachment(_mail(script.text, script.text, script.name))
    yield attached
    file = _mail(f"a file from {script.name}", "attached")
    file.add_attachment(f"{script.text}\n", filename=f"{script.word}.txt")
    yield file


def queries() -> list[Query]:
    """Return over 200 searches of the kinds in `docs/mailboxes.md`."""
    return [*_words(), *_marks(), *_headers(), *_negated()]


def _words() -> Iterator[Query]:
    for script in SCRIPTS.values():
        for key in ("BODY", "TEXT", "SUBJECT"):
            yield Query("a word", f'{key} "{script.word}"')
            yield Query("a part of a word", f'{key} "{script.part}"')
            yield Query("a long word", f'{key} "{script.long}"')
        if script.charset != "utf-8":
            yield Query("a word", f'BODY "{script.word.swapcase()}"')
        yield Query("a name", f'FROM "{script.name}"')
        yield Query("several words", f'BODY "{script.text}"')
        yield Query("OR, and flags", f'OR SUBJECT "{script.word}" BODY "{script.part}"')
    yield Query("Georgian capitals", f'BODY "{SCRIPTS["Georgian"].word.upper()}"')
    yield Query("a word", 'TEXT "nowhere"')
    yield Query("a word", 'BODY "Übergaben"')
    for text in ("quite loudly", "loudly quite", "text only", "line 1", "c d"):
        yield Query("several words", f'BODY "{text}"')
        yield Query("several words", f'TEXT "{text}"')
    for number in (1, 2, 12):
        yield Query("several words", f'FROM "Person {number}"')
        yield Query("several words", f'SUBJECT "number {number}"')
    for text in ("ubergaben", "ìnvoice", "é"):
        yield Query("letters with accents, or without", f'BODY "{text}"')
    for letter in "acдは":
        yield Query("a word of one letter", f'BODY "{letter}"')
    yield Query("a run of 50 or more ASCII letters and digits", f'BODY "{KEY}"')
    yield Query("a run of 50 or more ASCII letters and digits", f'BODY "{KEY[:20]}"')


def _marks() -> Iterator[Query]:
    for _, needle in MARKED.values():
        kind = "several words" if " " in needle else "a word with marks"
        kind = "marks alone" if needle == "€" else kind
        kind = "letters of a word, and marks" if needle in ("c=d", "C++", "100%") else kind
        yield Query(kind, f'BODY "{needle}"')
        yield Query(kind, f'TEXT "{needle}"')
    for needle in ("-", "=", "://", "...", "("):
        yield Query("marks alone", f'BODY "{needle}"')


def _headers() -> Iterator[Query]:
    for name, value in (
        ("Subject", "invoice"),
        ("Message-ID", "remote.example.net"),
        ("From", "anna"),
        ("To", "bob"),
        ("To", "bob@example.org"),
    ):
        yield Query("From, To, Subject, Message-ID", f'HEADER {name} "{value}"')
    for name, value in (
        ("Received", "relay"),
        ("Received", "4BxYz"),
        ("X-Spam-Status", "score"),
        ("List-Id", "lists"),
        ("Content-Type", "multipart"),
        ("MIME-Version", "1"),
        ("X-Nothing", "relay"),
    ):
        yield Query("another header field", f'HEADER {name} "{value}"')
    for word in ("ESMTPS", "charset", "4BxYz"):
        yield Query("a word of such a field, by `TEXT`", f'TEXT "{word}"')
    for name, value in (
        ("Received", "relay.example.com"),
        ("List-Id", "<dev.lists.example>"),
        ("X-Spam-Status", "score=-1.9"),
        ("Message-ID", "@remote.example.net>"),
        ("From", "<anna@remote.example.net>"),
    ):
        yield Query("a field's value with marks", f'HEADER {name} "{value}"')
    for name in ("Subject", "Received", "X-Spam-Status", "List-Id", "X-Empty", "X-Nothing"):
        yield Query("whether there is a field", f'HEADER {name} ""')
    for word in ("anna", "bob@example.org", "remote.example.net", "Person"):
        yield Query("From, To, Subject, Message-ID", f'FROM "{word}"')
        yield Query("From, To, Subject, Message-ID", f'TO "{word}"')


def _negated() -> Iterator[Query]:
    for script in SCRIPTS.values():
        yield Query("NOT", f'NOT SUBJECT "{script.word}"')
        yield Query("NOT", f'NOT BODY "{script.word}"')
    for text in ('NOT FROM "anna"', 'UNDELETED NOT SUBJECT "invoice"', 'OR FLAGGED NOT BODY "invoice"'):
        yield Query("NOT", text)
    for text in ('NOT FROM "Person 2"', 'NOT BODY "line 1"', 'NOT SUBJECT "number 1"'):
        yield Query("NOT of several words", text)
    for text in ('NOT BODY "="', 'NOT SUBJECT "."', f'NOT BODY "{KEY}"', 'OR FLAGGED NOT SUBJECT "."'):
        yield Query("NOT or OR of what is not found by itself, such as marks alone", text)
    for text in ('FLAGGED BODY "line"', 'OR SEEN FROM "Person"', 'UNDELETED 1:20 TEXT "plain"'):
        yield Query("OR, and flags", text)


def split(query: str) -> tuple[list[str], list[str]]:
    """Return the text before, between and after the quoted strings of a search, and these strings."""
    pieces = query.split('"')
    return pieces[::2], pieces[1::2]
