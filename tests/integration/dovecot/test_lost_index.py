"""A lost or damaged index of sdbox, which has the flags, is made again by itself."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator

import pytest

from tests.support import clients
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

#: What becomes of the files of an index, and whether flags and UIDVALIDITY stay; `None`: on one release.
DAMAGES: dict[str, tuple[bool, bool | None]] = {
    "rm -f dovecot.index": (True, True),
    "rm -f dovecot.index.cache": (True, True),
    "rm -f dovecot.index dovecot.index.log dovecot.index.cache": (False, False),
    "rm -f dovecot.index*": (False, False),
    "for file in dovecot.index*; do head -c 4096 /dev/urandom > $file; done": (False, False),
    "for file in dovecot.index*; do : > $file; done": (False, False),
    "truncate -s $(($(stat -c %s dovecot.index.log) / 2)) dovecot.index.log": (False, None),
    "rm -f ../../../dovecot.list.index* ../../../dovecot-uidvalidity*": (True, True),
}


@pytest.fixture
def user(server: Target) -> Iterator[str]:
    """Yield a user with three messages, of which the second has flags and the others a gap between them."""
    with guests(server, "damaged") as (email,):
        with clients.imap(server, email, password=PASSWORD) as session:
            for number in range(4):
                mail = clients.message(STRANGER, email, subject=str(number))
                session.append("INBOX", "", '" 1-Feb-2020 10:11:12 +0100"', mail.as_bytes())
            session.select()
            session.store("2", "+FLAGS", "\\Deleted")
            session.expunge()
            session.store("2", "+FLAGS", "\\Seen $Label1")
        yield email


def found(session: imaplib.IMAP4) -> tuple[list[str], list[str], list[str], str]:
    """Return UIDs, dates, flags and UIDVALIDITY of INBOX."""
    session.select()
    lines = " ".join(map(str, session.fetch("1:*", "(UID INTERNALDATE FLAGS)")[1]))
    uids, dates = re.findall(r"UID (\d+)", lines), re.findall(r'INTERNALDATE "(.*?)"', lines)
    flags = [flag for flag in ("\\Seen", "$Label1") if flag.replace("\\", "\\\\") in lines]
    validity = re.search(r"\d+", str(session.status("INBOX", "(UIDVALIDITY)")[1]))
    assert validity
    return uids, dates, flags, validity[0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_index_is_made_again(server: Target, user: str, damage: str) -> None:
    with clients.imap(server, user, password=PASSWORD) as session:
        uids, dates, flags, validity = found(session)
        assert uids == ["1", "3", "4"] and len(flags) == 2
    folder = f"{clients.mail_root(server, user)}/mailboxes/INBOX/dbox-Mails"
    server.exec(f"cd {folder} && {damage}")
    sent = clients.send(server, clients.message(STRANGER, user))
    clients.wait_for_empty_queue(server, 60)  # the first attempt may be the one that notices
    assert clients.received(server, user, sent, PASSWORD)
    with clients.imap(server, user, password=PASSWORD) as session:
        after = found(session)
        assert len(session.search(None, "SUBJECT", "3")[1][0].split()) == 1
    keeps_flags, keeps_validity = DAMAGES[damage]
    assert (after[0], after[1][:3]) == (["1", "3", "4", "5"], dates)
    assert (after[2] == flags) == keeps_flags
    assert keeps_validity in (None, after[3] == validity)
