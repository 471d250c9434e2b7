"""Mail clients: smtplib and imaplib on this machine, swaks and friends on the peer.

Both are strangers to a server: this machine reaches it over the Docker bridge, from outside of `mynetworks`.
"""

from __future__ import annotations

import imaplib
import json
import re
import smtplib
import ssl
import subprocess
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TypeVar

from tests.support import sample_accounts
from tests.targets.containers import Target

T = TypeVar("T")
#: Seconds for an answer and for what is awaited: many more than either takes, as machines may be busy.
TIMEOUT = 60.0


def tls(certificate: str | None = None) -> ssl.SSLContext:
    """Return TLS that trusts only the PEM `certificate` and its name; without one, any certificate."""
    context = ssl.create_default_context(cadata=certificate)
    if certificate is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def smtp(
    target: Target,
    port: int = 25,
    user: str | None = None,
    *,
    starttls: bool | None = None,
    ipv6: bool = False,
) -> Iterator[smtplib.SMTP]:
    """Yield an SMTP session, logged in as `user`: TLS on 465, STARTTLS on 587, or as `starttls` says."""
    address = target.ip6 if ipv6 else target.ip
    if port == 465:
        session: smtplib.SMTP = smtplib.SMTP_SSL(
            address, port, sample_accounts.REMOTE, timeout=TIMEOUT, context=tls()
        )
    else:
        session = smtplib.SMTP(address, port, sample_accounts.REMOTE, timeout=TIMEOUT)
    with session:
        session.ehlo_or_helo_if_needed()
        if starttls if starttls is not None else port == 587:
            session.starttls(context=tls())
            session.ehlo()
        if user is not None:
            login(session, user, sample_accounts.PASSWORDS[user])
        yield session


def login(session: smtplib.SMTP, user: str, password: str) -> None:
    """Log in by AUTH PLAIN (RFC 4616) with a password in any script; smtplib's own `login` takes ASCII only.

    Raises `smtplib.SMTPAuthenticationError` with the server's code and text.
    """
    credentials = b"\0" + user.encode() + b"\0" + password.encode()
    code, reply = session.docmd("AUTH", "PLAIN " + b64encode(credentials).decode())
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, reply)


def replies(
    target: Target,
    recipient: str,
    sender: str = sample_accounts.STRANGER,
    port: int = 25,
    *,
    ipv6: bool = False,
) -> int:
    """Return the server's code for RCPT TO, or for MAIL FROM if it refuses that; nothing is sent."""
    with smtp(target, port, ipv6=ipv6) as session:
        code, _ = session.mail(sender)
        return session.rcpt(recipient)[0] if code == 250 else code


def send(
    target: Target,
    mail: EmailMessage,
    *recipients: str,
    sender: str = sample_accounts.STRANGER,
    port: int = 25,
    user: str | None = None,
    ipv6: bool = False,
) -> str:
    """Send `mail` from envelope `sender` to `recipients` (default: those in it); return its Message-ID.

    Raises smtplib's error if a recipient or the message is refused.
    """
    to = recipients or (str(mail["To"]),)
    with smtp(target, port, user, ipv6=ipv6) as session:
        refused = session.send_message(mail, sender, to)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)
    return str(mail["Message-ID"])


def message(sender: str, recipient: str, subject: str = "A test", body: str = "Grüße!\n") -> EmailMessage:
    """Return a message with a Message-ID of its own."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Message-ID"] = f"<{uuid.uuid4()}@{sample_accounts.REMOTE}>"
    mail.set_content(body)
    return mail


@contextmanager
def imap(
    target: Target, user: str, port: int = 993, password: str | None = None, *, ipv6: bool = False
) -> Iterator[imaplib.IMAP4]:
    """Yield an IMAP session of `user`, with INBOX selected: TLS from the start on 993, by STARTTLS on 143.

    Raises `imaplib.IMAP4.error` where the login is refused.
    """
    address = target.ip6 if ipv6 else target.ip
    if port == 993:
        session: imaplib.IMAP4 = imaplib.IMAP4_SSL(address, port, ssl_context=tls(), timeout=TIMEOUT)
    else:
        session = imaplib.IMAP4(address, port, timeout=TIMEOUT)
        session.starttls(ssl_context=tls())
    with session:
        credentials = f"\0{user}\0{password or sample_accounts.PASSWORDS[user]}".encode()
        session.authenticate("PLAIN", lambda _: credentials)
        session.select()
        yield session


def find(session: imaplib.IMAP4, message_id: str) -> list[bytes]:
    """Return the messages with that Message-ID in the selected mailbox, as IMAP returns them."""
    session.noop()
    _, found = session.search(None, "HEADER", "Message-ID", f'"{message_id}"')
    numbers = found[0].split() if found and found[0] else []
    return [session.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1] for number in numbers]  # type: ignore[index,misc]


def fields(session: imaplib.IMAP4, name: str) -> dict[str, str]:
    """Return a header field of all messages in the selected mailbox, by their numbers."""
    session.noop()
    if session.search(None, "ALL")[1] == [b""]:
        return {}
    _, answers = session.fetch("1:*", f"(BODY.PEEK[HEADER.FIELDS ({name})])")
    found = {}
    for answer in answers:
        if isinstance(answer, tuple):
            text = answer[1].decode("utf-8", "replace").partition(":")[2]
            found[answer[0].split()[0].decode()] = text.strip()
    return found


def wait_for_mail(session: imaplib.IMAP4, message_id: str, timeout: float = TIMEOUT) -> bytes:
    """Return the message with that Message-ID once it has arrived; `TimeoutError` after `timeout` seconds."""
    return eventually(lambda: find(session, message_id), f"no message {message_id}", timeout)[0]


def received(
    target: Target, user: str, message_id: str, password: str | None = None, timeout: float = TIMEOUT
) -> bytes:
    """Return the message with that Message-ID, once it is in the INBOX of `user`."""
    with imap(target, user, password=password) as session:
        return wait_for_mail(session, message_id, timeout)


def peer_find(peer: Target, message_id: str) -> list[bytes]:
    """Return the messages with that Message-ID at the peer; `Delivered-To:` names the recipient."""
    found = peer.exec(["grep", "-rlF", message_id, "/srv/mail/inbox/new"], check=False).stdout.split()
    return [peer.read(path) for path in found]


def wait_at_peer(peer: Target, message_id: str, timeout: float = TIMEOUT) -> bytes:
    """Return the message with that Message-ID once the peer has it; `TimeoutError` after `timeout` s."""
    return eventually(lambda: peer_find(peer, message_id), f"{message_id} did not come", timeout)[0]


def flush_to_peer(target: Target, peer: Target, message_id: str) -> bytes:
    """Return the message once the peer has it; `target` tries again meanwhile what it has deferred."""

    def look() -> list[bytes]:
        target.exec("postqueue -f; sleep 1")
        return peer_find(peer, message_id)

    return eventually(look, f"{message_id} did not come", 3 * TIMEOUT)[0]


#: Where the peer has the certificate that `introduce` gave it.
CERTIFICATE = "/root/server.pem"


def introduce(peer: Target, target: Target) -> None:
    """Tell the peer that `target`, and no clone of it, is mail.example.org, and show it the certificate."""
    peer.write(CERTIFICATE, target.read("/etc/ssl/mailstack/cert.pem"))
    others = [
        line for line in peer.read("/etc/hosts").decode().splitlines() if sample_accounts.HOSTNAME not in line
    ]
    peer.write("/etc/hosts", "\n".join([*others, f"{target.ip} {sample_accounts.HOSTNAME}", ""]).encode())


def swaks(peer: Target, target: Target, *args: str, ipv6: bool = False) -> subprocess.CompletedProcess[str]:
    """Run swaks on the peer, against `target`; its exit code is not checked, `stdout` is its transcript."""
    server = f"[{target.ip6}]" if ipv6 else target.ip
    return peer.exec(["swaks", "--server", server, *args], check=False)


def codes(transcript: str) -> list[int]:
    """Return the server's reply codes in a transcript of swaks, one a reply."""
    return [int(code) for code in re.findall(r"^<[-~*]{1,2} +(\d{3}) ", transcript, re.MULTILINE)]


def restart(target: Target, meanwhile: str = "true") -> None:
    """Stop Postfix, run the command `meanwhile`, and start it; it listens again when this returns.

    Debian 12 has the daemon in another unit, which systemctl does not wait for.
    """
    unit = "postfix@-" if target.debian == 12 else "postfix"
    target.exec(
        f"systemctl stop {unit} && {meanwhile} && systemctl reset-failed {unit} && systemctl start {unit}"
    )
    eventually(lambda: target.exec("ss -tlnH sport = :25").stdout, "Postfix does not listen")


def eventually(probe: Callable[[], T], complaint: str, timeout: float = TIMEOUT) -> T:
    """Return the result of `probe` once it is true; `TimeoutError` with the complaint after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (result := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{complaint} within {timeout:.0f} s")
        time.sleep(0.2)
    return result


def wait_for_local_mail(target: Target, text: str, mailbox: str = "/var/mail/root") -> None:
    """Return once a mailbox of the host itself has exactly one line with `text`."""
    count = ["grep", "-cF", text, mailbox]
    eventually(lambda: target.exec(count, check=False).stdout == "1\n", f"no mail with {text}")


def sql(target: Target, statements: str) -> str:
    """Run SQL in the mail database as its administrator, and return the rows, columns divided by `|`."""
    mariadb = "mariadb --batch --skip-column-names mail"
    psql = "runuser -u postgres -- psql -XAtq -F '\t' -v ON_ERROR_STOP=1 mail"
    # what the host has, not `sample_accounts.ENGINE`: that may be the next test's when a fixture is torn down
    either = f"if command -v mariadb >/dev/null; then {mariadb}; else {psql}; fi"
    return target.exec(either, input=statements).stdout.strip().replace("\t", "|")


def home(target: Target, user: str) -> str:
    """Return the home directory of a user."""
    directory = sql(target, f"SELECT mail_directory FROM mail_users WHERE email = '{user}'")
    assert directory, f"there is no {user}"
    return f"/var/vmail/{directory}"


def mail_root(target: Target, user: str) -> str:
    """Return the directory with the folders of a user."""
    driver = sql(target, f"SELECT mail_driver FROM mail_users WHERE email = '{user}'")
    names = {"sdbox": "sdbox", "maildir": "Maildir"}
    return f"{home(target, user)}/{names[driver]}"


def queue(target: Target) -> list[str]:
    """Return the recipients that mail in the queue still has to go to, each with the reason for the delay."""
    messages = map(json.loads, target.exec(["postqueue", "-j"]).stdout.splitlines())
    return [
        f"{recipient['address']}: {recipient.get('delay_reason', 'on its way')}"
        for queued in messages
        for recipient in queued["recipients"]
    ]


def wait_for_empty_queue(target: Target, timeout: float = TIMEOUT, to: tuple[str, ...] = ("",)) -> None:
    """Return as soon as nothing is queued; `TimeoutError` with what is after `timeout` seconds.

    `to` ignores mail to other addresses, such as a notice to a user of another test, who was removed since.
    """
    deadline = time.monotonic() + timeout
    # twice, as one that moves between queues may not be listed
    while queued := [each for each in {*queue(target), *queue(target)} if each.startswith(to)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"still queued: {queued}")
        time.sleep(0.2)


def log(target: Target, pattern: str) -> list[str]:
    """Return the lines of the mail log since the host booted that match the extended regular expression."""
    command = ["journalctl", "--boot", "--facility=mail", "--output=cat", "--no-pager"]
    lines = target.exec(command).stdout.splitlines()
    return [line for line in lines if re.search(pattern, line)]
