"""Real messages: the corpus of CPython's e-mail package, and the changes that a server may make to them.

The corpus is in Debian's `libpython3.13-testsuite`, which the peer has.
"""

from __future__ import annotations

import base64
import re

from tests.targets.containers import Target

DIRECTORY = "/usr/lib/python3.13/test/test_email/data"
#: Fields that cleanup(8) removes: a secret, and those that only the last server writes (RFC 5321, 4.4).
DROPPED = re.compile(rb"(?:bcc|content-length|resent-bcc|return-path)[ \t]*:", re.IGNORECASE)
FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
#: The fields that each server adds at the top; nothing else may precede a message.
TRACE = re.compile(rb"(?:(Return-Path|Delivered-To|X-Original-To|Received): .*\r\n(?:[ \t].*\r\n)*)*")


def messages(peer: Target) -> dict[str, bytes]:
    """Return the messages by name, as sent over the wire (CRLF): the files, and more made from them."""
    names = peer.exec(["ls", DIRECTORY]).stdout.split()
    files = {name: peer.read(f"{DIRECTORY}/{name}") for name in names}
    mails = {name: wire(content) for name, content in files.items() if name.startswith("msg_")}
    others = {name: content for name, content in files.items() if name not in mails}
    return mails | made(mails, others)


def made(mails: dict[str, bytes], others: dict[str, bytes]) -> dict[str, bytes]:
    """Return messages that the corpus lacks: bytes above 127, lines over 998 octets, dots, odd ends, …."""
    head = b"From: a@remote.example.net\r\nMIME-Version: 1.0\r\nContent-Type: "
    latin = bytes(range(0xA0, 0x100))
    found = {
        "8bit-latin1": head + b"text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + latin + b"\r\n",
        "8bit-undeclared": head
        + b"text/plain\r\nSubject: Gr\xc3\xbc\xc3\x9fe \xff\r\n\r\n"
        + latin
        + b"\r\n",
        "dots": head + b"text/plain\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n",
        "blank-end": head + b"text/plain\r\n\r\ntext\r\n\r\n\r\n",
        "no-body": head + b"text/plain\r\n",
        "long-field": head + b"text/plain\r\nX-Long: " + b"x" * 5000 + b"\r\n\r\ntext\r\n",
        "long-line": head + b"text/plain\r\n\r\n" + b"word " * 20_000 + b"\r\nend\r\n",
    }
    for name, content in others.items():
        encoded = base64.b64encode(content)
        found[f"one-line-{name}"] = (
            head
            + b"application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + encoded
            + b"\r\n"
        )
        # 8BITMIME (RFC 6152) has no NUL, and CR and LF only as CRLF
        eight_bit = re.sub(rb"[\0\r\n]+", b"\r\n", content)
        found[f"8bit-{name}"] = (
            head + b"image/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + eight_bit + b"\r\n"
        )
    nested = head + b"text/plain\r\n\r\ninnermost\r\n"
    for level, (_, mail) in enumerate(sorted(mails.items())):
        boundary = b"=_level-%d" % level
        parts = b"".join(
            b"--" + boundary + b"\r\nContent-Type: message/rfc822\r\n\r\n" + part + b"\r\n"
            for part in (nested, mail)
        )
        nested = (
            head
            + b'multipart/digest; boundary="'
            + boundary
            + b'"\r\n\r\n'
            + parts
            + b"--"
            + boundary
            + b"--\r\n"
        )
        if level == 7:
            break
    return {**found, "nested": nested}


def wire(content: bytes) -> bytes:
    """Return the bytes as SMTP carries them: every line ends in CRLF, the last one too (RFC 5321, 2.3.8)."""
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def expected(mail: bytes) -> bytes:
    """Return the message as IMAP must return it, below the trace fields; `mail` is as sent over the wire.

    The header is unchanged, except for `DROPPED`. Before the first line that is not a field, cleanup(8) adds
    the missing empty line.
    """
    lines = mail.splitlines(keepends=True)
    header: list[bytes] = []
    dropping = False
    while lines and lines[0] != b"\r\n":
        line = lines[0]
        if line.startswith(b"From ") and not header:
            header.append(b"X-Mailbox-Line: " + line)
        elif line[:1] in b" \t" and (header or dropping):
            header += [] if dropping else [line]
        elif FIELD.match(line):
            dropping = DROPPED.match(line) is not None
            header += [] if dropping else [line]
        else:
            lines.insert(0, b"\r\n")
            break
        del lines[0]
    return b"".join([*header, *lines])
