"""Mail from strangers whose domains ask for this or that, and what a server says of it."""

from __future__ import annotations

import imaplib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from ipaddress import ip_network
from typing import Any

from mailstack import Settings
from mailstack.components.declarations import Record
from mailstack.dns.records import Known, reverse, zones
from mailstack.facts.dkim import DkimKey
from tests.support import clients, dns, sample_accounts
from tests.support.sites import site
from tests.targets.containers import Target

#: Domains of strangers: with DMARC's policies, and one that has none.
REJECT, QUARANTINE, SILENT = "reject.example", "quarantine.example", "silent.example"


@dataclass(frozen=True)
class Protected:
    """A server with rspamd, and the DNS that it asks."""

    server: Target
    dns: Target

    def serve(self, *domains: str, peer: Target | None = None, more: Iterable[Record] = ()) -> None:
        """Publish the host, the strangers, and what receivers must know of these domains of the server.

        + peer: the server for mail to strangers
        + more: records of other servers
        """
        records = [*self._strangers(), *published(self.server, sample_accounts.HOSTNAME, *domains), *more]
        if peer:
            records.append(Record(sample_accounts.REMOTE, "MX", "10 peer.example."))
            records += dns.host("peer.example", peer.ip)
        dns.serve(self.dns, records)

    def _strangers(self) -> list[Record]:
        network = self.server.network
        # this machine, as the server sees it
        address = str(next(ip_network(network.subnet).hosts()))
        records = dns.host(sample_accounts.REMOTE, address)
        for domain, policy in ((REJECT, "reject"), (QUARANTINE, "quarantine"), (SILENT, None)):
            records.append(Record(domain, "MX", f"10 {sample_accounts.REMOTE}."))
            if policy:
                records.append(Record(domain, "TXT", f'"v=spf1 ip4:{address} -all"'))
                records.append(Record(f"_dmarc.{domain}", "TXT", f'"v=DMARC1; p={policy}"'))
        return records


def published(server: Target, hostname: str, *domains: str) -> list[Record]:
    """Return the records of a server and its domains, as mailstack prints them; with DMARC `reject`."""
    keys = [key for name in (hostname, *domains) for key in dns.keys(server, name)]
    here = site(Settings(mail_hostname=hostname, mail_dmarc_policy="reject"))
    known = Known(domains, addresses=(server.ip, server.ip6), keys={_name(key): key for key in keys})
    return [record for zone in zones(here, known) for record in zone.records] + reverse(here, known)


def wait_for_keys(server: Target) -> None:
    """Wait until the standard server has made the DKIM keys of all its domains, as it does after a deploy."""
    for domain in (sample_accounts.HOSTNAME, "example.org", "example.com", "disabled.example"):
        dns.keys(server, domain)


def _name(key: DkimKey) -> str:
    return f"{key.selector}._domainkey.{key.domain}"


def data(**more: Any) -> dict[str, Any]:
    """Return the host data of the standard test server, with a filter that trusts a forwarder, and SRS."""
    return sample_accounts.data(
        mail_rspamd=True,
        mail_srs=True,
        mail_resolver=True,
        mail_trusted_sealers=["mail.a.example"],
        # exceptions, for servers whose certificate is not the one that their domain publishes
        mail_smtp_tls_policy={"lenient.example": "may", ".lenient.example": "may"},
        **more,
    )


def letter(sender: str, recipient: str, subject: str = "A letter", body: str = "") -> EmailMessage:
    """Return a message as a person writes it. No two have the same text, which the filter would remember."""
    words = "the invoice for our meeting of last week, and the numbers that you asked for"
    mail = clients.message(sender, recipient, subject, f"{body or words}\n\nReference {uuid.uuid4()}\n")
    mail["Date"] = formatdate()
    return mail


def somebody(domain: str) -> str:
    """Return an address that has never written before: greylisting remembers them."""
    return f"{uuid.uuid4().hex[:8]}@{domain}"


def folder_of(target: Target, user: str, message_id: str, password: str | None = None) -> str:
    """Return the folder, INBOX or Junk, in which a message has arrived."""

    def look() -> str | None:
        with clients.imap(target, user, password=password) as session:
            for folder in ("INBOX", "Junk"):
                session.select(folder)
                if clients.find(session, message_id):
                    return folder
        return None

    return clients.eventually(look, f"{message_id} did not come") or ""


def move(session: imaplib.IMAP4, message_id: str, source: str, destination: str) -> None:
    """Move a message from one folder to another, as a user does."""
    session.select(source)
    _, found = session.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')
    assert session.uid("MOVE", found[0].decode(), destination)[0] == "OK"


def fields(message: bytes, name: str) -> list[str]:
    """Return the values of a header field, each on one line."""
    head = message.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode(errors="replace")
    found = re.findall(rf"^{name}: (.*(?:\n[ \t].*)*)", head, re.MULTILINE | re.IGNORECASE)
    return [" ".join(value.split()) for value in found]


def signers(message: bytes) -> list[str]:
    """Return the DKIM signatures of a message, each as ``selector@domain``."""
    signatures = fields(message, "DKIM-Signature")
    tags = [dict(re.findall(r"\b([a-z]+)=([^;]*)", signature)) for signature in signatures]
    return [f"{tag['s'].strip()}@{tag['d'].strip()}" for tag in tags]


def verdict(message: bytes) -> str:
    """Return our Authentication-Results; there is one field, whatever came."""
    (field,) = fields(message, "Authentication-Results")
    return field


def verdict_elsewhere(target: Target, message: bytes, recipient: str) -> str:
    """Return what a server says of a message that comes to it by way of a stranger, as it went out.

    Without what was added where it arrived before.
    """
    (message_id,) = fields(message, "Message-ID")
    with clients.smtp(target) as session:
        session.sendmail(somebody(SILENT), [recipient], message[message.index(b"DKIM-Signature:") :])
    return verdict(clients.received(target, recipient, message_id))
