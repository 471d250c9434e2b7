"""Updates of zones on a name server (RFC 2136), signed (TSIG, RFC 8945): only of records that are ours."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import dns.exception
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
from pyinfra.api.exceptions import OperationError

from mailstack.components.declarations import FormerRecord, Record
from mailstack.dns.asking import Answer, Ask, beside, own, zone_at
from mailstack.dns.compare import Group, groups, leads_to
from mailstack.dns.printed import TTL
from mailstack.dns.records import Zone, text_data

OTHERS = frozenset({"CAA"})
"""Types of which records that are not wanted may be somebody else's, and stay."""
_TIMEOUT = 10


class Change(NamedTuple):
    """A record to add or to delete: the sign is ``+`` or ``-``."""

    sign: str
    record: Record

    def __str__(self) -> str:
        return f"{self.sign} {self.record.name}. {self.record.type} {self.record.data}"


class Key(NamedTuple):
    """The key that signs updates. Its secret is base64, and never shown."""

    name: str
    algorithm: str
    secret: str


def parts(zone: Zone, apex: str, ask: Ask) -> tuple[dict[str, Zone], list[str]]:
    """Return the records of a domain by the zone of the server that has their names, and what is left alone.

    Names may be delegated to other servers: here nobody would see their records.
    """
    found: dict[str, Zone] = {}
    away = []
    for name in dict.fromkeys(each[0] for each in (*zone.records, *zone.former)):
        answer = zone_at(name, ask)
        if answer.delegated or not answer.authoritative:
            away.append(f"{name} is left alone: {elsewhere(answer)}")
            continue
        part = found.setdefault(answer.zone or apex, zone._replace(records=(), former=()))
        found[answer.zone or apex] = part._replace(
            records=(*part.records, *(each for each in zone.records if each.name == name)),
            former=(*part.former, *(each for each in zone.former if each.name == name)),
        )
    return found, away


def elsewhere(answer: Answer) -> str:
    """Return where a name is that is in no zone of a server."""
    if answer.delegated:
        return f"it is delegated to {' and '.join(answer.delegated)}"
    return f"it answers {answer.code}"


def changes(
    records: Iterable[Record],
    ask: Ask,
    hostname: str,
    former: Iterable[FormerRecord] = (),
    others: Collection[str] = OTHERS,
    hosts: Collection[str] = (),
) -> tuple[list[Change], list[str]]:
    """Return the changes that bring these records into the DNS, and what is in the way.

    + ask: returns what the name server has of a name and type
    + former: the records of before, with other settings or keys
    + others: the types of which none is deleted
    + hosts: the names of the server's other mail hosts, whose records stay

    A record that is there and not wanted is deleted only if it is one of ours from before. Of TXT that is one
    of the same kind, such as ``v=spf1``; of MX one that names this host. Of addresses, SRV, TLSA and CNAME it
    is any, as nobody else has these at such a name.

    In the way is the CNAME at a name that has a record, and other records where a CNAME must be.
    """
    found: list[Change] = []
    problems: dict[str, None] = {}
    wanted = groups(records)
    for group in wanted:
        answer = own(group.name, group.type, ask)
        if answer.code not in ("NOERROR", "NXDOMAIN"):
            problems[f"the name server answers {answer.code} to {group.type} {group.name}"] = None
        elif answer.alias:
            problems[f"{group.name} is a CNAME for {answer.alias}: delete it, then publish again"] = None
        elif group.type == "CNAME" and not answer.data and (kinds := beside(group.name, ask)):
            has = f"{group.name} has {' and '.join(kinds)} records"
            problems[f"{has}, so that it can't be a CNAME: delete them first"] = None
        owned = [data for data in answer.data if group.type not in others and _is_ours(group, data, hostname)]
        stale = [data for data in owned if data not in group.wanted and not leads_to(group.type, data, hosts)]
        found += [Change("-", Record(group.name, group.type, _data(group.type, data))) for data in stale]
        new = zip(group.records, group.wanted, strict=True)
        found += [Change("+", record) for record, data in new if data not in answer.data]
    names = {(group.name, group.type) for group in wanted}
    gone = [change for each in former if each[:2] not in names for change in _deletions(each, ask)]
    return found + gone, [*problems]


def _deletions(former: FormerRecord, ask: Ask) -> list[Change]:
    name, kind, pattern = former
    found = [data for data in own(name, kind, ask).data if re.fullmatch(pattern, data)]
    return [Change("-", Record(name, kind, _data(kind, data))) for data in found]


def send(server: str, key: Key, zone: str, some: Sequence[Change]) -> None:
    """Make these changes of a zone, all or none. Raises ``OperationError`` if the server refuses them."""
    signed = dns.tsig.Key(key.name, key.secret, key.algorithm)
    update = dns.update.UpdateMessage(dns.name.from_text(zone), keyring=signed)
    for sign, record in some:
        if sign == "-":
            update.delete(f"{record.name}.", record.type, record.data)
    for sign, record in some:
        if sign == "+":
            update.add(f"{record.name}.", TTL, record.type, record.data)
    try:
        code = dns.query.tcp(update, server, timeout=_TIMEOUT).rcode()
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise OperationError(f"{server} did not take the update of {zone}: {_why(error, key)}") from None
    if code != dns.rcode.NOERROR:
        raise OperationError(f"{server} refused the update of {zone}: {dns.rcode.to_text(code)}")


def _why(error: Exception, key: Key) -> str:
    """Return the kind of an error in words; its text is dnspython's."""
    unknown = (
        f"it does not know the key mail_dns_key_name = {key.name}, "
        f"or not as one of mail_dns_key_algorithm = {key.algorithm}"
    )
    return {
        "PeerBadKey": unknown,
        "BadAlgorithm": unknown,
        "FormError": f"its answer is not signed, perhaps as {unknown}",
        "PeerBadSignature": "it has another secret for the key mail_dns_key_name",
        "PeerBadTime": "its clock differs from that of this machine",
        "Timeout": "it does not answer",
    }.get(type(error).__name__, type(error).__name__)


def _is_ours(group: Group, data: str, hostname: str) -> bool:
    if group.type == "TXT":
        return group.has_kind_of(data)
    if group.type == "MX":
        return data.split()[-1] == f"{hostname}."
    return True


def _data(kind: str, data: str) -> str:
    return text_data(data) if kind == "TXT" else data
