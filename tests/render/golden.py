"""The files that mailstack writes for some settings; secrets are placeholders.

After an intended change of templates:

python -m tests.render.golden

writes `tests/render/golden/` again. Read the difference before you commit it. `standard` is complete. The
other cases have the files that differ from it, and a list of the files that they lack (`ABSENT`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mailstack import Settings
from mailstack.components.acme import ACME
from mailstack.components.acme_files import PROGRAM as ACME_PROGRAM
from mailstack.components.backends import BACKENDS
from mailstack.components.clamav import CLAMAV
from mailstack.components.component import Site, site_of
from mailstack.components.dovecot import DOVECOT
from mailstack.components.fail2ban import FAIL2BAN, PROGRAM
from mailstack.components.firewall import FIREWALL
from mailstack.components.mariadb import MARIADB
from mailstack.components.mta_sts import MTA_STS
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.components.postfix import POSTFIX
from mailstack.components.postgresql import POSTGRESQL
from mailstack.components.redis import REDIS
from mailstack.components.replication import REPLICATION
from mailstack.components.resolver import RESOLVER
from mailstack.components.rspamd import RSPAMD
from mailstack.components.srs import SRS
from mailstack.components.web import WEB
from mailstack.components.webmail import WEBMAIL
from mailstack.endpoint import Endpoint
from mailstack.facts.platform import RELEASES, UNTRIED, Platform
from mailstack.file_plan import with_others
from mailstack.files import Entry, File
from mailstack.topology import Node, Topology
from tests.support.sites import site

GOLDEN = Path(__file__).parent / "golden"
WHOLE = "standard"
ABSENT = "ABSENT"


def standard() -> list[Entry]:
    """Return the files with minimal settings."""
    settings = Settings(mail_hostname="mail.example.org", mail_domains=["example.org"])
    here = site(settings)
    return [*_mail(here, RELEASES[0]), *POSTGRESQL.files(here, RELEASES[0])]


def peer() -> list[Entry]:
    """Return the files without a password on any disk, and without a filter."""
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_db_auth="peer",
        mail_pop3=True,
        mail_rspamd=False,
        mail_srs=False,
        mail_resolver=False,
        mail_fail2ban=False,
    )
    here = site(settings)
    return [*_mail(here), *POSTGRESQL.files(here, RELEASES[1])]


def elsewhere() -> list[Entry]:
    """Return the database on another host, mail for elsewhere by a relay host, and all tables in use."""
    settings = Settings(
        mail_hostname="mx.example.org",
        mail_domain="example.net",
        mail_full_text_search=True,
        mail_inet_interfaces=["192.0.2.2", "2001:db8::2"],
        mail_mynetworks=["127.0.0.0/8", "192.0.2.0/24", "[2001:db8::]/32"],
        mail_map_type="pgsql",
        mail_db_name="post",
        mail_db_lookup_role="reader",
        mail_relayhost="[smtp.example.com]:587",
        mail_relayhost_user="us",
        mail_relayhost_password="not in any golden file",
        mail_transport={"slow.example": "smtp:[192.0.2.7]:26"},
        mail_relay_domains=[
            "backup.example",
            {"domain_name": "other.example", "any_recipient": True, "next_hop": "[192.0.2.8]:26"},
        ],
        mail_sender_relayhosts={
            "@example.org": "[plain.example.com]",
            "a@example.org": {"host": "[smtp.example.com]:587", "user": "a", "password": "not in a file"},
        },
        mail_virtual={"static@example.org": ["a@example.org", "b@example.com"]},
        mail_local_aliases={"root": ["admin@example.org"], "log": ["|/usr/bin/logger -t mail"]},
        mail_postfix_main={"smtpd_banner": "$myhostname ESMTP", "maximal_queue_lifetime": "3d"},
        mail_postfix_master=[
            {
                "name": "slow",
                "type": "unix",
                "maxproc": 1,
                "command": "smtp",
                "options": {"smtp_tls_wrappermode": True},
            }
        ],
        mail_tls_min_protocol="TLSv1.3",
        mail_home_root="/srv/mail",
        mail_dkim_ed25519=False,
        mail_antivirus=True,
        mail_fail2ban_guesses=20,
        mail_fail2ban_hours=1,
        mail_fail2ban_spared=["192.0.2.64/26", "2001:db8:1::1"],
        mail_webmail=True,
        mail_db_webmail_role="letters",
        mail_firewall=True,
        mail_hardening=True,
        mail_firewall_ports=[{"port": 8080, "clients": ["192.0.2.0/24", "2001:db8::/32"]}],
        mail_mta_sts="enforce",
        mail_mta_sts_mx=["backup.example.net"],
        mail_resolver_forwarders=["192.0.2.53", "2001:db8::53"],
        mail_dovecot_extra="mail_max_userip_connections = 50",
    )
    here = site(settings, Endpoint("192.0.2.1", 5433, "verify-full"), clients=["192.0.2.2", "2001:db8::2"])
    return [*_mail(here), *POSTGRESQL.files(here, RELEASES[1])]


def mysql() -> list[Entry]:
    """Return the files with MariaDB."""
    settings = Settings(mail_hostname="mail.example.org", mail_db_engine="mysql", mail_password_upgrade=True)
    here = site(settings)
    return [*_mail(here), *MARIADB.files(here, RELEASES[1])]


def mysql_peer() -> list[Entry]:
    """Return the files with MariaDB, without a password on any disk."""
    settings = Settings(mail_hostname="mail.example.org", mail_db_engine="mysql", mail_db_auth="peer")
    here = site(settings)
    return [*_mail(here), *MARIADB.files(here, RELEASES[1])]


def acme() -> list[Entry]:
    """Return the files of a server with certificates of a CA, without the program and the served pages."""
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_domains=["example.org"],
        mail_acme=True,
        mail_acme_email="admin@example.net",
        mail_acme_challenge="dns-01",
        mail_acme_rsa=True,
        mail_dns_server="192.0.2.53",
        mail_dns_key_name="mail",
        mail_dns_key_secret="bm90IGluIGFueSBmaWxl",
        mail_dns_addresses=["192.0.2.2"],
    )
    here = site(settings)
    entries = [*_mail(here, RELEASES[0]), *POSTGRESQL.files(here, RELEASES[0])]
    elsewhere = ("/usr/local/share/mailstack/web/", ACME_PROGRAM)
    return [entry for entry in entries if not entry.path.startswith(elsewhere)]


def backend() -> list[Entry]:
    """Return the files of a host that has some of a server's mailboxes."""
    settings = Settings(mail_hostname="mail.example.org", mail_firewall=True)
    front = Node("mail.example.org", ("db", "mx", "proxy"), "192.0.2.1")
    here, other = (Node(f"imap{last}.example.org", ("imap",), f"192.0.2.{last}") for last in (2, 3))
    seen = site_of(settings, Topology(here, (front, here, other)))
    return [*_mail(seen, RELEASES[0]), *BACKENDS.files(seen, RELEASES[0])]


def ubuntu() -> list[Entry]:
    """Return the files on Ubuntu 24.04 with minimal settings."""
    settings = Settings(mail_hostname="mail.example.org", mail_domains=["example.org"])
    here = site(settings)
    return [*_mail(here, UNTRIED[0]), *POSTGRESQL.files(here, UNTRIED[0])]


def standby() -> list[Entry]:
    """Return the files of a mail host with a standby of a database on another host, which it asks too."""
    settings = Settings(
        mail_hostname="mail.example.org", mail_domains=["example.org"], mail_password_upgrade=True
    )
    primary = Node("db.example.org", ("db",), "192.0.2.2")
    here = Node("mail.example.org", ("db", "mx", "imap"), "192.0.2.1")
    there = site_of(settings, Topology(here, (primary, here)))
    files = [*REPLICATION.files(there, RELEASES[0]), *PASSWORDS_OF_DATABASE.files(there, RELEASES[0])]
    return [*_mail(there, RELEASES[0]), *POSTGRESQL.files(there, RELEASES[0]), *files]


CASES = {
    "standard": standard,
    "peer": peer,
    "elsewhere": elsewhere,
    "mysql": mysql,
    "mysql-peer": mysql_peer,
    "acme": acme,
    "backend": backend,
    "ubuntu": ubuntu,
    "standby": standby,
}


def _mail(here: Site, platform: Platform = RELEASES[1]) -> list[Entry]:
    """Return the files of Postfix, and of both generations of Dovecot in a directory each."""
    entries = [
        *POSTFIX.files(here, platform),
        *(
            entry
            for each in (
                REDIS,
                RESOLVER,
                CLAMAV,
                RSPAMD,
                SRS,
                MTA_STS,
                WEB,
                WEBMAIL,
                FIREWALL,
                FAIL2BAN,
                ACME,
            )
            if each.is_wanted(here)
            for entry in each.files(here, platform)
            if entry.path != PROGRAM  # no template
        ),
    ]
    for release in RELEASES:
        for entry in DOVECOT.files(here, release):
            if isinstance(entry, File):
                entries.append(File(f"/dovecot-{release.dovecot}{entry.path}", entry.content))
    return entries


def texts(case: str) -> dict[str, str]:
    """Return the files of one case, where others have written none: path below the root, and text."""
    return {
        entry.path.lstrip("/"): entry.content
        for entry in with_others(CASES[case](), {})
        if isinstance(entry, File) and entry.content
    }


def recorded(case: str) -> dict[str, str]:
    """Return the files of one case as recorded: those of the whole case, but for what differs from it."""
    whole = _read(WHOLE)
    if case == WHOLE:
        return whole
    own = _read(case)
    absent = own.pop(ABSENT, "").splitlines()
    return {path: text for path, text in whole.items() if path not in absent} | own


def write() -> None:
    """Write all cases again: one of them whole, of the others the files that differ from it."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    whole = texts(WHOLE)
    for case in CASES:
        files = texts(case)
        absent = "".join(f"{path}\n" for path in sorted(whole.keys() - files.keys()))
        if case != WHOLE:
            files = {path: text for path, text in files.items() if whole.get(path) != text}
        for path, text in (files | {ABSENT: absent}).items():
            file = GOLDEN / case / path
            if text:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)


def _read(case: str) -> dict[str, str]:
    root = GOLDEN / case
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


if __name__ == "__main__":
    write()
