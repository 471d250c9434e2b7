"""A second Dovecot on the host of the first: the server that users come from, with another kind of mailbox.

It listens on port 1143, without TLS; every user's password is `old`. Its folder names may have dots (sdbox).
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager

from tests.targets.containers import Target

PORT = 1143
PASSWORD = "old"
_CONFIG = "/etc/dovecot/second.conf"
_COMMON = f"""
base_dir = /run/second
state_dir = /run/second
log_path = /run/second.log
instance_name = second
ssl = no
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 1
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {PORT}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""
_BY_RELEASE = {
    12: """
protocols = imap
disable_plaintext_auth = no
mail_location = sdbox:~/mail
passdb {
  driver = static
  args = password=old
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/srv/second/%n
}
""",
    13: """
protocols {
  imap = yes
}
auth_allow_cleartext = yes
mail_driver = sdbox
mail_path = ~/mail
passdb static {
  password = old
}
userdb static {
  fields {
    uid = vmail
    gid = vmail
    home = /srv/second/%{user | username}
  }
}
""",
}
_VERSION = {12: "", 13: "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.0\n"}


@contextmanager
def running(target: Target) -> Iterator[None]:
    """Run it, and leave nothing of it behind."""
    target.write(_CONFIG, (_VERSION[target.debian] + _COMMON + _BY_RELEASE[target.debian]).encode())
    target.exec("install -d -o vmail -g vmail /srv/second")
    target.exec(f"dovecot -c {_CONFIG} </dev/null >/dev/null 2>&1")
    try:
        yield
    finally:
        target.exec(f"doveadm -c {_CONFIG} stop; rm -rf /srv/second /run/second /run/second.log {_CONFIG}")


def imap(target: Target, user: str) -> imaplib.IMAP4:
    """Return a session with it."""
    session = imaplib.IMAP4(target.ip, PORT, timeout=60)
    session.login(user, PASSWORD)
    return session
