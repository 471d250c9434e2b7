"""Rules between accounts, and between accounts and settings, for declared accounts and commands. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailstack import addresses
from mailstack.accounts.rows import WORDS, Change, Current, Key, applied, folded
from mailstack.settings.accounts import circle

if TYPE_CHECKING:
    from mailstack.settings import Settings

_CLASSES = {
    "mail_domain": "a domain of ours",
    "mail_alias_domain": "an alias domain",
    "mail_relay_domain": "a relay domain",
}
"""Postfix's address classes (ADDRESS_CLASS_README) that have a table; the other is mail_mydestination."""


class Given(NamedTuple):
    """The settings that accounts must agree with.

    + local: the domains of ``mail_mydestination``
    + declared: the domains that the settings declare, by table
    + sieve: whether Sieve is on, so that mail can be filed into folders
    + all_rows: whether existing rows are checked too, as an administrator may have written them by SQL
    + targets: the settings that send mail to an address, with that address
    + backends: the shares of new users of the hosts with mailboxes, by name, if a server has several
    """

    local: Collection[str] = ()
    declared: Mapping[str, Collection[str]] = {}
    sieve: bool = True
    all_rows: bool = False
    targets: Sequence[tuple[str, str]] = ()
    backends: Mapping[str, int] = {}

    @classmethod
    def of(
        cls, settings: Settings, *, all_rows: bool = False, backends: Mapping[str, int] | None = None
    ) -> Given:
        """Return these values of the settings, and the given ones."""
        declared = {
            "mail_domain": {domain.domain_name for domain in settings.mail_domains},
            "mail_alias_domain": {alias.alias_domain for alias in settings.mail_alias_domains},
            "mail_relay_domain": {domain.domain_name for domain in settings.mail_relay_domains},
        }
        targets = tuple(_targets(settings))
        return cls(settings.local_domains, declared, settings.mail_sieve, all_rows, targets, backends or {})


def _targets(settings: Settings) -> Iterator[tuple[str, str]]:
    targets = [("mail_postmaster", settings.mail_postmaster)]
    for setting in ("mail_local_aliases", "mail_virtual"):
        for name, ends in getattr(settings, setting).items():
            targets += [(f"{setting}: {name}", end) for end in ends]
    virtual = {source.lower() for source in settings.mail_virtual}
    for name, end in targets:
        # not a local name, "|command" or ":include:/file"; and not an address that mail_virtual has
        domain = end.lower().rpartition("@")[2]
        if "@" in end and end[0] not in '/|:"' and virtual.isdisjoint((end.lower(), f"@{domain}")):
            yield name, end


def broken(changes: Sequence[Change], current: Current, given: Given) -> Iterator[str]:
    """Yield a message for each rule that the changes break."""
    after = applied(current, changes)
    yield from _in_two_classes(changes, after, given)
    yield from _in_a_circle(changes, current, after)
    for change in changes:
        if change.table == "mail_users" and change.values.get("detail_folders") and not given.sieve:
            yield f"user {change.key[0]}: detail_folders needs mail_sieve"
        yield from _on_no_host(change, current, given)


def _on_no_host(change: Change, current: Current, given: Given) -> Iterator[str]:
    """Yield an error for a user whose mailbox would be on no host, or whose mail would stay behind."""
    backend = change.values.get("backend") if change.table == "mail_users" else None
    if backend is None:
        return
    name = f"user {change.key[0]}: backend = {backend!r}"
    if change.sign == "~":
        at = current["mail_users"][change.key].get("backend") or next(iter(given.backends), "this host")
        if at != backend:  # the first host is that of users without a name, too
            yield f"{name}: the mail is on {at}; allowed: that, or mailstack.accounts.move"
    elif not given.backends:
        yield f"{name}: this server has one host with mailboxes; allowed: none"
    elif backend not in given.backends:
        yield f"{name}: has no mailboxes of this server; allowed: {', '.join(given.backends)}"


def _in_two_classes(changes: Sequence[Change], after: Current, given: Given) -> Iterator[str]:
    classes = {
        word: {name for key in after[table] for name in folded(key)} | {*given.declared.get(table, ())}
        for table, word in _CLASSES.items()
    }
    classes["one of mail_mydestination, whose addresses are accounts of the host"] = set(given.local)
    new = {change.key[0] for change in changes if change.sign == "+" and change.table in _CLASSES}
    if given.all_rows:
        new.update(*classes.values())
    for name in sorted(new):
        words = [word for word, names in classes.items() if name in names]
        if len(words) > 1:
            yield f"{name} can't be {words[0]} and {words[1]}; take it out of one of them"


def _in_a_circle(changes: Sequence[Change], before: Current, after: Current) -> Iterator[str]:
    """Yield an error for a circle that the changes make, as the database does, not for an existing one."""
    names = any(change.sign != "-" and "alias" in change.table for change in changes)
    if names and (found := circle(_alias_pairs(after))) and not circle(_alias_pairs(before)):
        yield f"the aliases would go in a circle: {' -> '.join(found)}"


def _alias_pairs(rows: Current) -> Iterator[tuple[str, str]]:
    same = {folded(key)[0]: row["domain_name"].lower() for key, row in rows["mail_alias_domain"].items()}
    for key, row in rows["mail_alias"].items():
        source, target = folded(key)
        local, _, domain = target.rpartition("@")
        if row.get("active", True):
            yield source, f"{local}@{same.get(domain, domain)}"


def dead_ends(asked: Collection[Key], changes: Sequence[Change], before: Current) -> Iterator[str]:
    """Yield a message for each alias to a missing address in this server's domains.

    Checked are the requested aliases, and those whose target the changes remove.

    + asked: source and destination of aliases
    """
    after, wanted = applied(before, changes), {folded(key) for key in asked}
    if not wanted and not changes:
        return
    existed = _Addresses(before)
    exists = _Addresses(after) if changes else existed
    for table in ("mail_alias", "mail_wildcard"):
        for key, row in after[table].items():
            new = folded(key) in wanted or (bool(changes) and key[1] in existed)
            if new and row.get("active", True) and key[1] not in exists:
                yield f"{WORDS[table]} {' -> '.join(key)}: there is no such address"


def shadowed(changes: Sequence[Change], before: Current) -> Iterator[str]:
    """Yield a message for each user who gets no mail after the changes, because an alias takes it.

    An alias of a user's own address with the user among its destinations only makes a copy.
    """
    if changes:
        was = set(_taken_by_aliases(before))
        yield from (text for text in _taken_by_aliases(applied(before, changes)) if text not in was)


def _taken_by_aliases(rows: Current) -> Iterator[str]:
    users = {key[0].lower() for key in rows["mail_users"]}
    targets: dict[str, list[str]] = {}
    for source, target in _alias_pairs(rows):
        if source in users:
            targets.setdefault(source, []).append(target)
    for user, found in targets.items():
        if user not in found:
            yield f"user {user}: gets no mail, which the alias {user} -> {found[0]} takes"


def dead_settings(targets: Sequence[tuple[str, str]], rows: Current) -> Iterator[str]:
    """Yield a message for each setting that sends mail to a missing address in this server's domains.

    Such mail would stay in the queue for five days, as Postfix accepts local mail without a check of its
    target.

    + targets: see ``Given``
    """
    exists = _Addresses(rows)
    for setting, address in targets:
        if address not in exists:
            yield f"{setting} -> {address}: there is no such address"


class _Addresses:
    """All addresses that accept mail, with every address of other servers' domains."""

    def __init__(self, rows: Current) -> None:
        self._domains = {folded(key)[0] for key in rows["mail_domain"]}
        self._same = {
            folded(key)[0]: row["domain_name"].lower() for key, row in rows["mail_alias_domain"].items()
        }
        self._names = {key[0].lower() for table in ("mail_users", "mail_alias") for key in rows[table]}
        self._everywhere = {folded(key)[0] for key in rows["mail_wildcard"]} | {"postmaster"}

    def __contains__(self, address: str) -> bool:
        local, _, domain = addresses.without_detail(address.lower()).partition("@")
        domain = self._same.get(domain, domain)
        return (
            domain not in self._domains
            or local in self._everywhere
            or not self._names.isdisjoint((f"{local}@{domain}", f"@{domain}"))
        )
