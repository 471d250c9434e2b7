"""Disks, the mail store, and quotas. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.accounts.listed import User
from mailstack.overview.host import Disk
from mailstack.overview.screen import Section, Trouble, counted, listed, size

FULL, NEARLY = 90, 80
"""Percentages of a disk that need a person; of a quota that is listed."""
REFUSING = 95


def disks(found: Sequence[Disk], store: int | None, directory: str) -> Section:
    """Return the section about disks, and the mail on them.

    + directory: that of the mail, empty if there is none here
    """
    lines = [
        f"{disk.mounted}: {disk.used:.0f} % of {size(disk.size)} used, {size(disk.free)} free"
        if disk.answers
        else f"{disk.mounted}: not known"
        for disk in found
    ]
    if directory:
        counting = "it takes more than 5 s to count" if store is None else size(store)
        lines.append(f"mail in {directory}: {counting}")
    troubles = [
        Trouble(
            f"{disk.mounted} is {disk.used:.0f} % full",
            f"`du -xh {disk.mounted} | sort -h | tail` on the host says where; a full disk takes no mail",
        )
        for disk in found
        if disk.used >= FULL
    ]
    troubles += [
        Trouble(
            f"{disk.mounted} does not answer", "`mount` on the host says where it is: is that server away?"
        )
        for disk in found
        if not disk.answers
    ]
    data = {
        "disks": [{**disk._asdict(), "used_percent": round(disk.used, 1)} for disk in found],
        "mail_bytes": store,
    }
    return Section("disk", lines, data, troubles)


def quotas(number: int, users: Sequence[User]) -> Section:
    """Return the section about users' quotas.

    + number: how many users have one
    + users: those of them that were asked
    """
    if number and not users:
        text = f"{counted(number, 'user')} with one, too many to ask all: the option quotas asks"
        return Section("quota", [text], {"users_with_quota": number, "above": None})
    shares = [(user.email, user.share) for user in users]
    above = sorted(
        ((email, share) for email, share in shares if share is not None and share > NEARLY),
        key=lambda each: -each[1],
    )
    shown = [f"{email} {share:.0f} %" for email, share in above]
    lines = [f"{counted(number, 'user')} with one, {len(above)} above {NEARLY} %: {listed(shown)}"]
    if not above:
        lines = [f"{counted(number, 'user')} with one, none above {NEARLY} %"]
    if unknown := sum(1 for user in users if user.used is None):
        lines.append(f"of {unknown} it is not known what they have")
    full = [email for email, share in above if share >= REFUSING]
    troubles = []
    if full:
        advice = (
            "They get no mail once they are full. They delete some, or get more:"
            " mailstack.accounts.user ADDRESS, option quota_mb NUMBER"
        )
        troubles.append(Trouble(f"full, or nearly: {listed(full)}", advice))
    data = {
        "users_with_quota": number,
        "above": [{"address": email, "used_percent": round(share, 1)} for email, share in above],
    }
    return Section("quota", lines, data, troubles)
