"""Mail is brought from other servers, and from files: folders, flags, dates; again brings what is new."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import clients, old_server, sample_accounts
from tests.support.old_server import FLAGS, FOLDERS, HOST
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target
from tests.targets.networks import WORKER_NAME, Network
from tests.targets.pyinfra import PyinfraRun

SECRET = "OLD_PASSWORD"
COUNT = len(FOLDERS) * len(FLAGS)


@pytest.fixture(scope="module")
def old(network: Network, debian: int, server: Target) -> Iterator[Target]:
    """Yield the server that users move away from."""
    host = old_server.old_server(f"{WORKER_NAME}-old-{debian}", network)
    server.exec(f"echo {host.ip} {HOST} >> /etc/hosts")
    yield host
    server.exec(
        f"sed '/ {HOST}$/d' /etc/hosts > /root/hosts && cat /root/hosts > /etc/hosts && rm /root/hosts"
    )
    host.remove()


@pytest.fixture
def user(server: Target) -> Iterator[str]:
    """Yield a user without mail, and with a quota that the imported mail is above."""
    with guests(server, "moved") as (email,):
        clients.sql(server, f"UPDATE mail_users SET quota_messages = 1 WHERE email = '{email}'")
        yield email


def bring(server: Target, users: str, *args: str, password: str = old_server.PASSWORD) -> PyinfraRun:
    """Run the command as a person does."""
    command = ("-y", "--json", "mailstack.accounts.import_mail", users, *args)
    return server.pyinfra(*command, data=sample_accounts.data(), env={SECRET: password})


def by_imap(name: str) -> tuple[str, ...]:
    """Return the arguments for a user of the old server."""
    port = old_server.PORTS[name]
    return (
        f"source=imaps://{HOST}:{port}",
        f"login={name}",
        f"password_from=env:{SECRET}",
        "tls_verify=false",
    )


def seen(server: Target, user: str) -> dict[str, list[tuple[str, str, str]]]:
    """Return flags, date and digest of all messages, by the name of their folder."""
    found = {}
    with clients.imap(server, user, password=PASSWORD) as session:
        for folder in FOLDERS:
            if session.select(folder)[0] != "OK":
                continue
            answers = session.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
            found[folder] = sorted(of(answer) for answer in answers if isinstance(answer, tuple))
    return found


def of(answer: tuple[bytes, bytes]) -> tuple[str, str, str]:
    """Return flags, date and digest out of an answer to FETCH."""
    part = re.search(r"FLAGS \((.*?)\) INTERNALDATE \"(.*?)\"", answer[0].decode())
    assert part, answer[0]
    flags = " ".join(sorted(set(part[1].split()) - {"\\Recent"}))
    return flags, part[2], hashlib.sha256(answer[1]).hexdigest()


def expected(old: Target, name: str) -> dict[str, list[tuple[str, str, str]]]:
    """Return the same of a user of the old server."""
    found = {}
    with old_server.session(old, name) as session:
        for folder in FOLDERS:
            own = folder.replace("/", ".")
            session.select(own if folder == "INBOX" or name == "olga" else f"INBOX.{own}")
            answers = session.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
            found[folder] = sorted(of(answer) for answer in answers if isinstance(answer, tuple))
    return found


@pytest.mark.parametrize("name", old_server.PORTS)
def test_from_a_server(server: Target, old: Target, user: str, name: str) -> None:
    run = bring(server, user, *by_imap(name)).check()
    assert f"1 of 1: {user}: {COUNT} messages in the source" in run.stderr
    assert re.search(rf"1 of 1: {user}: {COUNT} new messages in {len(FOLDERS)} folders, \d+ s", run.stderr)
    assert old_server.PASSWORD not in run.stdout + run.stderr
    assert seen(server, user) == expected(old, name)

    with clients.imap(server, user, password=PASSWORD) as session:
        session.select("Sent")
        session.store("1", "+FLAGS", "\\Flagged")
    with old_server.session(old, name) as session:
        late = clients.message(STRANGER, user, subject="late").as_bytes()
        session.append("INBOX", "", old_server.DATES[0], late)
    assert f"{user}: 1 new messages in 1 folders" in bring(server, user, *by_imap(name)).check().stderr
    there = seen(server, user)
    assert {folder: len(messages) for folder, messages in there.items()} == {
        folder: len(FLAGS) + (folder == "INBOX") for folder in FOLDERS
    }


def test_what_is_wrong_is_said(server: Target, old: Target, user: str) -> None:
    port = old_server.PORTS["olga"]
    place, login = f"source=imaps://{HOST}:{port}", ("login=olga", f"password_from=env:{SECRET}")
    for text, args, password in (
        (f"{HOST} port {port}: its certificate is not valid", (place, *login), old_server.PASSWORD),
        (f"{HOST} refuses the login olga", (place, *login, "tls_verify=false"), "wrong"),
        (f"{HOST} port 9 does not answer", (f"source=imaps://{HOST}:9", *login), "any"),
        (
            "no-such.example.net port 993 does not answer",
            ("source=imaps://no-such.example.net", *login),
            "any",
        ),
        ("/srv/nothing: there is no such file or directory", ("source=maildir:/srv/nothing",), "any"),
        ("/etc is no Maildir", ("source=maildir:/etc",), "any"),
        ("/etc/hosts has no messages in mbox format", ("source=mbox:/etc/hosts",), "any"),
    ):
        run = bring(server, user, *args, password=password)
        assert run.returncode != 0
        assert f"{user}: not imported: {text}" in run.stderr, run.stderr[-500:]
        assert "could not be imported: see above" in run.stderr
    left = server.exec("ls -d /run/mailstack-import_mail /var/lib/mailstack-import_mail", check=False).stdout
    assert not left


def test_of_a_list_with_their_passwords(server: Target, old: Target, user: str, tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    quoted = old_server.PASSWORD.replace('"', '""')
    file.write_text(f'{user},olga,"{quoted}"\nother@example.org,claire,x\n')
    place = f"source=imaps://{HOST}:{old_server.PORTS['olga']}"
    left_out = 'exclude=["Sent"]'
    wrong = bring(server, "all", place, f"logins={file}", "tls_verify=false")
    assert wrong.returncode != 0 and "there is no user other@example.org" in wrong.stderr
    file.write_text(f'{user},olga,"{quoted}"\n')
    run = bring(server, "all", place, f"logins={file}", "tls_verify=false", left_out).check()
    assert re.search(rf"1 of 1: {user}: \d+ new messages in {len(FOLDERS) - 1} folders", run.stderr)
    assert f"{sample_accounts.ALICE} is left out: it has no line in the file of logins" in run.stderr
    assert old_server.PASSWORD not in run.stdout + run.stderr


def test_from_a_maildir(server: Target, old: Target, user: str) -> None:
    """Courier's, as it lies on its disk."""
    old.exec("tar -C /home/claire -cf /root/claire.tar Maildir")
    server.write("/root/claire.tar", old.read("/root/claire.tar"))
    server.exec(
        "mkdir -p /srv/old/moved && tar -C /srv/old/moved -xf /root/claire.tar && rm /root/claire.tar"
    )
    server.exec("ln -s /etc/shadow '/srv/old/moved/Maildir/cur/1580551872.M1:2,S'")
    before = server.exec("find /srv/old -type f | sort | xargs -d '\\n' sha256sum").stdout
    try:
        said = bring(server, user, "source=maildir:/srv/old/%n/Maildir").check().stderr
        assert "cur/1580551872.M1:2,S is left out: it is no regular file" in said
        assert seen(server, user) == expected(old, "claire")
        assert server.exec("find /srv/old -type f | sort | xargs -d '\\n' sha256sum").stdout == before
        with clients.imap(server, user, password=PASSWORD) as session:
            assert any(b"Projects/Blue" in line for line in session.lsub()[1] if isinstance(line, bytes))
        run = bring(server, user, "source=maildir:/srv/old/%n/Maildir").check()
        assert f"{user}: 0 new messages in 0 folders" in run.stderr
    finally:
        server.exec("rm -rf /srv/old")


#: Escaped by none, as mutt writes it: a line of the text begins as a message does, but for its date.
MBOX = b"""From a@example.net Sat Feb  1 10:11:12 2020
Subject: first
Status: %b

From here on it is text.
>From here too.

From a@example.net Sat Feb 01 11:11:12 +0100 2020
Subject: second
X-Status: F

two
"""


def test_from_files_in_mbox_format(server: Target, user: str) -> None:
    source = "source=mbox:/srv/mbox"
    try:
        server.exec("mkdir -p /srv/mbox/work.sbd")
        for name in ("inbox", "Grüße", "work.sbd/Blue"):
            server.write(f"/srv/mbox/{name}", MBOX % b"O")
        server.write("/srv/mbox/inbox.msf", b"// not mail\n")
        assert f"{user}: 6 new messages in 3 folders" in bring(server, user, source).check().stderr
        third = MBOX.partition(b"\n\nFrom a@")[2].replace(b"second", b"third")
        server.write("/srv/mbox/inbox", MBOX % b"RO" + b"\nFrom a@" + third)
        assert f"{user}: 1 new messages in 1 folders" in bring(server, user, source).check().stderr
    finally:
        server.exec("rm -rf /srv/mbox")
    with clients.imap(server, user, password=PASSWORD) as session:
        for folder in ("INBOX", "Gr&APwA3w-e", "work/Blue"):
            assert session.select(f'"{folder}"')[0] == "OK", folder
            answers = session.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
            found = [answer for answer in answers if isinstance(answer, tuple) and b"third" not in answer[1]]
            found.sort(key=lambda answer: answer[1])
            assert [of(answer)[:2] for answer in found] == [
                ("", "01-Feb-2020 10:11:12 +0000"),
                ("\\Flagged", "01-Feb-2020 10:11:12 +0000"),
            ]
            assert b"From here on it is text.\r\n>From here too." in found[0][1]
