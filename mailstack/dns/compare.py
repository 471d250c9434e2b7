"""The records that are wanted, compared with those that a name server has. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import ge
from typing import Literal, NamedTuple

from mailstack.components.declarations import Record
from mailstack.dns.asking import Answer, normal
from mailstack.dns.records import kind_of

Kind = Literal["right", "missing", "different", "extra", "notice"]
_POLICIES = ("none", "quarantine", "reject")
_KEY = "v=dkim1"
_LISTS = {"MX", "TLSA", "CAA"}
"""Types of which others may have records beside these, at the same name."""
_LEADING = {"MX", "SRV"}
"""Types of which each mail host of a server may have a record, at the same name."""


class Verdict(NamedTuple):
    """The result of a comparison, with what is there instead. A notice fails no check."""

    kind: Kind
    text: str = ""


class Group(NamedTuple):
    """The wanted records of a name and type; of TXT those of one kind, such as ``v=spf1``."""

    name: str
    type: str
    records: tuple[Record, ...]

    @property
    def wanted(self) -> tuple[str, ...]:
        """Their data, as ``Answer.data`` has it."""
        return tuple(normal(record.type, record.data) for record in self.records)

    @property
    def tag(self) -> str:
        """The kind of a TXT record, otherwise empty."""
        return kind_of(self.wanted[0]) if self.type == "TXT" else ""

    def has_kind_of(self, text: str) -> bool:
        """Return whether a text at this name is of their kind. All texts at a name for DKIM are keys."""
        return self.tag == _KEY or (self.tag != "" and kind_of(text) == self.tag)


def groups(records: Iterable[Record]) -> list[Group]:
    """Return the records that a receiver looks at together."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        tag = kind_of(normal("TXT", record.data)) if record.type == "TXT" else ""
        found.setdefault((record.name, record.type, tag), []).append(record)
    return [Group(name, kind, tuple(some)) for (name, kind, _), some in found.items()]


def leads_to(kind: str, data: str, hosts: Collection[str]) -> bool:
    """Return whether a record is that of one of these hosts."""
    return kind in _LEADING and data.split()[-1].rstrip(".") in hosts


def compared(group: Group, answer: Answer, *, relayed: bool = False, others: Collection[str] = ()) -> Verdict:
    """Return whether a server has these records.

    + relayed: whether the domain is somebody else's, who has MX records of their own
    + others: the names of the server's other mail hosts, whose records may be there too
    """
    have = [data for data in answer.data if not group.tag or group.has_kind_of(data)]
    if not have:
        elsewhere = f"{group.name} is another name for {answer.alias}" if answer.alias else ""
        return Verdict("missing", elsewhere)
    if group.type == "TXT":
        return _text(group, have)
    lacking = set(group.wanted) - set(have)
    if lacking:
        return Verdict("different", f"there is {listed(have)}")
    found = set(have) - set(group.wanted)
    more = sorted(data for data in found if not leads_to(group.type, data, others))
    if not more or relayed:
        return Verdict("right")
    if group.type == "MX":
        best = min(int(data.split()[0]) for data in group.wanted)
        takes_mail = [data for data in more if int(data.split()[0]) <= best]
        text = f"there is also {listed(more)}, so that other hosts get mail"
        return Verdict("extra" if takes_mail else "notice", text)
    return Verdict("notice" if group.type in _LISTS else "extra", f"there is also {listed(more)}")


def listed(data: Iterable[str]) -> str:
    """Return data for a message."""
    return ", ".join(f"{each!r}" if " " in each else each for each in data)


def _text(group: Group, have: Sequence[str]) -> Verdict:
    if not group.tag:
        return Verdict("right" if set(group.wanted) <= set(have) else "missing")
    if len(have) > 1:
        use = "any or none" if group.tag == _KEY else "none"
        return Verdict("extra", f"there are {len(have)}, and receivers then use {use}: {listed(have)}")
    wanted, found = group.wanted[0], have[0]
    defaults = {"v": "DKIM1", "k": "rsa"} if group.tag == _KEY else {}
    if tags(wanted, defaults) == tags(found, defaults):
        return Verdict("right")
    text = f"there is {found!r}"
    if group.tag == "v=dmarc1" and all(map(ge, _strict(found), _strict(wanted))):
        return Verdict("notice", f"{text}, which is as strict")
    return Verdict("different", text)


def lost_terms(group: Group, answer: Answer) -> list[str]:
    """Return the mechanisms of the SPF records that are there and not wanted, as the setting takes them."""
    texts = [data for data in answer.data if group.has_kind_of(data)]
    words = [
        re.sub("^redirect=", "include:", word, flags=re.I) for text in texts for word in text.split()[1:]
    ]
    kept = group.wanted[0].lower().split()
    return [word for word in dict.fromkeys(words) if word.lower() not in kept and word[-3:].lower() != "all"]


def tags(text: str, defaults: Mapping[str, str] | None = None) -> object:
    """Return what a text says, without what says nothing: spaces, the order of tags, a semicolon at the end.

    + defaults: tags that may be left out

    Of SPF the order counts; the case of letters does only in values of others.
    """
    if kind_of(text) == "v=spf1":
        return text.lower().split()
    if "=" not in text:
        return text
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {
        **(defaults or {}),
        **{name.strip().lower(): re.sub(r"\s", "", value) for name, _, value in pairs},
    }


def _strict(dmarc: str) -> tuple[int, int]:
    """Return the ranks of the policies of a DMARC record, for the domain and for those below it."""
    said = tags(dmarc)
    assert isinstance(said, dict)
    policy = str(said.get("p", "none")).lower()
    below = str(said.get("sp", policy)).lower()
    first, second = (_POLICIES.index(each) if each in _POLICIES else 0 for each in (policy, below))
    return (first, second) if said.get("pct", "100") == "100" and said.get("t", "n") == "n" else (0, 0)
