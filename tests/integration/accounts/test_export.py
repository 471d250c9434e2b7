"""All that belongs to a user in one archive, which another server can read."""

from __future__ import annotations

import io
import json
import tarfile

from tests.support import clients, sample_accounts
from tests.support.managesieve import install
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

ARCHIVE = "/root/leaving.tar.gz"
SCRIPT = 'require "fileinto"; if header :is "subject" "chess" {fileinto "chess.com";}'


def export(server: Target, *args: str) -> PyinfraRun:
    """Run the command as a person does."""
    return server.pyinfra("-y", "mailstack.accounts.export", *args, data=sample_accounts.data())


def test_mail_and_scripts_and_account(server: Target) -> None:
    with guests(server, "leaving", "arriving") as (user, other):
        server.exec(f"rm -f {ARCHIVE}")
        install(server, user, SCRIPT)
        mails = [clients.message(STRANGER, user, subject=str(number)).as_bytes() for number in range(3)]
        with clients.imap(server, user, password=PASSWORD) as session:
            session.create("Projects/Blue")
            session.append("Projects/Blue", "(\\Seen $Label1)", '" 1-Feb-2020 10:11:12 +0100"', mails[0])
            for mail in mails[1:]:
                session.append("INBOX", "", None, mail)
        try:
            assert f"{user}: 3 messages, " in export(server, user, f"to={ARCHIVE}").check().stderr
            again = export(server, user, f"to={ARCHIVE}")
            assert again.returncode != 0 and f"{ARCHIVE} exists already" in again.stderr
            assert server.exec(f"stat -c '%a %U' {ARCHIVE}").stdout == "600 root\n"
            with tarfile.open(fileobj=io.BytesIO(server.read(ARCHIVE))) as packed:
                files = {one.name: packed.extractfile(one) for one in packed if one.isfile()}
                content = {name: file.read() for name, file in files.items() if file}
                assert packed.getmember(".dovecot.sieve").issym()
            server.exec(f"mkdir -p /srv/archive && tar -C /srv/archive -xf {ARCHIVE}")
            bring = ("mailstack.accounts.import_mail", other, "source=maildir:/srv/archive/Maildir")
            said = server.pyinfra("-y", *bring, data=sample_accounts.data()).check().stderr
            assert f"{other}: 3 new messages in 2 folders" in said
        finally:
            server.exec(f"rm -rf {ARCHIVE} /srv/archive")
        assert not server.exec("ls -d /var/lib/mailstack-export", check=False).stdout
        with clients.imap(server, other, password=PASSWORD) as session:
            session.select("Projects/Blue")
            flags = str(session.fetch("1", "(FLAGS INTERNALDATE)")[1])
            assert "\\\\Seen" in flags and "$Label1" in flags and "01-Feb-2020 09:11:12 +0000" in flags
    kept = [
        body.replace(b"\r\n", b"\n") for name, body in content.items() if "/cur/" in name or "/new/" in name
    ]
    assert sorted(kept) == sorted(mail.replace(b"\r\n", b"\n") for mail in mails)
    assert SCRIPT.encode() in b"".join(body for name, body in content.items() if name.startswith("sieve/"))
    account = json.loads(content["account.json"])
    assert account["address"] == user
    assert "$" not in content["account.json"].decode(), "a hash"


def test_what_is_refused(server: Target) -> None:
    for args, text in (
        (("nobody@example.org", f"to={ARCHIVE}"), "there is no user nobody@example.org"),
        ((sample_accounts.ALICE, "to=alice.tar.gz"), "must be a path from the root that ends in .tar.gz"),
        (("alice", f"to={ARCHIVE}"), "address = 'alice'"),
        ((sample_accounts.ALICE, "to=/no/such/alice.tar.gz"), "No such file or directory"),
    ):
        run = export(server, *args)
        assert run.returncode != 0 and text in run.stderr, run.stderr[-500:]
