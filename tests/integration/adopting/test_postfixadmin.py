"""The commands of docs/adopting.md import PostfixAdmin's tables, with all its kinds of hashes."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from pathlib import Path

import pytest

from mailstack.engines import engine_of
from mailstack.engines.mariadb.quoting import SESSION
from mailstack.settings import Settings
from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.logins import PASSWORD, all_at_once, hashed
from tests.targets.containers import Target
from tests.targets.shell import ROOT

pytestmark = pytest.mark.both_engines

SCHEMA = Path(__file__).with_name("postfixadmin.sql").read_text()
MAILDIR = "/srv/old/pa.example/md5crypt/"
MESSAGE = "From: x@remote.example.net\nSubject: of old\n\nfrom before\n"


def passwords(target: Target) -> dict[str, str]:
    """Return `PASSWORD` as each `$CONF['encrypt']` stores it, by the name of a mailbox."""
    md5, blf, sha512, argon = hashed(target, "MD5-CRYPT", "BLF-CRYPT", "SHA512-CRYPT", "ARGON2ID")
    bare = {name: text.partition("}")[2] for name, text in (("md5", md5), ("blf", blf), ("sha", sha512))}
    digest = hashlib.md5(PASSWORD.encode())
    return {
        "md5crypt": bare["md5"],
        "bcrypt": bare["blf"],
        "argon": argon.partition("}")[2],
        "dovecot": sha512,
        "sha512.b64": "{SHA512-CRYPT.B64}" + b64encode(bare["sha"].encode()).decode(),
        "md5": digest.hexdigest(),
        "courier": "{MD5}" + b64encode(digest.digest()).decode(),
        "cleartext": PASSWORD,
    }


def commands() -> dict[str, str]:
    """Return the commands of docs/adopting.md for the old server, and the one that moves the mail."""
    text = (ROOT / "docs/adopting.md").read_text()
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    psql, mysql = ([line for line in lines if line.startswith(name)] for name in ("psql", "mysql"))
    move = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0]
    names = ("postgresql", "postgresql-maildirs", "mysql", "mysql-maildirs", "move")
    return dict(zip(names, [*psql, *mysql, move], strict=True))


def run(target: Target, name: str) -> str:
    """Run one of them in /root, as an administrator of the old database; return the file that it wrote."""
    command = commands()[name].replace("psql ", "runuser -u postgres -- psql ")
    command = command.replace("mysqldump ", "mariadb-dump ").replace("mysql ", "mariadb ")
    target.exec(f"cd /root; {command}")
    return command.rpartition("> ")[2]


@pytest.fixture
def host(clone: Factory) -> Target:
    """Return a copy of the standard server, with such a database and some old mail."""
    target = clone("postfixadmin")
    literal = engine_of(Settings.from_data(sample_accounts.data())).dialect.literal
    rows = "".join(
        "INSERT INTO mailbox (username, password, maildir, quota, local_part, domain) VALUES"
        f" ('{name}@pa.example', {literal(text)}, 'pa.example/{name}/', 10240000, '{name}', 'pa.example');"
        "INSERT INTO alias (address, goto, domain) VALUES"
        f" ('{name}@pa.example', '{name}@pa.example', 'pa.example');"
        for name, text in passwords(target).items()
    )
    rows += (
        "UPDATE alias SET goto = 'argon@pa.example,md5crypt@pa.example' WHERE address = 'argon@pa.example';"
    )
    rows += "UPDATE mailbox SET active = false WHERE username = 'md5@pa.example';"
    if sample_accounts.ENGINE == "mysql":
        target.exec(
            "mariadb",
            input=f"{SESSION} CREATE DATABASE postfix; USE postfix; {SCHEMA}{rows}",
        )
    else:
        psql = "cd /; runuser -u postgres -- psql -Xqv ON_ERROR_STOP=1 -f -"
        target.exec(psql, input=f"CREATE DATABASE postfix;\n\\c postfix\n{SCHEMA}{rows}")
    target.exec(f"mkdir -p {MAILDIR}cur {MAILDIR}new {MAILDIR}tmp")
    target.write(f"{MAILDIR}cur/1580550000.M1P1.old:2,FS", MESSAGE.encode())
    return target


def imported(host: Target, dump: Path, *args: str) -> list[str]:
    """Return the notes of the command."""
    command = ("mailstack.accounts.postfixadmin", str(dump))
    return deploys.said(host.pyinfra("-y", *args, *command, data=sample_accounts.data()).check())


def test_accounts_and_mail_move(host: Target, tmp_path: Path) -> None:
    dump = tmp_path / "postfixadmin.dump"
    dump.write_bytes(host.read(f"/root/{run(host, sample_accounts.ENGINE)}"))

    said = imported(host, dump)
    assert [line[:42] for line in said if "left out" in line] == [
        "left out: abuse@name.example: its domain i"
    ]
    assert "+ user md5@pa.example: disabled" in said
    assert "+ relay recipient known@backup.example" in said
    assert "+ alias domain name.example" in said
    assert PASSWORD not in str(said)
    assert [line for line in imported(host, dump) if line.startswith(("+", "-", "~"))] == []
    assert (
        clients.sql(host, "SELECT DISTINCT quota_mb FROM mail_users WHERE email LIKE '%@pa.example'") == "10"
    )

    run(host, f"{sample_accounts.ENGINE}-maildirs")
    host.exec(f"cd /root; {commands()['move']}")
    all_at_once(host, {("imap", f"{name}@pa.example", PASSWORD): name != "md5" for name in passwords(host)})
    with clients.imap(host, "md5crypt@pa.example", password=PASSWORD) as session:
        answer = str(session.fetch("1", "(FLAGS BODY.PEEK[TEXT])"))
        for word in ("\\Flagged", "\\Seen", "from before"):
            assert word in answer.replace("\\\\", "\\")

    for address in ("info@name.example", "argon@pa.example"):
        message_id = clients.send(host, clients.message(sample_accounts.STRANGER, address))
        assert clients.received(host, "md5crypt@pa.example", message_id, PASSWORD)
    for address, code in {"off@pa.example": 550, "x@off.example": 550, "x@backup.example": 550}.items():
        assert clients.replies(host, address) == code
    assert clients.replies(host, "known@backup.example") == 250
