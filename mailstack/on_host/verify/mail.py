"""Probe messages: in by 25, and by 587 and 465 with a login; through queue and filter into a mailbox."""

from __future__ import annotations

import email
import email.policy
import imaplib
import re
import smtplib
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from typing import Any

from . import dkim
from .lines import any_certificate
from .results import Problem, Report, Skip
from .run import one_line, run

_ARRIVES = 60.0
"""Seconds in which a message must have come."""
_LOGGED = 5.0
"""Seconds in which the journal must have its lines."""
_NO_JOURNAL = "journalctl -u 'postfix*' should have it: systemctl status systemd-journald"


@dataclass
class Probe:
    """A message on its way.

    + queue_id: the name by which Postfix's queue has it
    + accepted: how long Postfix took to accept it, with its filter
    + sent: when it was accepted
    + raw: the message in the mailbox
    """

    port: int
    message_id: str
    queue_id: str = ""
    accepted: float = 0.0
    sent: float = 0.0
    raw: bytes = b""


@dataclass
class Mail:
    """The messages of a run.

    + plan: what the machine that runs pyinfra has sent
    """

    plan: dict[str, Any]
    report: Report
    probes: list[Probe] = field(default_factory=list)
    started: float = field(default_factory=time.time)

    @property
    def _user(self) -> str:
        return str(self.plan["user"])

    def all(self) -> None:
        """Send the messages, read them, and see what the journal says of them."""
        for port in self.plan["mail_ports"]:
            probe = Probe(port, f"<{self.plan['tag']}.{port}@{self.plan['hostname']}>")
            how = "as a server" if port == 25 else "with a login"
            advice = "journalctl -u postfix -u dovecot -u rspamd has what they say of it"
            if self.report.check(
                "mail", f"{port} takes a message, {how}", partial(self._send, probe), advice
            ):
                self.probes.append(probe)
        if not self.probes:
            return
        self.report.check(
            "mail",
            "IMAP lets the user in, and has the messages",
            self._read,
            "mailstack.trace QUEUE-ID tells what became of a message",
        )
        try:
            self._times()
        except Problem as problem:  # of journalctl(1)
            self.report.failed("mail", "the journal has the times", problem, _NO_JOURNAL)
        for probe in self.probes:
            if probe.port != 25 and probe.raw:
                title = f"the message by {probe.port} is signed and aligned"
                self.report.check("mail", title, partial(self._signed, probe))

    def _message(self, probe: Probe) -> EmailMessage:
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"] = self._user if probe.port != 25 else f"MAILER-DAEMON@{self.plan['hostname']}"
        mail["To"] = self._user
        mail["Subject"] = f"mailstack verify by port {probe.port}"
        mail["Date"] = formatdate()
        mail["Message-ID"] = probe.message_id
        mail.set_content("This message proves that mail arrives. It is deleted soon.\n")
        return mail

    def _send(self, probe: Probe) -> str:
        start = time.monotonic()
        try:
            with self._connected(probe.port) as session:
                session.ehlo()
                if probe.port != 465 and session.has_extn("starttls"):
                    session.starttls(context=any_certificate())
                    session.ehlo()
                if probe.port != 25:
                    session.login(self._user, self.plan["password"])
                code, said = session.mail("" if probe.port == 25 else self._user)
                if code >= 300:
                    raise Problem(f"MAIL: {code} {one_line(said.decode('utf-8', 'replace'))}")
                code, said = session.rcpt(self._user)
                if code >= 300:
                    raise Problem(f"RCPT: {code} {one_line(said.decode('utf-8', 'replace'))}")
                code, said = session.data(self._message(probe).as_bytes())
                answer = one_line(said.decode("utf-8", "replace"))
                if code >= 300:
                    raise Problem(f"DATA: {code} {answer}")
        except smtplib.SMTPException as error:
            raise Problem(_of_smtp(error)) from None
        probe.sent, probe.accepted = time.monotonic(), time.monotonic() - start
        probe.queue_id = answer.rpartition(" ")[2]
        return f"accepted in {probe.accepted:.2f} s"

    def _connected(self, port: int) -> smtplib.SMTP:
        address = str(self.plan["address"])
        if port == 465:
            return smtplib.SMTP_SSL(address, port, "localhost", timeout=60, context=any_certificate())
        return smtplib.SMTP(address, port, "localhost", timeout=60)

    def _read(self) -> str:
        """Log in, and wait for all messages."""
        try:
            with imaplib.IMAP4_SSL(
                self.plan["address"], self.plan["imap_port"], ssl_context=any_certificate(), timeout=30
            ) as session:
                session.login(self._user, self.plan["password"])
                folders = self._wait(session)
        except imaplib.IMAP4.error as error:
            raise Problem(one_line(str(error)).replace(self.plan["password"], "…")) from None
        if missing := [probe for probe in self.probes if not probe.raw]:
            listed = "; ".join(f"that of port {each.port}: {self._fate(each)}" for each in missing)
            raise Problem(f"missing after {_ARRIVES:.0f} s: {listed}")
        others = sorted(folders - {"INBOX"})
        return f"in {' and '.join(others)}" if others else "in INBOX"

    def _wait(self, session: imaplib.IMAP4) -> set[str]:
        deadline, used = time.monotonic() + _ARRIVES, set()
        while True:
            for folder in ("INBOX", *_others(session)):
                if session.select(f'"{folder}"', readonly=True)[0] != "OK":
                    continue
                for probe in self.probes:
                    if not probe.raw and self._found(session, probe):
                        used.add(folder)
            if all(probe.raw for probe in self.probes) or time.monotonic() > deadline:
                return used
            time.sleep(0.1)

    def _found(self, session: imaplib.IMAP4, probe: Probe) -> bool:
        numbers = session.search(None, "HEADER", "Message-ID", f'"{probe.message_id}"')[1][0]
        if not numbers:
            return False
        for part in session.fetch(numbers.split()[0].decode(), "(BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                probe.raw = part[1]
        seconds = time.monotonic() - probe.sent
        self.report.check(
            "mail", f"{probe.port} to the mailbox", lambda: f"{seconds:.2f} s after it was accepted"
        )
        return True

    def _fate(self, probe: Probe) -> str:
        """Return why a message has not come."""
        lines = [line for line in self._journal() if f" {probe.queue_id}: " in line and "status=" in line]
        if not lines:
            return "nothing has tried to deliver it"
        return one_line(lines[-1].partition("status=")[2])

    def _journal(self) -> list[str]:
        units = ["postfix.service", "postfix@-.service", "rspamd.service"]
        match = [f"_SYSTEMD_UNIT={unit}" for unit in units]
        since = f"--since=@{int(self.started) - 1}"
        _, said, _ = run(["journalctl", "--quiet", "--no-pager", "--all", "--output=cat", since, *match])
        return said.split("\n")

    def _times(self) -> None:
        """Show how long filter, queue and LMTP took, from the journal."""
        arrived = [probe for probe in self.probes if probe.raw]
        deadline = time.monotonic() + _LOGGED
        while True:
            journal = self._journal()
            queue = {probe.port: _queue(journal, probe) for probe in arrived}
            spent = {probe.port: _filter(journal, probe) for probe in arrived if self.plan["filter"]}
            if None not in (*queue.values(), *spent.values()) or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        for port, text in spent.items():
            self.report.check(
                "mail",
                f"{port} through the filter",
                partial(_seen, text, "rspamd says nothing of it"),
                "is it in smtpd_milters of main.cf? pyinfra INVENTORY deploy.py; systemctl status rspamd",
            )
        for port, text in queue.items():
            self.report.check(
                "mail",
                f"{port} through the queue",
                partial(_seen, text, "the journal has no line of its delivery"),
                _NO_JOURNAL,
            )

    def _signed(self, probe: Probe) -> str:
        if not self.plan["filter"]:
            raise Skip("mail_rspamd is off, and nothing signs")
        return dkim.checked(probe.raw, self.plan["domain"], self.plan["keys"])


def _queue(journal: list[str], probe: Probe) -> str | None:
    """Return what Postfix says of the times of a delivery (its ``delays``)."""
    of_it = re.compile(rf"{probe.queue_id}: to=.* delays=[\d.]+/([\d.]+)/([\d.]+)/([\d.]+), .*status=sent")
    for found in map(of_it.search, journal):
        if found:
            return f"{float(found[1]):.2f} s in the queue, {float(found[2]) + float(found[3]):.2f} s by LMTP"
    return None


def _filter(journal: list[str], probe: Probe) -> str | None:
    """Return how long rspamd took."""
    mark = (
        f"id: <{probe.message_id.strip('<>')}>",
        f"id: {probe.message_id.strip('<>')}",
        f"<{probe.queue_id}>",
    )
    for line in journal:
        found = re.search(r" time: ([\d.]+)ms", line)
        if found and any(each in line for each in mark):
            return f"{float(found[1]):.1f} ms"
    return None


def _seen(text: str | None, missing: str) -> str:
    if text is None:
        raise Problem(missing)
    return text


def _others(session: imaplib.IMAP4) -> list[str]:
    lines = [line for line in session.list()[1] if isinstance(line, bytes)]
    names = [line.decode("utf-8", "replace").rpartition(" ")[2].strip('"') for line in lines]
    return [name for name in names if name != "INBOX" and name.isalnum()]


def _of_smtp(error: smtplib.SMTPException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"{error.smtp_code} {one_line(text)}"
    return one_line(str(error)) or type(error).__name__
