"""Hashes of mailbox passwords, as Dovecot stores and verifies them. Pure.

The scheme is argon2id (RFC 9106) by libsodium, which Dovecot uses too. Dovecot's manual, "Password schemes".
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache

import bcrypt
from nacl import pwhash
from nacl.exceptions import CryptoError

CURRENT_SCHEME = "ARGON2ID"
"""The scheme of new hashes, and of those that ``mail_password_upgrade`` makes from older ones."""

APP_DIGEST_ROUNDS = 10_000
APP_DIGEST_SALT = "mailstack"

LEGIBLE = "abcdefghijkmnpqrstuvwxyz23456789"
"""The characters of app passwords, which nobody confuses."""


def hash_password(password: str) -> str:
    """Return ``{ARGON2ID}…`` with a new salt; 64 MiB and two passes, libsodium's limits for logins."""
    hashed = pwhash.argon2id.str(
        password.encode(),
        opslimit=pwhash.argon2id.OPSLIMIT_INTERACTIVE,
        memlimit=pwhash.argon2id.MEMLIMIT_INTERACTIVE,
    )
    return f"{{{CURRENT_SCHEME}}}" + hashed.decode("ascii")


def verify(stored: str, password: str) -> bool | None:
    """Return whether ``stored`` is a hash of ``password``; ``None`` for a scheme that only Dovecot knows."""
    scheme, _, value = stored.removeprefix("{").partition("}")
    try:
        if scheme == CURRENT_SCHEME:
            return pwhash.argon2id.verify(value.encode(), password.encode())
        if scheme == "BLF-CRYPT":  # bcrypt refuses more than 72 bytes; crypt(3) ignores the rest
            return bcrypt.checkpw(password.encode()[:72], value.encode())
    except (CryptoError, ValueError):
        return False
    return None


def origin(old: str, new: str) -> str:
    """Return a digest that proves that the hash ``new`` replaced ``old``, without revealing ``old``.

    + old: the previous hash, with its scheme
    + new: the hash that a login stored instead

    ``mailstack_upgrade_password`` in the schema computes the same.
    """
    return hashlib.sha256(f"{old}\n{new}".encode()).hexdigest()


def generate_app_password() -> str:
    """Return a password for one program: 140 random bits in letters and digits that are not confused."""
    groups = ("".join(secrets.choice(LEGIBLE) for _ in range(4)) for _ in range(7))
    return "-".join(groups)


@lru_cache(maxsize=4096)
def app_digest(password: str) -> str:
    """Return the stored digest of an app password. Dovecot computes it from the password that a client sends.

    A user has several, and a login does not say which one, so the row is found by its digest, and all have
    one salt. That is safe for random passwords, such as generated ones. The rounds protect other passwords
    that clients send by mistake.
    """
    salt, value = APP_DIGEST_SALT.encode(), password.encode()
    for _ in range(APP_DIGEST_ROUNDS):
        value = hashlib.sha256(salt + value).digest()
    return value.hex()
