"""How long a backup, a restore, the import of a Maildir and a page of webmail take."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict

from bench import servers
from bench.report import Table
from tests.support import roundcube
from tests.targets.containers import Target
from tests.targets.shell import TargetError

PART = "Backup, restore, import and webmail"
DEBIAN = 13
MESSAGES, MAILBOXES = 10_000, 20
IMPORTED = 2_000
PAGES = 7
_REPOSITORY = "/srv/backup"
_SOURCE = "/srv/old"
#: For Python: makes a Maildir with so many messages of 1 to 16 KiB whose texts are all different.
_FILL = """
import base64, os, pathlib, random, sys
place, count, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
for name in ("cur", "new", "tmp"):
    (place / name).mkdir(parents=True)
size = random.Random(seed)
for number in range(count):
    text = base64.encodebytes(os.urandom(size.randrange(700, 12000))).decode()
    head = f"Message-ID: <{number}.{seed}>\\nFrom: a@remote.example.net\\nSubject: {number}\\n\\n"
    (place / "cur" / f"{1700000000 + number}.M{number}P1.{seed}:2,S").write_text(head + text)
"""
_IMPORT = """
set -eu
chown -R vmail: "$2"
doveadm import -u "$1" -p mail_driver=maildir -p mail_path="$2" "maildir:$2" "" ALL
rm -r "$2"
"""


def measure() -> list[Table]:
    """Measure one server; each time is that of the command, as a person waits for it."""
    host = servers.target("backup", DEBIAN)
    try:
        host.create()
        host.pyinfra("-y", "deploy.py", data=_data(), timeout=900).check()
        users = servers.USERS[:MAILBOXES]
        for user in users:
            _fill(host, "/var/vmail/fill", MESSAGES // MAILBOXES, user)
            host.exec(["sh", "-c", _IMPORT, "sh", user, "/var/vmail/fill"], timeout=1800)
        size = int(host.exec("du -sm /var/vmail").stdout.split()[0])
        servers.settle(host)
        pages = _pages(host, users[0])
        rows = [*_backups(host), *_restores(host, users), _import(host, users[0])]
    finally:
        host.remove()
    return [
        Table(
            f"{MESSAGES:,} messages in {MAILBOXES} mailboxes, {size} MiB, Debian {DEBIAN}",
            ("what", "messages", "time"),
            [[what, f"{messages:,}", f"{seconds:.1f} s"] for what, messages, seconds in rows],
            "The repository is a directory of the same disk. A restore of all deploys the host at its end.",
        ),
        Table(
            f"Webmail with {MESSAGES // MAILBOXES:,} messages in the mailbox, Debian {DEBIAN}",
            ("what", f"median of {PAGES}"),
            [[what, f"{seconds * 1000:.0f} ms"] for what, seconds in pages.items()],
            "Each is the time until the client has the whole page, without its pictures and programs.",
        ),
    ]


def _pages(host: Target, user: str) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(PAGES):
        began = time.monotonic()
        roundcube.ask(host)
        found["the first page, with the form of the login"].append(time.monotonic() - began)
        began = time.monotonic()
        session = roundcube.opened(host, user, servers.PASSWORD)
        found["that page and a login, whose password is checked"].append(time.monotonic() - began)
        began = time.monotonic()
        page = roundcube.ask(host, f"{roundcube.PATH}?_task=mail", cookies=session.cookies)
        found["the page of the mailbox"].append(time.monotonic() - began)
        if "messagelist" not in page.text:
            raise TargetError(f"no mailbox: {page.status} {page.text[:500]}")
    return {what: statistics.median(times) for what, times in found.items()}


def _backups(host: Target) -> list[tuple[str, int, float]]:
    first = _timed(host, "mailstack.backup.now")
    second = _timed(host, "mailstack.backup.now")
    return [
        ("the first backup, with a check of the repository", MESSAGES, first),
        ("a backup when nothing has changed", MESSAGES, second),
    ]


def _restores(host: Target, users: list[str]) -> list[tuple[str, int, float]]:
    host.exec("systemctl stop dovecot && rm -rf /var/vmail/* && systemctl start dovecot")
    whole = _timed(host, "mailstack.restore")
    _assert_messages(host, "*", MESSAGES)
    home = host.exec(["doveadm", "user", "-f", "home", users[0]]).stdout.strip()
    host.exec(["rm", "-rf", f"{home}/sdbox"])
    one = _timed(host, "mailstack.restore", f"user={users[0]}")
    _assert_messages(host, users[0], MESSAGES // MAILBOXES)
    return [
        ("a restore of all of it", MESSAGES, whole),
        ("a restore of one user", MESSAGES // MAILBOXES, one),
    ]


def _import(host: Target, user: str) -> tuple[str, int, float]:
    _fill(host, _SOURCE, IMPORTED, "old")
    seconds = _timed(host, "mailstack.accounts.import_mail", user, f"source=maildir:{_SOURCE}")
    _assert_messages(host, user, MESSAGES // MAILBOXES + IMPORTED)
    return ("an import of a Maildir by `accounts.import_mail`", IMPORTED, seconds)


def _fill(host: Target, place: str, count: int, seed: str) -> None:
    host.exec(["python3", "-c", _FILL, place, str(count), seed], timeout=600)


def _timed(host: Target, *command: str) -> float:
    """Return the seconds that a command of pyinfra takes."""
    began = time.monotonic()
    host.pyinfra("-y", *command, data=_data(), timeout=3600).check()
    return time.monotonic() - began


def _assert_messages(host: Target, users: str, wanted: int) -> None:
    """Raise `TargetError` unless the users have so many messages."""
    which = ["-A"] if users == "*" else ["-u", users]
    told = host.exec(
        ["doveadm", "-f", "tab", "mailbox", "status", *which, "messages", "*"], timeout=600
    ).stdout
    found = sum(int(line.rpartition("\t")[2]) for line in told.splitlines()[1:])
    if found != wanted:
        raise TargetError(f"{users}: {found} messages instead of {wanted}")


def _data() -> dict[str, object]:
    return servers.data(mail_backup_repository=_REPOSITORY, mail_webmail=True)
