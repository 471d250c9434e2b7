"""What a mail server must refuse. Nothing here sends a message."""

from __future__ import annotations

import base64
import ipaddress
import re
import smtplib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from . import sockets
from .lines import Ended, Session, any_certificate, code
from .results import Doubt, Problem, Report, Skip, shown
from .run import one_line, run

_FOREIGN = "verify@mailstack-verify.example"
"""A recipient of nobody here (RFC 2606)."""
_MAIL = ("EHLO mailstack-verify.example.com", "MAIL FROM:<>")
_OTHERS = "mend what else has failed, and verify again"
_RESTORE = "pyinfra INVENTORY deploy.py restores it"
_QUOTA = 1024 * 1024
"""The quota of the user, in bytes."""
_TOO_MUCH = 3_000_000
_ATTEMPTS = 4
"""How often a server is asked that says "try later", as its login processes do once after an outage."""


class Refused:
    """The checks of what must fail.

    + plan: what the machine that runs pyinfra has sent
    """

    def __init__(self, plan: dict[str, Any], report: Report) -> None:
        self.plan, self.report = plan, report
        self._address = str(plan["address"])

    def without_accounts(self) -> None:
        """Try what a stranger may not."""
        self._check(
            "a stranger can't relay",
            self._relay,
            "this is an open relay, which others find within hours: mail_mynetworks and"
            f" mail_smtpd_relay_restrictions must not admit strangers; {_RESTORE}",
        )
        advice = (
            f"smtpd_tls_auth_only, or mail_postfix_main or mail_postfix_master, must not allow it; {_RESTORE}"
        )
        for port in self.plan["clear_ports"]:
            title = f"no password in clear on {port['number']} ({port['name']})"
            self._check(title, partial(self._clear, port), advice)

    def with_accounts(self) -> None:
        """Try what a user may not, and mail for nobody."""
        user = self.plan["user"]
        self._check(
            "a user can't send as somebody else",
            self._somebody_else,
            f"reject_sender_login_mismatch, or the table sender_logins, is not as deployed; {_RESTORE}",
        )
        self._check(
            "mail to an unknown recipient is refused",
            self._unknown,
            f"such mail would bounce to forged senders: {_RESTORE}; is there a catch-all alias?",
        )
        self._check(
            "mail to a full mailbox is refused",
            partial(self._full, user),
            f"systemctl status dovecot; its quota-status must answer Postfix; {_RESTORE}",
        )

    def _check(self, title: str, check: Callable[[], str], advice: str) -> None:
        """Try something. A server that does not answer has neither refused nor admitted it."""

        def tried() -> str:
            try:
                return check()
            except (OSError, Ended) as error:
                raise Problem(f"it can't be tried: {shown(error)}", _OTHERS) from None

        self.report.check("refused", title, tried, advice)

    def _relay(self) -> str:
        """Try it by each version of IP: a network of strangers may be of one."""
        return "; ".join([_patiently(partial(_relayed, stranger)) for stranger in self._strangers()])

    def _strangers(self) -> list[str]:
        """Return addresses of this host to which it is a stranger itself: in none of its own networks."""
        if self.plan["loopback_only"]:
            raise Skip("Postfix listens for this host alone")
        listening = {each.address for each in sockets.listeners() if each.port == 25}
        if not listening:
            raise Problem("it can't be tried: nothing listens on 25", _OTHERS)
        networks = [ipaddress.ip_network(each, strict=False) for each in self.plan["networks"]]
        found: dict[int, str] = {}
        for text in run(["hostname", "-I"])[1].split():
            address = ipaddress.ip_address(text)
            inside = any(address.version == net.version and address in net for net in networks)
            everywhere = "0.0.0.0" if address.version == 4 else "::"
            if not inside and not address.is_link_local and {everywhere, str(address)} & listening:
                found.setdefault(address.version, text)
        if not found:
            raise Skip(
                "all addresses on which Postfix listens may relay (mail_mynetworks): from_outside tries it"
            )
        return [*found.values()]

    def _clear(self, port: dict[str, Any]) -> str:
        """Log in without TLS, as from another host: to its own addresses, Dovecot allows it."""
        source = "127.0.0.2" if "." in self._address else "::1"
        if source == self._address:
            raise Skip("this host can't be another one to itself, by IPv6 alone")
        for attempt in range(_ATTEMPTS):
            with Session(port["how"], self._address, port["number"], source) as session:
                hello = session.answer()
                if session.is_good(hello):
                    return _TRIES[port["how"]](session, hello, self.plan["user"], self.plan["password"])
            if "TRYLATER" not in hello[-1]:
                break
            time.sleep(attempt + 1)
        raise Problem(f"it does not greet: {hello[-1]}", _OTHERS)

    def _somebody_else(self) -> str:
        try:
            with self._submission() as session:
                session.login(self.plan["user"], self.plan["password"])
                session.mail(self.plan["other"])
                number, said = session.rcpt(self.plan["user"])
        except smtplib.SMTPException as error:
            raise Problem(f"it can't be tried: {one_line(str(error))}", _OTHERS) from None
        text = f"{number} {one_line(said.decode('utf-8', 'replace'))}"
        if number < 500 or " 5.7.1 " not in text:
            raise Problem(text)
        return text

    def _submission(self) -> smtplib.SMTP:
        """Connect to a port for users, by TLS."""
        context = any_certificate()
        if 465 in self.plan["mail_ports"]:
            return smtplib.SMTP_SSL(self._address, 465, "localhost", timeout=30, context=context)
        if 587 not in self.plan["mail_ports"]:
            raise Skip("there is no port for users: neither 465 nor 587")
        session = smtplib.SMTP(self._address, 587, "localhost", timeout=30)
        session.starttls(context=context)
        return session

    def _unknown(self) -> str:
        if self.plan["catch_all"]:
            raise Skip(f"{self.plan['domain']} has a catch-all: every address is somebody's")
        return self._rcpt(self.plan["nobody"], lambda _: "", "5.1.1")

    def _full(self, user: str) -> str:
        return self._rcpt(user, _too_large, "5.2.2")

    def _rcpt(self, recipient: str, options: Callable[[list[str]], str], wanted: str) -> str:
        with Session("smtp", self._address, 25) as session:
            _accepted(session.ask(f"MAIL FROM:<>{options(_greeted(session))}"))
            said = session.ask(f"RCPT TO:<{recipient}>")
            session.ask("QUIT")
        if code(said) < 500 or wanted not in said[-1]:
            raise Problem(one_line(said[-1]))
        return one_line(said[-1])


def _too_large(offered: list[str]) -> str:
    """Return the size of a message that Postfix takes, and the mailbox does not.

    + offered: the answer to EHLO
    """
    found = [re.match(r"250[ -]SIZE (\d+)", line.upper()) for line in offered]
    most = next((int(limit[1]) for limit in found if limit), 0) or _TOO_MUCH
    if most <= _QUOTA:
        raise Skip(f"mail_message_size_limit is {most}: no message is too large for a mailbox of 1 MiB")
    return f" SIZE={min(most, _TOO_MUCH)}"


class _Later(Doubt):
    """An answer that neither admits nor refuses: the client must come again (RFC 5321, 4.2.1)."""


def _patiently(attempt: Callable[[], str]) -> str:
    """Try again what is put off, as a busy server and postscreen(8) do with a client that they don't know."""
    for pause in range(1, _ATTEMPTS):
        try:
            return attempt()
        except _Later:
            time.sleep(pause)
    return attempt()


def _relayed(stranger: str) -> str:
    with Session("smtp", stranger, 25, stranger, timeout=40) as session:
        for said in (session.answer(), *map(session.ask, _MAIL)):
            _not_put_off(stranger, said)
            _accepted(said)
        said = session.ask(f"RCPT TO:<{_FOREIGN}>")
        session.ask("QUIT")
    if code(said) < 400:
        raise Problem(f"from {stranger}, to {_FOREIGN}: {said[-1]}")
    if ".7.1 " not in said[-1]:  # 4.7.1 with defer_unauth_destination
        _not_put_off(stranger, said)
        raise Problem(f"{stranger} is refused, but not as a stranger who relays (5.7.1): {said[-1]}", _OTHERS)
    return one_line(said[-1])


def _not_put_off(stranger: str, said: list[str]) -> None:
    if 400 <= code(said) < 500:
        raise _Later(f"it can't be tried: {stranger} must come again: {said[-1]}", _OTHERS)


def _accepted(said: list[str]) -> None:
    if code(said) >= 400:
        raise Problem(f"it can't be tried: {said[-1]}", _OTHERS)


def _greeted(session: Session) -> list[str]:
    """Return the answer to EHLO."""
    hello = session.answer()
    if code(hello) != 220:
        raise Problem(f"it does not greet: {hello[-1]}", _OTHERS)
    return session.ask("EHLO mailstack-verify.example.com")


def _smtp(session: Session, hello: list[str], user: str, password: str) -> str:
    offered = [line for line in session.ask("EHLO localhost") if "AUTH" in line.upper()]
    response = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    session.socket.sendall(f"AUTH PLAIN {response}\r\n".encode())
    said = session.answer()
    return _not_taken(offered, code(said) == 235, said)


def _imap(session: Session, hello: list[str], user: str, password: str) -> str:
    capabilities = " ".join(session.ask("v1 CAPABILITY")).upper()
    offered = ["AUTH=PLAIN"] if "AUTH=PLAIN" in capabilities else []
    said = session.ask(f'v1 LOGIN "{user}" "{password}"')
    return _not_taken(offered, said[-1].startswith("v1 OK"), said)


def _pop3(session: Session, hello: list[str], user: str, password: str) -> str:
    said = session.ask(f"USER {user}")
    if said[-1].startswith("+OK"):
        said = session.ask(f"PASS {password}")
    return _not_taken([], said[-1].startswith("+OK"), said)


def _sieve(session: Session, hello: list[str], user: str, password: str) -> str:
    offered = [line for line in hello if line.upper().startswith('"SASL"') and "PLAIN" in line.upper()]
    response = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    session.socket.sendall(f'AUTHENTICATE "PLAIN" "{response}"\r\n'.encode())
    said = session.answer()
    return _not_taken(offered, said[-1].upper().startswith("OK"), said)


_TRIES: dict[str, Callable[[Session, list[str], str, str], str]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "sieve": _sieve,
}


def _not_taken(offered: list[str], taken: bool, said: list[str]) -> str:
    if taken:
        raise Problem("the server took it")
    if offered:
        raise Problem(f"it is offered, and clients send it then: {one_line(offered[0])}")
    return one_line(said[-1])
