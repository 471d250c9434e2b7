"""The messages that `mailstack-flush` delivers, with a queue of files."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstack.templates import render

DOVECOT = "mail.example.org[private/dovecot-lmtp]"
#: A message is a file. An attempt removes it, except those in the file `never`.
POSTQUEUE = """#!/bin/sh
cd "$(dirname "$0")" || exit
case $1 in
  -j) cat queue/* 2>/dev/null ;;
  -i) echo "$2" >>tried; grep -qx "$2" never || rm "queue/$2" ;;
esac
"""
SLEEP = (
    '#!/bin/sh\ncd "$(dirname "$0")" && echo "$1" >>pauses && [ "$(wc -l <pauses)" -lt 40 ] || kill $PPID\n'
)


def put(queue: Path, queue_id: str, *reasons: str, name: str = "deferred") -> None:
    """Queue a message, with a recipient for each reason, as postqueue(1) shows it."""
    recipients = [
        {"address": f'a"{number}@x', **({"delay_reason": reason} if reason else {})}
        for number, reason in enumerate(reasons)
    ]
    head = {"queue_name": name, "queue_id": queue_id, "sender": 'a"b@x'}
    (queue / "queue" / queue_id).write_text(json.dumps({**head, "recipients": recipients}) + "\n")


FULL = f"host {DOVECOT} said: 452 4.2.2 <0@x> Quota exceeded (in reply to end of DATA command)"
FAILED = f"host {DOVECOT} said: 451 4.3.0 <1@x> Temporary internal error (in reply to RCPT TO command)"
WAITS = {
    "REFUSED": [f"connect to {DOVECOT}: Connection refused"],
    "SUSPENDED": [f"delivery temporarily suspended: connect to {DOVECOT}: No such file or directory"],
    "LOST": [f"lost connection with {DOVECOT} while receiving the initial server greeting"],
    "SLOW": [f"conversation with {DOVECOT} timed out while sending end of data"],
    "FAILED": [FAILED],
    "NOT_LOOKED_UP": ["address resolver failure"],
    "NO_POLICY": ["client TLS configuration problem"],
    "NO_POLICY_AGAIN": ["delivery temporarily suspended: client TLS configuration problem"],
    "BOTH": [FULL, FAILED],
    "NO_REASON": [""],
    "FULL_AND_NO_REASON": [FULL, ""],
}
LEFT = {
    "FULL": [FULL],
    "FOREIGN": ["host mx.example.net[192.0.2.9] said: 451 4.7.1 Greylisted (in reply to RCPT TO command)"],
    "LIAR": [f"host mx.example.net[192.0.2.9] said: 451 connect to {DOVECOT}: refused"],
    "ANOTHER_LIAR": ["host mx.example.net[192.0.2.9] said: 451 address resolver failure"],
    "THIRD_LIAR": ["host mx.example.net[192.0.2.9] said: 451 client TLS configuration problem"],
}


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Path]:
    """Return the directory of a queue, while Postfix and Dovecot listen."""
    for name, script in {"postqueue": POSTQUEUE, "sleep": SLEEP}.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "private").mkdir()
    (tmp_path / "public").mkdir()
    (tmp_path / "queue").mkdir()
    (tmp_path / "never").touch()
    (tmp_path / "tried").touch()
    with socket.socket(socket.AF_UNIX) as dovecot, socket.socket(socket.AF_UNIX) as postfix:
        for listener, path in ((dovecot, "private/dovecot-lmtp"), (postfix, "public/showq")):
            listener.bind(str(tmp_path / path))
            listener.listen()
        yield tmp_path


def run(queue: Path) -> list[str]:
    """Run the script until it ends or has paused often; return the attempted messages, in order."""
    env = {**os.environ, "PATH": f"{queue}:{os.environ['PATH']}"}
    script = queue / "flush"
    script.write_text(render("postfix/flush"))
    subprocess.run(["bash", script], env=env, timeout=60)
    return (queue / "tried").read_text().split()


def test_only_mail_that_waits_for_dovecot_is_tried(queue: Path) -> None:
    for name, reasons in {**LEFT, **WAITS}.items():
        put(queue, name, *reasons)
    put(queue, "ON_ITS_WAY", "", name="active")
    assert sorted(run(queue)) == sorted(WAITS)
    assert len((queue / "pauses").read_text().split()) < 10, "it ends when nothing waits"


def test_while_dovecot_refuses_one_message_is_tried(queue: Path) -> None:
    """Each is tried in its turn, as one may be broken."""
    for name in "ABC":
        put(queue, name, FAILED)
    (queue / "never").write_text("A\nB\nC\n")
    tried = run(queue)
    assert tried[:6] == ["A", "B", "C"] * 2
    assert len(tried) <= 20, "with a pause before and after each"


def test_a_message_that_dovecot_always_refuses_delays_no_other(queue: Path) -> None:
    for name in "ABC":
        put(queue, name, FAILED)
    (queue / "never").write_text("A\n")
    tried = run(queue)
    assert tried.index("B") < 3 and tried.index("C") < 5
