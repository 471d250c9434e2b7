"""The records of each zone, put together from the declarations of components and what only the host knows.

Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailstack.components.component import registered
from mailstack.components.declarations import FormerRecord, Record

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.facts.dkim import DkimKey

BACKUP_PREFERENCE = 20
"""The preference of this host in the MX records of a domain that it relays: behind the primary's."""
_STRING = 255
"""The longest string in a TXT record (RFC 1035, 3.3)."""


class Known(NamedTuple):
    """What only the host and its database know.

    + domains: the domains with mailboxes, and alias domains
    + relayed: the domains whose mail goes on to another server
    + addresses: the addresses by which the world reaches the host
    + keys: the DKIM keys by the names of their records
    + tlsa: the data of the host's TLSA records (RFC 6698)
    + retired: the names of the records of DKIM keys that the host had, and deleted
    + others: the names of the server's other mail hosts, if they have others
    """

    domains: Sequence[str] = ()
    relayed: Sequence[str] = ()
    addresses: Sequence[str] = ()
    keys: Mapping[str, DkimKey] = {}
    tlsa: Sequence[str] = ()
    retired: Sequence[str] = ()
    others: Sequence[str] = ()


class Zone(NamedTuple):
    """The records of a domain, and of the names below it.

    + relayed: whether it is somebody else's, and this host only one of its mail servers
    + former: the records of before, which are deleted if they are there
    """

    name: str
    records: tuple[Record, ...]
    relayed: bool = False
    former: tuple[FormerRecord, ...] = ()


def zones(site: Site, known: Known) -> list[Zone]:
    """Return the records of all domains and of the host, each in the zone of the domain that it is below.

    The host has a zone of its own if it is below no domain, and so has any other name.
    """
    hostname = site.settings.mail_hostname
    records = [record for domain in known.domains for record in _of_domain(site, domain, known)]
    records += _of_host(site, known)
    records += [Record(name, "MX", f"{BACKUP_PREFERENCE} {hostname}.") for name in known.relayed]
    names = dict.fromkeys([*known.domains, *known.relayed])
    sorted_in: dict[str, list[Record]] = {name: [] for name in names}
    for record in _tidied(records, known.addresses):
        sorted_in.setdefault(_zone_of(record.name, names, hostname), []).append(record)
    former: dict[str, list[FormerRecord]] = {}
    for each in _former(site, known):
        former.setdefault(_zone_of(each.name, names, hostname), []).append(each)
    return [
        Zone(
            name,
            tuple(sorted(found, key=lambda record: record.name != name)),
            name in known.relayed,
            tuple(former.get(name, ())),
        )
        for name, found in sorted_in.items()
    ]


def host_zone(every: Iterable[Zone], hostname: str) -> Zone:
    """Return the records of the host alone, as a zone, from those of all domains and of the host."""
    home = next(zone for zone in every if any(record.name == hostname for record in zone.records))
    return Zone(hostname, tuple(each for each in home.records if _is_below(each.name, hostname)))


def reverse(site: Site, known: Known) -> list[Record]:
    """Return the records by which the host's addresses lead to its name; the provider of these has them."""
    name = f"{site.settings.mail_hostname}."
    return [Record(ipaddress.ip_address(address).reverse_pointer, "PTR", name) for address in known.addresses]


def text_of(data: str) -> str:
    """Return the text in the data of a TXT record: its strings, joined, and without quotes."""
    return "".join(_unescaped(string) for string in _strings(data))


def text_data(text: str) -> str:
    """Return the data of a TXT record with this text: strings of at most 255 octets, in quotes."""
    octets = text.encode("latin-1")
    parts = [octets[start : start + _STRING] for start in range(0, len(octets), _STRING)] or [b""]
    return " ".join(f'"{"".join(map(_escaped, part))}"' for part in parts)


def kind_of(text: str) -> str:
    """Return the tag by which the text of a TXT record says what it is, such as ``v=spf1``.

    A name may have several such records of different owners; the text without a tag is nobody's.
    """
    match = re.match(r"v\s*=\s*[a-z0-9]+", text, re.IGNORECASE)
    return re.sub(r"\s", "", match[0]).lower() if match else ""


def _of_domain(site: Site, domain: str, known: Known) -> list[Record]:
    declared = [record for component in site.components for record in component.records(site, domain)]
    return declared + _keys(known, domain)


def _former(site: Site, known: Known) -> list[FormerRecord]:
    components = registered()
    found = [
        each for one in components for domain in known.domains for each in one.former_records(site, domain)
    ]
    return found + [FormerRecord(name, "TXT", "v=DKIM1;.*") for name in known.retired]


def _of_host(site: Site, known: Known) -> list[Record]:
    settings = site.settings
    hostname = settings.mail_hostname
    records = _addresses(hostname, known.addresses)
    records += [record for component in site.components for record in component.host_records(site)]
    records += [Record(f"_25._tcp.{hostname}", "TLSA", data) for data in known.tlsa]
    for name in dict.fromkeys([hostname, settings.expanded(settings.mail_myorigin)]):
        if name not in known.domains:
            records += _keys(known, name)
    return records


def _addresses(name: str, addresses: Iterable[str]) -> list[Record]:
    return [
        Record(name, "AAAA" if ipaddress.ip_address(each).version == 6 else "A", each) for each in addresses
    ]


def _keys(known: Known, domain: str) -> list[Record]:
    return [Record(name, "TXT", key.data) for name, key in known.keys.items() if key.domain == domain]


def _tidied(records: Iterable[Record], addresses: Sequence[str]) -> list[Record]:
    """Return each record once, with at most one SPF record a name, and no CNAME beside others (RFC 2181)."""
    found = list(dict.fromkeys(_split(record) for record in records))
    others = {record.name for record in found if record.type != "CNAME"}
    tidied: list[Record] = []
    with_spf: set[str] = set()
    for record in found:
        if record.type == "CNAME" and record.name in others:
            tidied += _addresses(record.name, addresses)
        elif record.type == "TXT" and kind_of(text_of(record.data)) == "v=spf1":
            if record.name not in with_spf:  # a domain's comes before that of a host of the same name
                tidied.append(record)
            with_spf.add(record.name)
        else:
            tidied.append(record)
    return list(dict.fromkeys(tidied))


def _split(record: Record) -> Record:
    if record.type != "TXT" or all(len(_unescaped(each)) <= _STRING for each in _strings(record.data)):
        return record
    return record._replace(data=text_data(text_of(record.data)))


def _strings(data: str) -> list[str]:
    return [quoted or bare for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', data)]


def _unescaped(string: str) -> str:
    def octet(match: re.Match[str]) -> str:
        return chr(int(match[1])) if match[1].isdigit() else match[1]

    return re.sub(r"\\([0-9]{3}|.)", octet, string)


def _escaped(octet: int) -> str:
    character = chr(octet)
    if character in '"\\':
        return f"\\{character}"
    return character if 32 <= octet < 127 else f"\\{octet:03}"


def _zone_of(name: str, zones: Iterable[str], hostname: str) -> str:
    above = [zone for zone in zones if _is_below(name, zone)]
    if above:
        return max(above, key=len)
    if _is_below(name, hostname):
        return hostname
    return name.rpartition("._report._dmarc.")[2]


def _is_below(name: str, zone: str) -> bool:
    return name == zone or name.endswith(f".{zone}")
