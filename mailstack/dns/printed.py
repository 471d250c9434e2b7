"""Zones as text: lines of a zone file, JSON, and a table for the forms of a web page. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from mailstack.components.declarations import Record
from mailstack.dns.records import Zone, text_of

TTL = 3600
FORMATS = ("zone", "json", "table")


def printed(
    format: str, host: str, zones: Sequence[Zone], reverse: Sequence[Record], notes: Sequence[str]
) -> str:
    """Return the zones in one of ``FORMATS``.

    + host: the host in the inventory, which is named in JSON
    + reverse: the records that the provider of the addresses makes
    + notes: sentences about what is missing
    """
    if format == "json":
        return _json(host, zones, reverse, notes)
    write = zone_file if format == "zone" else _table
    sections = [write(zone) for zone in zones]
    if reverse:
        sections.append(_for_provider(reverse))
    if notes:
        sections.insert(0, "".join(f"; {note}\n" for note in notes))
    return "\n".join(sections)


def zone_file(zone: Zone) -> str:
    """Return a zone's records as lines of a zone file (RFC 1035, 5), which need no $ORIGIN and no $TTL.

    It has no SOA and no NS records, as those are the name server's own.
    """
    head = f"; {zone.name}{': it keeps its other MX records' if zone.relayed else ''}\n"
    return head + "".join(f"{line(record)}\n" for record in zone.records)


def line(record: Record) -> str:
    """Return a record as a line of a zone file."""
    return f"{record.name}. {TTL} IN {record.type} {record.data}"


def _json(host: str, zones: Iterable[Zone], reverse: Iterable[Record], notes: Sequence[str]) -> str:
    """Return a host's zones as one line, as several hosts make JSON Lines."""

    def value(record: Record) -> dict[str, object]:
        fields: dict[str, object] = {**record._asdict(), "ttl": TTL}
        return fields | ({"text": text_of(record.data)} if record.type == "TXT" else {})

    answer = {
        "host": host,
        "notes": notes,
        "zones": {zone.name: [value(record) for record in zone.records] for zone in zones},
        "reverse": [value(record) for record in reverse],
    }
    return json.dumps(answer) + "\n"


def _table(zone: Zone) -> str:
    """Return a zone as a table: texts without quotes, priorities in a column.

    Names are without the domain, if that is a zone of its own: ``mail.example.org`` may be in another.
    """
    rows = [("Type", "Name", "Priority", "Value")]
    rows += [_row(record, zone.name) for record in zone.records]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*map(str.ljust, row[:3], widths), row[3]]) for row in rows]
    return f"{zone.name}\n" + "".join(f"{each}\n" for each in lines)


def _row(record: Record, zone: str) -> tuple[str, str, str, str]:
    name = record.name
    if zone.count(".") == 1:
        name = "@" if name == zone else name.removesuffix(f".{zone}")
    if record.type == "TXT":
        return record.type, name, "", text_of(record.data)
    if record.type == "MX":
        preference, host = record.data.split()
        return record.type, name, preference, host.rstrip(".")
    if record.type == "SRV":
        priority, weight, port, host = record.data.split()
        return record.type, name, priority, f"weight {weight}, port {port}, target {host.rstrip('.') or '.'}"
    return record.type, name, "", record.data.removesuffix(".") if record.type == "CNAME" else record.data


def _for_provider(reverse: Iterable[Record]) -> str:
    lines = "".join(f"; {record.name}. PTR {record.data}\n" for record in reverse)
    return f"; Ask the provider of the host's addresses for these:\n{lines}"
