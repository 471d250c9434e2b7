"""What others see of a mail server: its names in the DNS, its ports, and what it says on them."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from dns import reversename

from mailstack.on_host.verify.lines import Ended, Session, any_certificate, code
from mailstack.on_host.verify.results import Doubt, Problem, Report, Result, Skip, shown
from mailstack.on_host.verify.tls import certificate

if TYPE_CHECKING:
    from mailstack.dns.asking import Asker

_TIMEOUT = 10.0
_FOREIGN = "verify@mailstack-verify.example"
"""A recipient of nobody there (RFC 2606)."""
_MAIL = ("EHLO mailstack-verify.example.com", "MAIL FROM:<>")
_NEEDED = {25: "smtp", 465: "submissions", 587: "submission", 993: "imaps"}
_HOW = {25: "smtp", 587: "smtp", 143: "imap", 110: "pop3", 4190: "sieve", 465: "", 993: "", 995: "", 443: ""}
_NAMES = {**_NEEDED, 143: "imap", 110: "pop3", 995: "pop3s", 4190: "sieve", 443: "https"}
_CLOSED = {
    3306: "MariaDB",
    5432: "PostgreSQL",
    6379: "Redis",
    9100: "metrics",
    11332: "rspamd's milter",
    11334: "rspamd's web interface",
}
"""Services that are for the host alone."""
_ORDER = ("dns", "ports", "tls", "smtp", "refused")
_FIREWALL = (
    "does it run, and does a firewall at the host or its provider let it through? Many networks block port 25"
    " outward: try from another one"
)
_REFUSED = (
    "does it run, and do other networks reach it? Then this machine is shut out there: mailstack.ban.list has"
    " its address, and mailstack.ban.remove ADDRESS lets it in again"
)
_NO_DNS = "do its name servers answer? mailstack.dns.check asks them; resolver=… names another resolver"
_AGAIN = "verify again, from another network: this one may be banned, or have to wait (greylisting)"
_ZONE = "mailstack.dns.zone has the record for where your DNS is kept"


def look(asker: Asker, name: str) -> list[Result]:
    """Check a server, or all servers of a mail domain."""
    report = Report()
    title = f"the mail servers of {name}"
    try:
        records = _data(asker, name, "MX")
    except Problem as problem:
        report.failed("dns", title, problem, _NO_DNS)
        return report.results
    servers = _exchangers(records)
    if records:
        report.check("dns", title, partial(_listed, asker, servers), _ZONE)
    if records and not servers and not any(_may_have(asker, name, kind) for kind in ("A", "AAAA")):
        return report.results  # a null MX, and no server has this name either
    named = [each for each in servers or [name] if not _is_address(each)]
    with ThreadPoolExecutor(8) as pool:
        tasks = [task for server in named for task in _tasks(report, asker, server)]
        for task in tasks:
            pool.submit(report.guarded, "ports", task)
    return sorted(report.results, key=lambda result: (_ORDER.index(result.group), result.title))


def _data(asker: Asker, name: str, kind: str) -> tuple[str, ...]:
    """Return records. Raises ``Problem`` if the DNS does not say whether there are any."""
    answer = asker.ask(name, kind, unchecked=True)
    if answer.code not in ("NOERROR", "NXDOMAIN"):
        raise Problem(f"the DNS does not say its {kind} records: {answer.code}", _NO_DNS)
    return answer.data


def _exchangers(records: Iterable[str]) -> list[str]:
    """Return the servers of MX records, the preferred ones first; none of a null MX (RFC 7505)."""
    found = sorted((int(preference), target.rstrip(".")) for preference, target in map(str.split, records))
    return [target for _, target in found if target]


def _listed(asker: Asker, servers: list[str]) -> str:
    if not servers:
        raise Skip("it says by a null MX that it takes no mail (RFC 7505)")
    if numbers := [each for each in servers if _is_address(each)]:
        text = f"an MX record names {', '.join(numbers)}, an address; it must name a host (RFC 2181, 10.3)"
        raise Problem(
            text, "give the address a name, an A or AAAA record, and put that name into the MX record"
        )
    aliases = {each: alias for each in servers if (alias := asker.ask(each, "A", unchecked=True).alias)}
    if aliases:
        shown = ", ".join(f"{each} is an alias of {alias.rstrip('.')}" for each, alias in aliases.items())
        raise Doubt(f"{shown}; an MX record must name the host itself (RFC 2181, 10.3)", _ZONE)
    return ", ".join(servers)


def _is_address(name: str) -> bool:
    """Return whether an MX record has an address in the place of a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _may_have(asker: Asker, name: str, kind: str) -> bool:
    """Return whether there are records, or may be."""
    try:
        return bool(_data(asker, name, kind))
    except Problem:
        return True


def _tasks(report: Report, asker: Asker, server: str) -> list[Callable[[], object]]:
    """Ask for the addresses of a server, and return the checks of each."""
    addresses: set[str] = set()
    silent: list[Problem] = []
    for kind in ("A", "AAAA"):
        try:
            addresses.update(_data(asker, server, kind))
        except Problem as problem:
            silent.append(problem)
    found = sorted(addresses)

    def named() -> str:
        if not found:
            raise silent[0] if silent else Problem("it has none", _ZONE)
        if silent:
            raise Doubt(f"{', '.join(found)}; {silent[0].text}", _NO_DNS)
        return ", ".join(found)

    report.check("dns", f"{server} has addresses", named)
    tasks: list[Callable[[], object]] = []
    for address in found:
        # the resolver keeps its answers: it is not asked in threads
        report.check("dns", f"{address} has the name {server}", partial(_reverse, asker, address, server))
        if not _reaches(address):
            report.check("ports", f"{address}", _no_route)
            continue
        tasks.append(partial(_port_25, report, server, address))
        tasks += [partial(_port, report, server, address, number) for number in _HOW if number != 25]
        tasks += [partial(_closed, report, address, number) for number in _CLOSED]
    return tasks


def _reverse(asker: Asker, address: str, server: str) -> None:
    pointer = str(reversename.from_address(address)).rstrip(".")
    names = [each.rstrip(".") for each in _data(asker, pointer, "PTR")]
    if server not in names:
        text = f"its PTR record is {' and '.join(names)}" if names else "it has no PTR record"
        raise Problem(text, f"ask the provider of the address for one to {server}; large receivers want it")


def _reaches(address: str) -> bool:
    """Return whether this machine has a way to an address: many have no IPv6."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((address, 25))  # sends nothing
    except OSError as error:
        return error.errno not in (errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
    return True


def _no_route() -> str:
    raise Skip("this machine has no way to it")


def _port_25(report: Report, server: str, address: str) -> None:
    def greets() -> str:
        try:
            session = Session("smtp", address, 25, timeout=30)
        except OSError as error:
            raise _unreached(error) from None
        with session:
            said = session.answer()
        if code(said) != 220 or said[0].split()[1:2] != [server]:
            raise Problem(
                f"it says: {said[0]}",
                f"receivers expect 220 {server}: is that the mail_hostname of this host?",
            )
        return said[0]

    if not report.check("smtp", f"{address} greets on 25 with its name", greets):
        return
    report.check(
        "tls",
        f"the certificate on {address} 25",
        partial(certificate, "smtp", address, 25, server),
        "smtpd_tls_security_level must not be none: pyinfra INVENTORY deploy.py",
    )
    report.check(
        "refused",
        f"{address} takes no mail for others",
        partial(_relays, address),
        "an open relay is found within hours: see mail_mynetworks, mail_smtpd_relay_restrictions",
    )
    report.check(
        "refused",
        f"{address} takes no password on 25",
        partial(_offers_auth, address, 25, False),
        "strangers guess there: mail_postfix_main must not set smtpd_sasl_auth_enable",
    )


def _unreached(error: OSError) -> Problem:
    """Return what a failed connection means: fail2ban refuses those of an address that it shuts out."""
    advice = _REFUSED if isinstance(error, ConnectionRefusedError) else _FIREWALL
    return Problem(f"no connection: {shown(error)}", advice)


def _relays(address: str) -> str:
    """Try to relay. Only an answer to the recipient proves something."""
    try:
        with Session("smtp", address, 25, timeout=30) as session:
            for said in (session.answer(), *map(session.ask, _MAIL)):
                if not 200 <= code(said) < 400:
                    raise _untried(said)
            said = session.ask(f"RCPT TO:<{_FOREIGN}>")
            session.ask("QUIT")
    except (OSError, Ended) as error:
        raise Problem(f"it can't be tried: {shown(error)}", _AGAIN) from None
    if code(said) < 400:
        raise Problem(f"to {_FOREIGN}: {said[-1]}")
    if code(said) < 500 and ".7.1 " not in said[-1]:  # 4.7.1 with defer_unauth_destination
        raise _untried(said)
    return said[-1]


def _untried(said: list[str]) -> Problem:
    """Return what such an answer means: "come again" of a busy server is no fault (RFC 5321, 4.2.1)."""
    kind = Doubt if 400 <= code(said) < 500 else Problem
    return kind(f"it can't be tried: {said[-1]}", _AGAIN)


def _port(report: Report, server: str, address: str, number: int) -> None:
    """Check a port for mail programs; one that need not be open only if it is."""
    title = f"{address} {number} ({_NAMES[number]})"
    try:
        Session(_HOW[number] or "smtp", address, number, timeout=_TIMEOUT).close()
    except OSError as error:
        if number in _NEEDED:
            report.failed("ports", f"{title} is open", _unreached(error), _FIREWALL)
        return
    report.check("ports", f"{title} is open", lambda: None)
    how = _HOW[number]
    report.check("tls", f"the certificate on {title}", partial(certificate, how, address, number, server))
    if how:
        report.check(
            "refused",
            f"{title} takes no password in clear",
            partial(_offers_auth, address, number, True),
            "pyinfra INVENTORY deploy.py restores it: mail_postfix_main or mail_dovecot_extra allow it",
        )


def _offers_auth(address: str, number: int, with_tls: bool) -> str:
    """Check that a login is not offered; it is not tried, as the host would count a wrong password.

    + with_tls: whether it should be offered by TLS
    """
    how = _HOW[number]
    with Session(how, address, number, timeout=30) as session:
        lines = session.answer()
        if session.is_good(lines) and how == "smtp":
            lines = session.ask("EHLO mailstack-verify.example.com")
        if not session.is_good(lines):
            raise Problem(f"it can't be tried: {lines[-1]}", _AGAIN)
        if how == "imap":
            lines = session.ask("v1 CAPABILITY")
        elif how == "pop3":
            lines = session.ask("USER nobody@mailstack-verify.invalid")
        if _admits(how, lines):
            raise Problem(f"it does: {' '.join(lines)[:200]}")
    if how == "smtp" and not with_tls:
        with Session(how, address, number, timeout=30) as session:
            session.starttls(any_certificate(), "mail.invalid")
            if _admits(how, session.ask("EHLO mailstack-verify.example.com")):
                raise Problem("it offers AUTH by TLS")
    return ""


def _admits(how: str, lines: list[str]) -> bool:
    text = " ".join(lines).upper()
    if how == "smtp":
        return any(line[4:].upper().startswith("AUTH") for line in lines)
    if how == "imap":
        return "LOGINDISABLED" not in text or "AUTH=PLAIN" in text
    if how == "pop3":
        return text.startswith("+OK")
    return any(line.upper().startswith('"SASL"') and "PLAIN" in line.upper() for line in lines)


def _closed(report: Report, address: str, number: int) -> None:
    def closed() -> None:
        try:
            socket.create_connection((address, number), 3).close()
        except OSError:
            return
        raise Problem(
            "it is open", "it is for the host alone: have it listen on 127.0.0.1, or set mail_firewall"
        )

    report.check("ports", f"{address} {number} ({_CLOSED[number]}) is closed", closed)
