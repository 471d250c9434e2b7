"""Thirty messages as they come from outside, good and bad, each with the place where it must end."""

from __future__ import annotations

import base64
import io
import uuid
import zipfile
from collections.abc import Callable
from email.message import EmailMessage, Message
from email.utils import formatdate
from typing import NamedTuple

from tests.support.sample_accounts import BOB
from tests.support.trust import QUARANTINE, REJECT, SILENT, letter, somebody

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


Maker = Callable[[], tuple[str, Message | bytes]]
"""A function that returns an envelope sender and a message."""


class Sample(NamedTuple):
    """A message, its envelope sender, and the place where it must end: INBOX, Junk or refused."""

    name: str
    place: str
    sender: str
    message: bytes


def samples() -> list[Sample]:
    """Return the messages; no two calls return the same, as the filter would remember them."""
    places = {"INBOX": _GOOD, "Junk": _JUNK, "refused": _REFUSED}
    return [_sample(place, make) for place, makers in places.items() for make in makers]


def _sample(place: str, make: Maker) -> Sample:
    sender, message = make()
    raw = message if isinstance(message, bytes) else message.as_bytes()
    return Sample(make.__name__, place, sender, raw)


def _author(domain: str = REJECT) -> str:
    """Return a new address, by default one whose domain has SPF and DMARC."""
    return somebody(domain)


def _html(mail: EmailMessage, text: str) -> EmailMessage:
    mail.add_alternative(text, subtype="html")
    return mail


def _raw(sender: str, *lines: str, body: str) -> bytes:
    head = [
        f"From: {sender}",
        f"To: {BOB}",
        f"Date: {formatdate()}",
        f"Message-ID: <{uuid.uuid4()}@{REJECT}>",
    ]
    return "\r\n".join([*head, *lines, "", body, ""]).encode()


def plain_letter() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(sender, BOB)


def from_a_domain_without_policy() -> tuple[str, Message]:
    sender = _author(SILENT)
    return sender, letter(sender, BOB, "Lunch on Thursday?", "Shall we meet at noon, at the usual place?")


def reply_with_quotes() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "Re: the numbers", "Yes.\n\nOn Monday you wrote:\n> Are these final?\n> Bob")
    mail["In-Reply-To"] = "<before@example.org>"
    mail["References"] = "<before@example.org>"
    return sender, mail


def newsletter() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "Our news of November", "What is new this month, in three parts.")
    mail["List-Unsubscribe"] = f"<https://{REJECT}/unsubscribe?id=17>, <mailto:leave@{REJECT}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["List-Id"] = f"News <news.{REJECT}>"
    mail["Precedence"] = "bulk"
    return sender, _html(mail, f'<p>What is new: <a href="https://{REJECT}/news">read on</a>.</p>')


def newsletter_with_picture() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "Autumn sale, until Sunday", "See our offers on the web page.")
    mail["List-Unsubscribe"] = f"<https://{REJECT}/unsubscribe?id=18>"
    text = f'<p>Offers of the week, for all who read.</p><img src="https://{REJECT}/a.png" alt="a chair">'
    return sender, _html(mail, text)


def mailing_list() -> tuple[str, Message]:
    mail = letter(_author(SILENT), BOB, "[users] How to move a cluster", "Has anybody done that lately?")
    mail["List-Id"] = f"<users.{REJECT}>"
    mail["List-Post"] = f"<mailto:users@{REJECT}>"
    mail["List-Unsubscribe"] = f"<mailto:users-leave@{REJECT}>"
    return f"users-bounces@{REJECT}", mail


def order_confirmation() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "Your order 4711", "Thank you. Your order is on its way. Sum: 49.90 EUR")
    return sender, _html(
        mail, f'<table><tr><td>Sum</td><td>49.90</td></tr></table><a href="https://{REJECT}/o">order</a>'
    )


def password_reset() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(
        sender, BOB, "Reset your password", f"Follow https://{REJECT}/reset?t=abc within a day."
    )


def attached_pdf() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "Invoice 2026-117", "The invoice is attached.")
    mail.add_attachment(b"%PDF-1.4\n%%EOF\n", maintype="application", subtype="pdf", filename="invoice.pdf")
    return sender, mail


def attached_picture() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "The picture of yesterday", "Here it is.")
    png = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    mail.add_attachment(png, maintype="image", subtype="png", filename="yesterday.png")
    return sender, mail


def attached_calendar() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "Invitation: review", "Please join.")
    event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
    mail.add_attachment(event.encode(), maintype="text", subtype="calendar", filename="invite.ics")
    return sender, mail


def attached_message() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "Fwd: the numbers", "See what came yesterday.")
    mail.add_attachment(letter(_author(SILENT), sender, "The numbers"))
    return sender, mail


def german() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(
        sender, BOB, "Schöne Grüße aus Köln", "Hallo Bob,\n\nwir sind gut angekommen. Bis bald!"
    )


def japanese() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(
        sender, BOB, "来週の会議について", "お世話になっております。会議は水曜日の午後三時です。"
    )


def chinese() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(sender, BOB, "关于下周的会议", "您好,会议改到星期三下午三点,谢谢。")


def korean() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(sender, BOB, "회의 일정", "안녕하세요. 회의는 수요일 오후 세 시입니다.")


def russian() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(sender, BOB, "Встреча в среду", "Здравствуйте! Встреча переносится на среду.")


def arabic() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(sender, BOB, "موعد الاجتماع", "مرحبا، الاجتماع يوم الأربعاء في الساعة الثالثة.")


def eight_bit_subject() -> tuple[str, bytes]:
    """Return a subject that is not encoded (RFC 2047), as old programs write it."""
    sender = _author()
    kind = ("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")
    return sender, _raw(
        sender,
        "Subject: Grüße aus Köln",
        "MIME-Version: 1.0",
        *kind,
        body=f"Wir sind gut angekommen. {uuid.uuid4()}",
    )


def only_html() -> tuple[str, Message]:
    sender = _author()
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, BOB, "Protocol of the meeting"
    mail["Date"], mail["Message-ID"] = formatdate(), f"<{uuid.uuid4()}@{REJECT}>"
    mail.set_content(f"<html><body><p>Here is what we said. {uuid.uuid4()}</p></body></html>", subtype="html")
    return sender, mail


def of_a_program() -> tuple[str, Message]:
    sender = _author()
    mail = letter(sender, BOB, "cron: backup finished", "1,024 files, 0 errors, 12 seconds")
    mail["Auto-Submitted"] = "auto-generated"
    return sender, mail


def forged_author_of_quarantine() -> tuple[str, Message]:
    return _author(SILENT), letter(_author(QUARANTINE), BOB, "Your account")


def phishing_link() -> tuple[str, Message]:
    """Return links that show a bank and lead elsewhere."""
    sender = _author(SILENT)
    mail = letter(sender, BOB, "Please confirm your account", "Open the page in a browser.")
    mail.replace_header("From", f'"security@bank.example" <{sender}>')
    return sender, _html(
        mail, f'<a href="http://192.0.2.7/login">https://www.bank.example/login</a> {uuid.uuid4()}'
    )


def phishing_form() -> tuple[str, Message]:
    """Return a form for a password, as an attached page."""
    sender = _author(SILENT)
    mail = letter(sender, BOB, "Undelivered mail is waiting", "Open the attached page to release your mail.")
    mail.replace_header("From", f'"Mail support <support@example.org>" <{sender}>')
    page = '<form action="http://192.0.2.8/x.php" method="post"><input type="password" name="p"></form>'
    mail.add_attachment(page.encode(), maintype="text", subtype="html", filename="release.pdf.html")
    return sender, mail


def bulk_without_headers() -> tuple[str, bytes]:
    """Return what a bad program sends: without Date and To, with a false client and needless base64."""
    sender = _author(SILENT)
    text = base64.b64encode(f"Buy now, only today! {uuid.uuid4()}".encode()).decode()
    lines = [
        f"From: {sender}",
        f"Message-ID: <{uuid.uuid4()}@{SILENT}>",
        "Subject: =?utf-8?B?QnV5IHRvZGF5?=",
        "X-Mailer: Microsoft Outlook Express 6.00",
        "MIME-Version: 1.0",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: base64",
    ]
    return sender, "\r\n".join([*lines, "", text, ""]).encode()


def forged_author_of_reject() -> tuple[str, Message]:
    return _author(SILENT), letter(_author(REJECT), BOB, "Your account")


def forged_author_of_ours() -> tuple[str, Message]:
    return _author(SILENT), letter("alice@example.org", BOB, "Please pay this today")


def gtube() -> tuple[str, Message]:
    sender = _author()
    return sender, letter(sender, BOB, body=GTUBE)


def program_in_disguise() -> tuple[str, Message]:
    sender = _author(SILENT)
    mail = letter(sender, BOB, "Your parcel", "See the attached label.")
    mail.add_attachment(b"MZ" + bytes(200), maintype="application", subtype="pdf", filename="label.pdf.scr")
    return sender, mail


def program_in_an_archive() -> tuple[str, Message]:
    sender = _author(SILENT)
    mail = letter(sender, BOB, "Your invoice", "See the archive.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("invoice.pdf.scr", b"MZ" + bytes(200))
    mail.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename="invoice.zip")
    return sender, mail


_GOOD: tuple[Maker, ...] = (
    *(plain_letter, from_a_domain_without_policy, reply_with_quotes, newsletter, newsletter_with_picture),
    *(
        mailing_list,
        order_confirmation,
        password_reset,
        attached_pdf,
        attached_picture,
        attached_calendar,
        attached_message,
    ),
    *(german, japanese, chinese, korean, russian, arabic, eight_bit_subject, only_html, of_a_program),
)
_JUNK: tuple[Maker, ...] = (
    *(forged_author_of_quarantine, phishing_link, phishing_form, bulk_without_headers),
    *(program_in_disguise, program_in_an_archive),
)
_REFUSED: tuple[Maker, ...] = (*(forged_author_of_reject, forged_author_of_ours, gtube),)
