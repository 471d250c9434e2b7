"""Certificates, DKIM keys, the last checks, and bans. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mailstack.facts.acme import AcmeCertificate
from mailstack.facts.bans import Ban
from mailstack.facts.certificates import CertificateState
from mailstack.facts.dkim import KEYS, DkimKey
from mailstack.overview.host import Key, Signing
from mailstack.overview.screen import Section, Trouble, ago, counted, lasting, listed, moment

DAYS = 14
"""With so many days left, a certificate needs a person: a CA's is renewed a month before its end."""
WEEK = 7
"""The days after which the result of an earlier command is old."""


def certificates(
    now: int, hostname: str, own: CertificateState, kept: Mapping[str, AcmeCertificate], advice: str
) -> Section:
    """Return the section about certificates.

    + own: that of the host's name
    + kept: those that the host gets from a CA, by name
    + advice: what to do about one that ends soon
    """
    ends = {hostname: own.expires, **{name: each.expires for name, each in kept.items() if each.expires}}
    lines, troubles = [], []
    for name, end in ends.items():
        kind = " (self-signed)" if name == hostname and own.self_signed else ""
        left = None if end is None else _days(now, end)
        lines.append(f"{name}: {_left(left)}{kind}")
        if left is None or left < DAYS:
            text = f"{name} has no certificate" if left is None else f"that of {name} has {_left(left)}"
            troubles.append(Trouble(text, advice))
    if own.expires is not None and not own.matches_hostname:
        troubles.append(Trouble(f"it is not for {hostname}", advice))
    if own.expires is not None and not own.matches_key:
        troubles.append(Trouble("it does not belong to the key beside it", advice))
    for name, each in kept.items():
        if fault := each.fault():
            troubles.append(Trouble(f"{name}: {fault}", "docs/certificates.md says what the CA needs"))
    data = [
        {"name": name, "expires": end and end.isoformat(), "days": None if end is None else _days(now, end)}
        for name, end in ends.items()
    ]
    return Section("certificates", lines, data, troubles)


def _left(days: int | None) -> str:
    if days is None:
        return "none"
    return f"{days} days left" if days >= 0 else "expired"


def _days(now: int, end: datetime) -> int:
    return int((end.timestamp() - now) // 86400)


def dkim(
    now: int,
    keys: Iterable[DkimKey],
    made: Sequence[Key],
    current: Sequence[Signing],
    domains: Sequence[str] | None,
) -> Section:
    """Return the section about DKIM keys.

    + keys: those of mailstack
    + made: when each was made
    + current: the keys that should sign, also those of somebody else
    + domains: those in the database, ``None`` if it does not answer
    """
    times = {(key.domain, key.selector): key.made for key in made}
    rows = [(key, times.get((key.domain, key.selector), now)) for key in keys]
    signing = sorted((at, key.domain) for key, at in rows if key.signs)
    waiting = sorted({key.domain for key, _ in rows if not key.signs and _is_next(key, rows)})
    signed = {key.domain for key in current if key.readable}
    hidden = [f"{key.domain}/{key.selector}.key" for key in current if not key.readable]
    lines = [f"{counted(len(signed), 'domain')} with keys that sign"]
    if signing:
        oldest, domain = signing[0]
        lines[0] += f"; the oldest is that of {domain}: {lasting(now - oldest)}"
    if waiting:
        lines.append(f"the next keys of {listed(waiting)} wait in the DNS for mailstack.dkim.switch")
    missing = sorted(set(domains or ()) - {key.domain for key in current})
    troubles = []
    if hidden:
        text = f"rspamd can't read {listed(hidden, 3)} in {KEYS}, so that mail is not signed"
        advice = "on the host, `chgrp -R _rspamd` and `chmod -R g+rX` for it, and `systemctl restart rspamd`"
        troubles.append(Trouble(text, advice))
    if missing:
        advice = (
            "`journalctl -u mailstack-dkim` on the host says why: it makes them some seconds after the domain"
        )
        troubles.append(Trouble(f"no key signs for {listed(missing)}", advice))
    data = [
        {"domain": key.domain, "selector": key.selector, "signs": key.signs, "days": (now - at) // 86400}
        for key, at in rows
    ]
    return Section("dkim", lines, data, troubles)


def _is_next(key: DkimKey, rows: Sequence[tuple[DkimKey, int]]) -> bool:
    signing = (_number(other) for other, _ in rows if other.domain == key.domain and other.signs)
    return all(number < _number(key) for number in signing)


def _number(key: DkimKey) -> int:
    return int(key.selector.lstrip("edrsa") or 0)


def last(name: str, now: int, record: Mapping[str, Any], command: str, changed: int = 0) -> Section:
    """Return the section about the result of an earlier command, which may be old.

    + changed: when a deploy changed last what the command looks at, in seconds since 1970
    + record: ``at``, and ``failed`` with a line for each failure, or ``checks``; empty if it never ran
    """
    if not record:
        return Section(name, ["never"], None)
    failed = [str(each) for each in record.get("failed", ())]
    failed += _checks(record, "failed")
    left_out = _checks(record, "skipped")
    also = f", {len(left_out)} left out" if left_out else ""
    old = _old(record["at"], now, changed)
    lines = [f"{ago(record['at'], now)}: {f'{len(failed)} failed' if failed else 'all was right'}{also}"]
    lines += [f"  {each}" for each in failed[:6]]
    lines += [f"  old: {old}; {command} looks again"] if old else []
    lines += [f"  left out: {each}" for each in left_out[:3]]
    troubles = [Trouble(f"the last one failed: {failed[0]}", f"{command} says more")] if failed else []
    data = {"at": record["at"], "failed": failed, "left_out": left_out, "old": old or None}
    return Section(name, lines, data, troubles)


def _old(at: int, now: int, changed: int) -> str:
    """Return why a result may no longer hold, if so."""
    if at < changed:
        return f"a deploy has changed this host since, {ago(changed, now)}"
    return f"more than {WEEK} days" if at < now - WEEK * 86400 else ""


def _checks(record: Mapping[str, Any], state: str) -> list[str]:
    checks = (check for check in record.get("checks", ()) if check["state"] == state)
    return [f"{check['title']}: {check['text']}" for check in checks]


def bans(banned: Sequence[Ban] | None) -> Section:
    """Return the section about addresses that are shut out, the earliest end first.

    + banned: ``None`` if fail2ban does not watch the mail server
    """
    if banned is None:
        advice = (
            "`systemctl status fail2ban` and `fail2ban-client status mailstack` on the host say more:"
            " docs/fail2ban.md; mail_fail2ban = False if that is as it should be"
        )
        trouble = Trouble("fail2ban does not watch the mail server, so nobody is shut out", advice)
        return Section("bans", ["not known: fail2ban does not watch the mail server"], None, [trouble])
    shown = [f"{ban.address} until {moment(ban.until.timestamp())}" for ban in banned]
    lines = [f"{len(banned)}: {listed(shown, 3)}" if banned else "none"]
    data = [
        {"address": ban.address, "until": ban.until.isoformat(), "in_force": ban.in_force} for ban in banned
    ]
    troubles = []
    if away := [ban.address for ban in banned if not ban.in_force]:
        text = f"the rules of nftables do not have {counted(len(away), 'ban')}: {listed(away, 3)}"
        troubles.append(Trouble(text, "`systemctl restart fail2ban` on the host brings them back"))
    return Section("bans", lines, data, troubles)
