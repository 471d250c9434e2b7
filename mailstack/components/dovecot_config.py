"""The configuration of Dovecot."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mailstack.components import additions, backends, dovecot_sieve, hardening, listening, systemd, tls
from mailstack.endpoint import waits
from mailstack.engines import engine_of
from mailstack.engines.postgresql.backends import elsewhere, lives_here
from mailstack.files import Directory, Entry, File, Kept, Place
from mailstack.settings.dovecot import MAIL_DIRECTORIES
from mailstack.settings.engines import UNITS
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings

FOLDERS = ("Archive", "Drafts", "Junk", "Sent", "Trash")
"""The folders of every user; each has the special use (RFC 6154) of that name."""

_UTF8 = "".join(
    # each first byte of a letter in UTF-8, and each following byte (RFC 3629)
    ["\u00b7", *(chr(first << 6) for first in range(0x03, 0x20))]
    + [chr(0x400 + later) for later in range(0x40)]
    + [*(chr(first << 12 | 0xE01) for first in range(0xD)), "\ud55c", "\uff10", "\U00020000"]
)
_USERNAME_CHARS = string.ascii_letters + string.digits + "@.!#$&'*+-/=?^_`{|}~ " + _UTF8
"""The characters of RFC 5321, 4.1.2, except ``%``, which Dovecot would expand. Also a space, which clients
may add to a name, and the bytes of UTF-8, for internationalised domains."""

LINKS = "/var/spool/postfix/private"
"""The directory in Postfix's chroot for sockets of other services, open to the system user ``postfix``."""

_DIRECTORY = "/etc/dovecot"
GUESSES = f"{_DIRECTORY}/guesses.lua"
"""The script that writes a line about each wrong login."""
GUESSES_KEY = f"{_DIRECTORY}/guesses.key"
"""The key of the digits that tell wrong passwords apart: nobody else can say which have the same."""
_QUOTA_WARNING = f"{_DIRECTORY}/quota-warning"
_SAVE = {
    "2.3": '-o stats_writer_socket_path= -o mail_location="sdbox:$home/sdbox" save',
    "2.4": '-o mail_driver=sdbox -o mail_path="$home/sdbox" save --no-userdb-lookup',
}
"""The arguments of doveadm that save a message into sdbox, without the configuration."""
_UNITS = {"s": " secs", "m": " mins", "h": " hours", "d": " days", "w": " weeks"}


class Folder(NamedTuple):
    """A folder in Dovecot's configuration.

    + special_use: the special use of RFC 6154, for a folder of every user
    + autoexpunge: the age at which its mail is deleted, in Dovecot's notation
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


def files(site: Site, platform: Platform) -> list[Entry]:
    """Return Dovecot's whole configuration."""
    settings, generation = site.settings, platform.dovecot
    added = additions.dovecot(site, platform)
    engine = engine_of(settings)
    several = site.backends
    values = {
        "settings": settings,
        "driver": settings.db_driver,
        "user": engine.lookup_user(settings, "dovecot"),
        "upgrade_user": engine.upgrade_user(settings),
        "endpoint": site.endpoint,
        "endpoints": site.endpoints,
        "waits": waits(site.endpoints),
        "password": settings.mail_db_auth == "password",
        "lookups": engine.lookups,
        "elsewhere": elsewhere(several, generation) if several else None,
        "of_this_host": f" WHERE {lives_here(several, generation)}" if several else "",
        "and_of_this_host": f" AND {lives_here(several)}" if several else "",
        "username_chars": _USERNAME_CHARS,
        "folders": _folders(settings),
        "escape": "\x7f",
        "mail_driver": settings.new_mail_driver,
        "mail_directory": MAIL_DIRECTORIES[settings.new_mail_driver],
        "quota_warning": _QUOTA_WARNING,
        "quota_warnings": [
            (resource, percentage)
            for percentage in settings.mail_quota_warnings
            for resource in ("storage", "messages")
        ],
        "shared": f"{settings.mail_home_root}/.shared",
        "listen": listening.dovecot(settings, platform),
        "certificate": tls.CERTIFICATE,
        "excluded_ciphers": tls.EXCLUDED_CIPHERS,
        "key": tls.KEY,
        "rsa": tls.RSA if settings.mail_acme_rsa else None,
        "links": {name: site.link(name).host for name in ("lmtp", "sasl", "quota-status")},
        "guesses": writes_guesses(settings, platform),
        "plugins": {protocol: added.plugins.get(protocol, ()) for protocol in additions.PROTOCOLS},
        "blocks": added.blocks,
    }

    def rendered(name: str) -> str:
        return render(f"dovecot/{generation}/{name}", **values)

    root = settings.mail_home_root
    by_option_file = settings.db_driver == "mysql" and values["password"]
    entries: list[Entry] = [
        *systemd.drop_in(
            "dovecot",
            after=UNITS,
            # so that mail deferred meanwhile does not wait for Postfix's next attempt, after five minutes
            after_start=systemd.FLUSH,
        ),
        *hardening.drop_in(settings, "dovecot"),
        *systemd.flush(),
        Directory(root, "vmail", "vmail", 0o750),
        # Dovecot can't start without it, and Postfix may come later; on Debian 13 its first start creates it
        Place(LINKS),
        File(f"{_DIRECTORY}/dovecot.conf", rendered("dovecot.conf")),
        File(f"{_DIRECTORY}/auth-sql.conf.ext", rendered("auth-sql.conf.ext"), mode=0o600),
        File(f"{_DIRECTORY}/backends.conf", backends.configuration(site, generation), mode=0o600),
        # 2.4 has no such files; one left by an upgrade still contains the password
        *(
            File(f"{_DIRECTORY}/{name}", rendered(name) if wanted else None, mode=0o600)
            for name, wanted in {
                "dovecot-sql.conf.ext": generation == "2.3",
                "dovecot-sql-old.conf.ext": generation == "2.3" and settings.mail_password_upgrade,
                "dovecot-sql-app.conf.ext": generation == "2.3",
                "dovecot-sql-elsewhere.conf.ext": generation == "2.3" and several is not None,
                "dovecot-sql-login.conf.ext": generation == "2.3" and settings.mail_last_login_minutes > 0,
            }.items()
        ),
        File(
            f"{_DIRECTORY}/mysql.cnf",
            rendered("mysql.cnf") if generation == "2.3" and by_option_file else None,
            group="dovecot",
            mode=0o640,
        ),
        # Dovecot leaves the sockets of Debian's own configuration behind. If no process listens on this one,
        # each new auth process waits for five seconds and then logs an error
        File("/run/dovecot/anvil-auth-penalty", None, activation=None),
        *dovecot_sieve.files(settings, generation, added),
        File(_QUOTA_WARNING, _quota_warning(settings, generation), mode=0o755),
        *_upgrade_files(settings, values),
        *_guesses(writes_guesses(settings, platform)),
    ]
    if settings.mail_shared_folders:
        entries.append(Directory(f"{root}/.shared", "vmail", "vmail", 0o700))
    return entries


def writes_guesses(settings: Settings, platform: Platform) -> bool:
    """Return whether Dovecot writes a line about each wrong login, for fail2ban."""
    return settings.mail_fail2ban and platform.nftables


def _guesses(wanted: bool) -> list[Entry]:
    script = render("dovecot/guesses.lua", key=GUESSES_KEY) if wanted else None
    key = (
        Kept(GUESSES_KEY, group="dovecot", mode=0o640) if wanted else File(GUESSES_KEY, None, activation=None)
    )
    return [File(GUESSES, script), key]


def _upgrade_files(settings: Settings, values: Mapping[str, object]) -> Iterator[Entry]:
    """Yield the files of the script that upgrades hashes. It runs as ``dovecot``, which owns its password."""
    for name, owner, mode in (
        ("upgrade-password.lua", "root", 0o644),
        ("upgrade-password", "root", 0o755),
        ("upgrade-password.login", "dovecot", 0o600),
    ):
        wanted = settings.mail_password_upgrade and (not name.endswith("login") or values["password"])
        content = render(f"dovecot/{name}", **values) if wanted else None
        yield File(f"{_DIRECTORY}/{name}", content, owner, owner, mode)


def _quota_warning(settings: Settings, generation: str) -> str | None:
    """Return the script that warns users of full mailboxes, with a whole message for each percentage."""
    if not settings.mail_quota_warnings:
        return None
    messages = {
        percentage: _message(
            settings.mail_quota_warning_subject.replace("{percent}", str(percentage)),
            settings.mail_quota_warning_text.replace("{percent}", str(percentage)),
        )
        for percentage in settings.mail_quota_warnings
    }
    return render("dovecot/quota-warning", settings=settings, messages=messages, save=_SAVE[generation])


@cache  # the same for each release and each host
def _message(subject: str, text: str) -> str:
    message = Message()  # importing EmailMessage takes longer than rendering all files of Dovecot
    message["Subject"] = Header(subject, header_name="Subject").encode()
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply
    charset = Charset("utf-8")
    charset.body_encoding = QP  # no line of it can end a here-document
    message.set_payload(text, charset)
    return message.as_string().removesuffix("\n") + "\n"  # the end of a here-document is a line of its own
