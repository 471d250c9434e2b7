"""Hashes of mailbox passwords, as Dovecot stores and verifies them. Pure.

The scheme is argon2id (RFC 9106), made by libsodium, which Dovecot verifies with too. Dovecot's manual,
"Password schemes".
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache

import bcrypt
from nacl import pwhash
from nacl.exceptions import CryptoError

CURRENT_SCHEME = "ARGON2ID"
"""The scheme of new hashes, and the one that ``mail_password_upgrade`` brings older ones to."""

APP_DIGEST_ROUNDS = 10_000
APP_DIGEST_SALT = "mailstack"

_LEGIBLE = "abcdefghijkmnpqrstuvwxyz23456789"


def hash_password(password: str) -> str:
    """``{ARGON2ID}…`` with a salt of its own; 64 MiB and two passes, libsodium's limits for logins."""
    made = pwhash.argon2id.str(
        password.encode(),
        opslimit=pwhash.argon2id.OPSLIMIT_INTERACTIVE,
        memlimit=pwhash.argon2id.MEMLIMIT_INTERACTIVE,
    )
    return f"{{{CURRENT_SCHEME}}}" + made.decode("ascii")


def verify(stored: str, password: str) -> bool | None:
    """Whether ``stored`` is a hash of ``password``; ``None`` for a scheme that only Dovecot can tell."""
    scheme, _, value = stored.removeprefix("{").partition("}")
    try:
        if scheme == CURRENT_SCHEME:
            return pwhash.argon2id.verify(value.encode(), password.encode())
        if scheme == "BLF-CRYPT":  # bcrypt takes 72 bytes, and crypt(3) no more notice of the rest
            return bcrypt.checkpw(password.encode()[:72], value.encode())
    except (CryptoError, ValueError):
        return False
    return None


def origin(old: str, new: str) -> str:
    """What says, of a hash that a login has upgraded, where it came from, without giving the old one away.

    + old: the hash that was stored before, with its scheme
    + new: the one in its place; for any other, the answer is another

    ``mailstack_upgrade_password`` in the schema does the same.
    """
    return hashlib.sha256(f"{old}\n{new}".encode()).hexdigest()


def generate_app_password() -> str:
    """A password for one program: 140 random bits, in letters and digits that are not taken for others."""
    groups = ("".join(secrets.choice(_LEGIBLE) for _ in range(4)) for _ in range(7))
    return "-".join(groups)


@lru_cache(maxsize=4096)
def app_digest(password: str) -> str:
    """What is stored of an app password, and what Dovecot computes of one that a client sent.

    A user has several, and a login says not which: so it must be found by what was sent, and all have one
    salt. That is sound for what nobody can guess, as a generated one. The rounds are for what else is sent
    this way: a password that was mistyped.
    """
    salt, value = APP_DIGEST_SALT.encode(), password.encode()
    for _ in range(APP_DIGEST_ROUNDS):
        value = hashlib.sha256(salt + value).digest()
    return value.hex()
