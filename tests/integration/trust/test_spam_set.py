"""Thirty messages of many kinds, and where each of them ends; and what training changes."""

from __future__ import annotations

import smtplib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import clients, trust
from tests.support.sample_accounts import BOB
from tests.support.spam_set import samples
from tests.support.trust import SILENT, Protected, letter, somebody

pytestmark = pytest.mark.postgresql

#: Bayes says nothing before it knows 200 messages of each kind.
LEARN = """
rm -rf /root/learn && mkdir /root/learn && cd /root/learn || exit
for number in $(seq 210); do
  for kind in spam ham; do
    text="$(cat /root/$kind) $(cat /proc/sys/kernel/random/uuid)"
    printf 'Subject: one\\n\\n%s\\n' "$text" >$kind$number
  done
done
for kind in spam ham; do
  rspamc -h /run/rspamd/mailstack.sock "learn_$kind" $kind* | grep -c 'success = true'
done
"""
SPAM = "watches and pills for a low price, sent by us at once and without any questions, order them today"
HAM = "the minutes of the meeting and the plan for the next quarter, with all the dates that we agreed on"


def place(protected: Protected, sender: str, message: bytes) -> str:
    """Send a message as a server does, again after a 4xx, and return where it ends."""
    for _ in range(10):
        try:
            with clients.smtp(protected.server) as session:
                session.sendmail(sender, [BOB], message)
        except smtplib.SMTPDataError as error:
            if error.smtp_code >= 500:
                return "refused"
            time.sleep(2.5)  # the times in Redis are whole seconds
        else:
            (message_id,) = trust.fields(message, "Message-ID")
            return trust.folder_of(protected.server, BOB, message_id)
    return "not taken"


def test_each_message_ends_where_it_should(quick: Protected) -> None:
    sent = samples()
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda sample: place(quick, sample.sender, sample.message), sent)
        ended = {sample.name: end for sample, end in zip(sent, found, strict=True)}
    assert ended == {sample.name: sample.place for sample in sent}
    assert len(sent) == 30


def test_training_moves_a_borderline_message(quick: Protected) -> None:
    def one(text: str) -> str:
        sender = somebody(SILENT)
        return place(quick, sender, letter(sender, BOB, "Ready for today?", text).as_bytes())

    assert one(SPAM) == "INBOX"
    for kind, text in {"spam": SPAM, "ham": HAM}.items():
        quick.server.write(f"/root/{kind}", text.encode())
    spam, ham = map(int, quick.server.exec(LEARN, timeout=600).stdout.split())
    assert spam >= 200 and ham >= 200
    assert one(SPAM) == "Junk"
    assert one(HAM) == "INBOX"
