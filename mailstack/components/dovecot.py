"""Dovecot: IMAP, POP3 if wanted, delivery by LMTP, and the logins of Postfix."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mailstack import database_passwords, hosts
from mailstack.components import dovecot_sieve, listening, systemd, tls
from mailstack.components.component import component
from mailstack.engines import engine_of
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import require
from mailstack.files import Directory, Entry, File, Place
from mailstack.operations import units
from mailstack.operations.config_files import config_files
from mailstack.operations.packages import installed
from mailstack.operations.units import Unit
from mailstack.operations.users import Number, system_user
from mailstack.settings.engines import UNITS
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.endpoint import Endpoint
    from mailstack.settings import Settings

FOLDERS = ("Archive", "Drafts", "Junk", "Sent", "Trash")
"""The folders that every account has; each has the special use (RFC 6154) of that name."""

# what comes meanwhile is told "Shutting down", and waits
_RELOAD = "systemctl reload dovecot && { systemctl restart --no-block mailstack-flush || :; }"

FOR_POSTFIX = ("/var/spool/postfix/private/auth", "/var/spool/postfix/private/dovecot-lmtp")
"""The sockets at which Postfix asks for logins and delivers."""

_UTF8 = "".join(
    # each byte that comes first in a letter of some script, and each that comes later (RFC 3629)
    ["\u00b7", *(chr(first << 6) for first in range(0x03, 0x20))]
    + [chr(0x400 + later) for later in range(0x40)]
    + [*(chr(first << 12 | 0xE01) for first in range(0xD)), "\ud55c", "\uff10", "\U00020000"]
)
_USERNAME_CHARS = string.ascii_letters + string.digits + "@.!#$&'*+-/=?^_`{|}~ " + _UTF8
"""Those of RFC 5321, 4.1.2, but for ``%``, which Dovecot would expand; a space, which some put
behind a name; and the bytes of UTF-8, for the letters of an internationalised domain."""

VMAIL = 5000
"""The numbers of the user and group ``vmail`` on a host that had none."""

SOCKETS = "/var/spool/postfix/private"
"""Where Postfix, in its chroot, looks for the services of others; only its user is let in."""

_DIRECTORY = "/etc/dovecot"
_QUOTA_WARNING = f"{_DIRECTORY}/quota-warning"
_SEARCH = {"2.3": "dovecot-fts-xapian", "2.4": "dovecot-flatcurve"}
"""What each Debian has for full-text search without a server of its own; both are made on Xapian."""
_UNITS = {"s": " secs", "m": " mins", "h": " hours", "d": " days", "w": " weeks"}


def packages(settings: Settings, generation: str) -> tuple[str, ...]:
    """The Debian packages that the settings need.

    + generation: ``2.3`` or ``2.4``
    """
    pop3 = ("dovecot-pop3d",) if settings.mail_pop3 else ()
    search = (_SEARCH[generation],) if settings.mail_full_text_search else ()
    sieve = dovecot_sieve.PACKAGES if settings.mail_sieve else ()
    engine = engine_of(settings)
    upgrade = ("dovecot-auth-lua", *engine.client_packages) if settings.mail_password_upgrade else ()
    return (
        "dovecot-imapd",
        "dovecot-lmtpd",
        f"dovecot-{settings.db_driver}",
        *pop3,
        *search,
        *sieve,
        *upgrade,
    )


class Folder(NamedTuple):
    """A folder that Dovecot is told about.

    + special_use: of RFC 6154, for a folder that every account has
    + autoexpunge: how old mail becomes in it, as Dovecot says it
    """

    name: str
    special_use: str | None
    autoexpunge: str | None


def _folders(settings: Settings) -> list[Folder]:
    ages = settings.mail_autoexpunge
    return [
        Folder(
            name,
            name if name in FOLDERS else None,
            ages[name][:-1] + _UNITS[ages[name][-1]] if name in ages else None,
        )
        for name in dict.fromkeys([*FOLDERS, *ages])
    ]


def files(
    settings: Settings, generation: str, endpoint: Endpoint, *, listen: Sequence[str] = ("*", "::")
) -> list[Entry]:
    """Dovecot's whole configuration.

    + generation: ``2.3`` or ``2.4``
    + endpoint: where the database is
    + listen: the addresses to listen on; ``*`` and ``::`` are all of IPv4 and of IPv6
    """
    engine = engine_of(settings)
    values = {
        "settings": settings,
        "driver": settings.db_driver,
        "user": engine.lookup_user(settings, "dovecot"),
        "upgrade_user": engine.upgrade_user(settings),
        "endpoint": endpoint,
        "password": settings.mail_db_auth == "password",
        "lookups": engine.lookups,
        "username_chars": _USERNAME_CHARS,
        "folders": _folders(settings),
        "escape": "\x7f",
        "quota_warning": _QUOTA_WARNING,
        "quota_warnings": [
            (resource, percentage)
            for percentage in settings.mail_quota_warnings
            for resource in ("storage", "messages")
        ],
        "shared": f"{settings.mail_home_root}/.shared",
        "listen": listen,
        "certificate": tls.CERTIFICATE,
        "excluded_ciphers": tls.EXCLUDED_CIPHERS,
        "key": tls.KEY,
        "sockets": SOCKETS,
    }

    def rendered(name: str) -> str:
        return render(f"dovecot/{generation}/{name}", **values)

    root = settings.mail_home_root
    by_option_file = settings.db_driver == "mysql" and values["password"]
    entries: list[Entry] = [
        *systemd.drop_in(
            "dovecot",
            after=UNITS,
            # mail that was deferred meanwhile does not wait until Postfix tries again, after five minutes
            after_start=systemd.FLUSH,
        ),
        *systemd.flush(),
        Directory(root, "vmail", "vmail", 0o750),
        # Dovecot can't start without, and Postfix may come later; Debian 13 makes it when that first starts
        Place(SOCKETS),
        File(f"{_DIRECTORY}/dovecot.conf", rendered("dovecot.conf")),
        File(f"{_DIRECTORY}/auth-sql.conf.ext", rendered("auth-sql.conf.ext"), mode=0o600),
        # 2.4 has no such files; one that an upgrade left behind still has the password
        *(
            File(f"{_DIRECTORY}/{name}", rendered(name) if wanted else None, mode=0o600)
            for name, wanted in {
                "dovecot-sql.conf.ext": generation == "2.3",
                "dovecot-sql-old.conf.ext": generation == "2.3" and settings.mail_password_upgrade,
                "dovecot-sql-app.conf.ext": generation == "2.3",
                "dovecot-sql-login.conf.ext": generation == "2.3" and settings.mail_last_login_minutes > 0,
            }.items()
        ),
        File(
            f"{_DIRECTORY}/mysql.cnf",
            rendered("mysql.cnf") if generation == "2.3" and by_option_file else None,
            group="dovecot",
            mode=0o640,
        ),
        # Debian's own configuration listens there, and Dovecot leaves its sockets behind. If nobody listens,
        # each new auth process waits for five seconds and then logs an error
        File("/run/dovecot/anvil-auth-penalty", None, activation=None),
        *dovecot_sieve.files(settings, generation),
        File(_QUOTA_WARNING, _quota_warning(settings), mode=0o755),
        *_upgrade_files(settings, values),
    ]
    if settings.mail_shared_folders:
        entries.append(Directory(f"{root}/.shared", "vmail", "vmail", 0o700))
    return entries


def _upgrade_files(settings: Settings, values: Mapping[str, object]) -> Iterator[Entry]:
    """What replaces old hashes. It runs as ``dovecot``, so the password it writes with is that user's."""
    for name, owner, mode in (
        ("upgrade-password.lua", "root", 0o644),
        ("upgrade-password", "root", 0o755),
        ("upgrade-password.login", "dovecot", 0o600),
    ):
        wanted = settings.mail_password_upgrade and (not name.endswith("login") or values["password"])
        content = render(f"dovecot/{name}", **values) if wanted else None
        yield File(f"{_DIRECTORY}/{name}", content, owner, owner, mode)


def _quota_warning(settings: Settings) -> str | None:
    """The script that tells users how full their mailboxes are, with a whole message for each percentage."""
    if not settings.mail_quota_warnings:
        return None
    messages = {
        percentage: _message(
            settings.mail_quota_warning_subject.replace("{percent}", str(percentage)),
            settings.mail_quota_warning_text.replace("{percent}", str(percentage)),
        )
        for percentage in settings.mail_quota_warnings
    }
    return render("dovecot/quota-warning", settings=settings, messages=messages)


@cache  # it is the same for each release and each host
def _message(subject: str, text: str) -> str:
    message = Message()  # as importing EmailMessage takes longer than a run needs for all files of Dovecot
    message["Subject"] = Header(subject, header_name="Subject").encode()
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody is to answer it
    charset = Charset("utf-8")
    charset.body_encoding = QP  # which has no line that could end a here-document
    message.set_payload(text, charset)
    return message.as_string()


def unit() -> Unit:
    """Return the service."""
    return Unit(
        "dovecot",
        program="/usr/sbin/dovecot",
        pid_file="/run/dovecot/master.pid",
        drop_in=True,
        reload=_RELOAD,
        listens=FOR_POSTFIX,
    )


@component("Dovecot")
def deploy(settings: Settings) -> None:
    """Install and run Dovecot.

    A Postfix on this host, deployed before or after, finds its LMTP, logins and quotas in ``SOCKETS``; for
    another program LMTP listens on ``/run/dovecot/lmtp``.
    """
    endpoint = hosts.checked(settings).database_endpoint(settings)
    require(PLATFORM, lambda platform: listening.problem(settings, platform))
    installed(lambda platform: packages(settings, platform.dovecot))
    tls.deploy(settings=settings)
    system_user(
        "vmail",
        uid=Number("mail_vmail_uid", settings.mail_vmail_uid, VMAIL),
        gid=Number("mail_vmail_gid", settings.mail_vmail_gid, VMAIL),
        home=settings.mail_home_root,
    )
    database_passwords.generate(settings)
    config_files(
        lambda platform: files(
            settings, platform.dovecot, endpoint, listen=listening.dovecot(settings, platform)
        ),
        component="dovecot",
        units=["dovecot"],
        store=database_passwords.store(settings),
        check=script("check_dovecot", *dovecot_sieve.scripts(settings)),
    )
    units.running("dovecot", lambda _: [unit()])
