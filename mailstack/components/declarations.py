"""Declarations of a component for Postfix and Dovecot, firewall, backup, DNS and checks: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from mailstack.settings.postfix_master import MasterService


class Port(NamedTuple):
    """A TCP port on which a component listens for other hosts.

    + name: the name of the service at IANA: ``smtp``, ``submissions``, ``imaps``
    + clients: IP addresses of the hosts that may connect; empty for all
    """

    number: int
    name: str
    clients: tuple[str, ...] = ()


class Jail(NamedTuple):
    """Logins in the journal that fail2ban watches.

    + journal: the entries that it reads, as journalctl(1) matches them. Each names the unit, which journald
      itself records: everything else in an entry may be a lie of any user of the host
    + ports: the TCP ports that are shut to a banned address
    + guesses: regular expressions for lines about wrong logins, with fail2ban's tags ``<ADDR>`` and
      ``<F-USER>``, and ``<F-HASH>`` for something that differs by password
    + logins: those for lines about good logins, with ``<ADDR>`` and ``<F-GOOD>``
    """

    journal: Sequence[str]
    ports: Sequence[int]
    guesses: Sequence[str] = ()
    logins: Sequence[str] = ()


class State(NamedTuple):
    """Data on a host that a deploy could not create again.

    + path: the path of a directory or file, or the name of a database
    + holds: its kind. A backup of secrets must be encrypted, and a database is dumped, not copied
    """

    path: str
    holds: Literal["mail", "queue", "scripts", "secrets", "database", "training"]


class Record(NamedTuple):
    """A DNS record, in the presentation format of RFC 1035, 5.

    + name: fully qualified, without the dot at its end
    + type: ``MX``, ``SRV``, ``TXT``, …
    + data: as in a zone file; names in it end with a dot
    """

    name: str
    type: str
    data: str


class FormerRecord(NamedTuple):
    """A DNS record that a component may have had before, with other settings.

    + pattern: a regular expression for all of its data, as a name server has it; of TXT for the text. What
      it matches must be mailstack's own, as it is deleted
    """

    name: str
    type: str
    pattern: str


class ServiceProbe(NamedTuple):
    """A check on a host that proves that a component works.

    + title: the proven statement
    + script: a shell script that succeeds if it is true, or prints the reason on standard error
    + advice: what a person can do if it fails; a sentence without its full stop
    """

    title: str
    script: str
    advice: str = ""


class PostfixAddition(NamedTuple):
    """Lines for Postfix, see postconf(5) and master(5).

    + parameters: parameters of ``main.cf`` that Postfix's own component does not set
    + services: services of ``master.cf``, by name and type
    + milters: names of links to milters, in the order in which a message passes them
    + recipient_checks: restrictions for the end of ``smtpd_recipient_restrictions``
    + quota_checks: the same, for recipients with a quota
    + sender_transports: tables for the end of ``sender_dependent_default_transport_maps``
    + tls_policies: tables for the end of ``smtp_tls_policy_maps``
    """

    parameters: Mapping[str, str] = {}
    services: Sequence[MasterService] = ()
    milters: Sequence[str] = ()
    recipient_checks: Sequence[str] = ()
    sender_transports: Sequence[str] = ()
    tls_policies: Sequence[str] = ()
    quota_checks: Sequence[str] = ()


class DovecotAddition(NamedTuple):
    """Lines for Dovecot, in the syntax of the generation on the host.

    + plugins: names for ``mail_plugins``, by protocol: ``imap``, ``lmtp``; the empty name is for all
      protocols
    + blocks: text for ``dovecot.conf``, by topic
    + scripts: Sieve scripts by name
    + before: the names of scripts that run before each user's active one, in this order. A name that is not
      in ``scripts`` is that of a script of the user
    """

    plugins: Mapping[str, Sequence[str]] = {}
    blocks: Mapping[str, str] = {}
    scripts: Mapping[str, str] = {}
    before: Sequence[str] = ()
