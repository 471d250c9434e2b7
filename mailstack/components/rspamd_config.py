"""The configuration of rspamd, in ``local.d``; what an administrator writes in ``override.d`` wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import additions, hardening, redis, systemd
from mailstack.endpoint import Endpoint
from mailstack.facts.dkim import KEYS
from mailstack.files import Directory, Entry, File
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.components.component import Site

_SOCKETS = f"{additions.QUEUE}/rspamd"
MILTER = Endpoint(f"{_SOCKETS}/milter.sock")
"""By a TCP port, each message would wait 40 ms for a delayed acknowledgement."""

CONTROLLER = "/run/rspamd/mailstack.sock"
"""For users' training of the filter. A port, even on loopback, would be open to every user of the host."""

WEB = Endpoint("127.0.0.1", 11334)
"""The web interface. Its password is in ``WEB_PASSWORD``, and there is no way in without it."""
WEB_PASSWORD = "rspamd-web-password"
HASHED_PASSWORD = "/etc/rspamd/mailstack/web-password.inc"

_DIRECTORY = "/etc/rspamd/local.d"
_GROUPS = (redis.GROUP, "vmail")

_OFF = (
    *("elastic", "clickhouse", "history_redis", "neural"),
    "ratelimit",  # see user_limits
    # these ask somebody else about the mail or its sender; most of them refuse large resolvers, too
    *("asn", "fuzzy_check", "mx_check", "rbl", "rspamd_update", "surbl", "url_redirector"),
)
"""Modules that cost memory, or that tell others about the mail of this server."""

_TEMPLATES = (
    *("arc.conf", "classifier-bayes.conf", "dkim_signing.conf", "dmarc.conf", "force_actions.conf"),
    *("greylist.conf", "headers_group.conf", "mid.conf", "milter_headers.conf", "mime_types.conf"),
    *("multimap.conf", "phishing.conf", "redis.conf", "rspamd.lua", "settings.conf", "whitelist.conf"),
    *("logging.inc", "options.inc"),
    *("worker-controller.inc", "worker-fuzzy.inc", "worker-normal.inc", "worker-proxy.inc"),
)

_LISTENS = (
    f"/bin/sh -c \"timeout 60 sh -c 'until [ -S {CONTROLLER} ] || ! kill -0 $MAINPID; do sleep 0.1; done'\""
)
"""Otherwise Postfix, started next, would find no milter. An rspamd that could not start never listens."""

_START_TIMEOUT = 360
"""In seconds. A slow host compiles for minutes, and would begin again and again."""

_PATTERNS = "/usr/local/lib/mailstack/rspamd-patterns"

_STOP = (
    "/bin/sh -c 'kill $MAINPID; timeout 3 tail --pid=$MAINPID -f /dev/null"
    " || kill -KILL $$(cat /proc/$MAINPID/task/$MAINPID/children)'"
)
"""Soon after a reload hs_helper misses its signal. rspamd would wait a quarter of a minute for it."""


def files(site: Site) -> list[Entry]:
    """Return the configuration."""
    settings = site.settings
    link = site.link("redis")
    values = {
        "networks": _plain(settings.mail_mynetworks),
        "milter": MILTER.host,
        "controller": CONTROLLER,
        "web": f"{WEB.host}:{WEB.port}",
        "password": HASHED_PASSWORD,
        "keys": KEYS,
        "reports": settings.mail_dmarc_reports,
        "ed25519": settings.mail_dkim_ed25519,
        "hostname": settings.mail_hostname,
        "per_user": settings.mail_spam_training == "user",
        "origin": settings.expanded(settings.mail_myorigin),
        "sealers": settings.mail_trusted_sealers,
        "resolver": site.link("dns").host if site.offers("dns") else None,
        "own_from": settings.mail_own_from_only,
        "antivirus": site.link("antivirus").host if site.offers("antivirus") else None,
        "waits_for_antivirus": settings.mail_antivirus_unavailable == "wait",
        "allowed_senders": settings.mail_spam_allowed_senders,
        "blocked_senders": settings.mail_spam_blocked_senders,
        "allowed_networks": _plain(settings.mail_spam_allowed_networks),
        "blocked_networks": _plain(settings.mail_spam_blocked_networks),
        "attachments": settings.mail_forbidden_attachments,
        "encrypted_archives": settings.mail_encrypted_archives,
        "redis": link.host if link.is_socket else f"{link.host}:{link.port}",
    }
    forbidden = "".join(f"{extension}\n" for extension in settings.mail_forbidden_attachments)
    own_from = render("rspamd/own-from.lua") if settings.mail_own_from_only else None
    antivirus = render("rspamd/antivirus.conf", **values) if values["antivirus"] else None
    return [
        # of Debian's users, only Postfix may enter
        Directory(_SOCKETS, "_rspamd", "postfix", 0o710),
        *systemd.drop_in(
            "rspamd",
            groups=_GROUPS,
            stop=_STOP,
            before_start=_PATTERNS,
            after_start=[_LISTENS],
            start_timeout=_START_TIMEOUT,
        ),
        *hardening.drop_in(settings, "rspamd"),
        File(_PATTERNS, render("rspamd/patterns"), mode=0o755, activation=None),
        File("/etc/rspamd/mailstack/senders.lua", render("rspamd/senders.lua", **values)),
        File("/etc/rspamd/mailstack/own-from.lua", own_from),
        File("/etc/rspamd/mailstack/attachments.map", forbidden),
        *(File(f"{_DIRECTORY}/{name}", render(f"rspamd/{name}", **values)) for name in _TEMPLATES),
        File(f"{_DIRECTORY}/antivirus.conf", antivirus),
        *(File(f"{_DIRECTORY}/{name}.conf", render("rspamd/off.conf")) for name in _OFF),
    ]


def _plain(networks: Sequence[str]) -> list[str]:
    """Return networks without brackets, which rspamd does not know."""
    return [network.replace("[", "").replace("]", "") for network in networks]
