"""What the web server serves, but for the signed profile of Apple's. Pure."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import TYPE_CHECKING, NamedTuple

from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.settings import Settings

_WEEK, _DAY = 604800, 86400
"""For how long other servers remember a policy. One that only tests changes soon (RFC 8461, 3.2)."""


class Way(NamedTuple):
    """A way to this server.

    + protocol: ``imap``, ``pop3`` or ``smtp``
    + socket: in Thunderbird's words: ``SSL`` is TLS from the start, ``STARTTLS`` begins in clear text
    """

    protocol: str
    port: int
    socket: str


def incoming(settings: Settings) -> list[Way]:
    """Return the ways to read mail, the best first (RFC 8314, 3)."""
    ways = [Way("imap", 993, "SSL"), Way("imap", 143, "STARTTLS")]
    if settings.mail_pop3:
        ways += [Way("pop3", 995, "SSL"), Way("pop3", 110, "STARTTLS")]
    return ways


def outgoing() -> list[Way]:
    """Return the ways to send mail, the best first."""
    return [Way("smtp", 465, "SSL"), Way("smtp", 587, "STARTTLS")]


def texts(settings: Settings) -> dict[str, str]:
    """Return the files for programs, by name."""
    hostname = settings.mail_hostname
    ways = {"incoming": incoming(settings), "outgoing": outgoing()}
    first = [way for way in (*incoming(settings), *outgoing()) if way.socket == "SSL"]
    profile = {
        # the same in each run: a device takes a profile with a known identifier for an update
        "profile_uuid": _uuid(hostname, "profile"),
        "account_uuid": _uuid(hostname, "account"),
        "incoming": ways["incoming"][0],
        "outgoing": ways["outgoing"][0],
    }
    return {
        "config-v1.1.xml": render("web/config-v1.1.xml", hostname=hostname, **ways),
        "autodiscover/settings.xml": render("web/autodiscover/settings.xml", hostname=hostname, ways=first),
        "autodiscover/refused.xml": render("web/autodiscover/refused.xml"),
        "mail.mobileconfig": render("web/mail.mobileconfig", hostname=hostname, **profile),
        "mta-sts.txt": mta_sts(settings),
    }


def mta_sts(settings: Settings) -> str:
    """Return the policy of MTA-STS (RFC 8461, 3.2)."""
    mode = settings.mail_mta_sts
    hosts = dict.fromkeys([settings.mail_hostname, *settings.mail_mta_sts_mx])
    return render("web/mta-sts.txt", mode=mode, hosts=hosts, max_age=_WEEK if mode == "enforce" else _DAY)


def setup(settings: Settings) -> tuple[str, str]:
    """Return the page for people, and its style as the header Content-Security-Policy names it."""
    style = render("web/setup.css")
    page = render(
        "web/setup.html",
        hostname=settings.mail_hostname,
        pop3=settings.mail_pop3,
        webmail=settings.mail_webmail,
        style=style,
    )
    return page, f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def _uuid(hostname: str, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{what}.mailstack.{hostname}"))
