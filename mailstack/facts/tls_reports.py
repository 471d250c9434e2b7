"""The reports that other servers sent of how they reached this one by TLS (TLSRPT, RFC 8460)."""

from __future__ import annotations

import binascii
import email
import email.policy
import json
import shlex
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from mailstack.facts.fact import Fact, Names, Value, listed
from mailstack.text import lines_of

_DAYS = 31
_MOST = 50_000_000
"""Bytes of a mailbox's reports that are read, and of one report that is unpacked: anyone may send one."""
_TEXT = 200


@dataclass(frozen=True)
class TlsReport(Value):
    """What one organization reported of one domain, for one day.

    + domain: the domain of this server
    + organization: who reports
    + day: the first day that it is about
    + policy: what it went by: ``tlsa`` (DANE), ``sts`` (MTA-STS) or ``no-policy-found``
    + succeeded, failed: numbers of sessions
    + failures: the number of sessions by the kind of failure, such as ``certificate-expired``
    """

    domain: str
    organization: str
    day: str
    policy: str
    succeeded: int
    failed: int
    failures: Mapping[str, int] = field(default_factory=dict)


class TlsReports(Fact[list[TlsReport]]):
    """Return the reports of the last month that lie in mailboxes of this host: ``list[TlsReport]``.

    + mailboxes: the users who get the mail to ``rua`` of ``_smtp._tls`` in the DNS
    """

    default = list

    def command(self, mailboxes: Names) -> str:
        """Read the reports in these mailboxes."""
        return self.asking(listed(mailboxes))

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``: a line for each mailbox."""
        return f"""for user in {shlex.join(about)}; do
  printf '%s ' "$user"
  timeout 60 doveadm -o stats_writer_socket_path= fetch -u "$user" text \\
    mailbox '*' SAVEDSINCE {_DAYS}d HEADER TLS-Report-Domain '' | head -c {_MOST} | base64 -w 0
  echo
done"""

    def parse(self, output: str) -> list[TlsReport]:
        """See ``Question.parse``."""
        found: list[TlsReport] = []
        for line in lines_of(output):
            user, _, data = line.partition(" ")
            if user in self.about:
                for text in b64decode(data).split(b"\f"):
                    found += _reports(text.strip().removeprefix(b"text:").lstrip())
        return sorted(found, key=lambda each: (each.day, each.domain, each.organization))


def _reports(text: bytes) -> Iterator[TlsReport]:
    message = email.message_from_bytes(text, _class=EmailMessage, policy=email.policy.default)
    for part in message.walk():
        if part.get_content_type() in ("application/tlsrpt+gzip", "application/tlsrpt+json"):
            try:
                yield from _policies(json.loads(_unpacked(part.get_payload(decode=True))))
            except (
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                RecursionError,
                zlib.error,
                binascii.Error,
            ):
                continue


def _unpacked(data: Any) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return bytes(data)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    text = unpacker.decompress(data, _MOST)
    if unpacker.unconsumed_tail:
        raise ValueError("too large")
    return text


def _policies(report: Any) -> Iterator[TlsReport]:
    for each in report["policies"]:
        policy, summary = each["policy"], each["summary"]
        failures: dict[str, int] = {}
        for failure in each.get("failure-details") or []:
            kind = _text(failure["result-type"])
            failures[kind] = failures.get(kind, 0) + int(failure.get("failed-session-count", 1))
        yield TlsReport(
            _text(policy["policy-domain"]),
            _text(report["organization-name"]),
            _text(report["date-range"]["start-datetime"])[:10],
            _text(policy["policy-type"]),
            int(summary["total-successful-session-count"]),
            int(summary["total-failure-session-count"]),
            failures,
        )


def _text(value: str) -> str:
    """Return a text of bounded length that a terminal shows as it is."""
    return "".join(letter if letter.isprintable() else "?" for letter in value[:_TEXT])
