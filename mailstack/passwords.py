"""Hashes of mailbox passwords, as Dovecot stores and verifies them. Pure.

The scheme is argon2id (RFC 9106), made by libsodium, which Dovecot verifies with too. Dovecot's manual,
"Password schemes".
"""

from __future__ import annotations

import bcrypt
from nacl import pwhash
from nacl.exceptions import CryptoError


def hash_password(password: str) -> str:
    """``{ARGON2ID}…`` with a salt of its own; 64 MiB and two passes, libsodium's limits for logins."""
    made = pwhash.argon2id.str(
        password.encode(),
        opslimit=pwhash.argon2id.OPSLIMIT_INTERACTIVE,
        memlimit=pwhash.argon2id.MEMLIMIT_INTERACTIVE,
    )
    return "{ARGON2ID}" + made.decode("ascii")


def verify(stored: str, password: str) -> bool | None:
    """Whether ``stored`` is a hash of ``password``; ``None`` for a scheme that only Dovecot can tell."""
    scheme, _, value = stored.removeprefix("{").partition("}")
    try:
        if scheme == "ARGON2ID":
            return pwhash.argon2id.verify(value.encode(), password.encode())
        if scheme == "BLF-CRYPT":  # bcrypt takes 72 bytes, and crypt(3) no more notice of the rest
            return bcrypt.checkpw(password.encode()[:72], value.encode())
    except (CryptoError, ValueError):
        return False
    return None
