"""A mail server that users move away from: Dovecot and Courier as others have them, and their users' mail."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.support import clients
from tests.support.sample_accounts import STRANGER
from tests.targets import images
from tests.targets.containers import Target
from tests.targets.networks import Network

HOST = "old.example.net"
#: Of both users; all that a configuration file could take for something else is in it.
PASSWORD = "p\"a\\ss #%{user}$x '<end"
#: The users' ports: olga's is Dovecot's, claire's is Courier's.
PORTS = {"olga": 993, "claire": 1993}
DATES = ('" 1-Feb-2020 10:11:12 +0100"', '"31-Dec-1999 23:59:59 +0000"')
FLAGS = ("", "\\Seen", "\\Flagged \\Answered", "\\Draft \\Seen")
#: As a client names them; the last has an umlaut in modified UTF-7 (RFC 3501, 5.1.3).
FOLDERS = ("INBOX", "Projects/Blue", "Sent", "Gr&APwA3w-e")


def old_server(name: str, network: Network) -> Target:
    """Return the server, new, with the mail of both users."""
    server = Target(name, 13, network, hostname=HOST, aliases=(HOST,))
    server.create(images.old_server_image())
    for user in PORTS:
        clients.eventually(partial(fill, server, user), f"{user}: no login", 60)
    return server


def fill(server: Target, user: str) -> bool:
    """Make the folders and messages of a user; return whether the server lets it in."""
    try:
        with session(server, user) as old:
            separator, prefix = (".", "INBOX.") if user == "claire" else (".", "")
            for number, folder in enumerate(FOLDERS):
                name = folder if folder == "INBOX" else prefix + folder.replace("/", separator)
                if folder != "INBOX":
                    old.create(name)
                    old.subscribe(name)
                for place, flags in enumerate(FLAGS):
                    mail = clients.message(
                        STRANGER, f"{user}@{HOST}", subject=f"{number} {place}", body="old\n" * 99
                    )
                    answer = old.append(name, f"({flags})", DATES[place % 2], mail.as_bytes())
                    assert answer[0] == "OK", answer
    except OSError:
        return False
    return True


@contextmanager
def session(server: Target, user: str) -> Iterator[imaplib.IMAP4_SSL]:
    """Yield an IMAP session of a user with the old server."""
    context = ssl._create_unverified_context()
    with imaplib.IMAP4_SSL(server.ip, PORTS[user], ssl_context=context, timeout=clients.TIMEOUT) as old:
        secret = f"\0{user}\0{PASSWORD}".encode()
        old.authenticate("PLAIN", lambda _: secret)
        yield old
