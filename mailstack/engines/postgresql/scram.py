"""SCRAM-SHA-256 verifiers as PostgreSQL stores them in ``pg_authid.rolpassword``. Pure.

Computed here, so that no password goes to the server, and compared by computing, so that an unchanged
password is no change. RFC 5802 section 3, RFC 7677; PostgreSQL's manual, "pg_authid".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from functools import cache

ITERATIONS = 4096
"""PostgreSQL's own default (``scram_iterations``), and the minimum of RFC 7677."""

_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """Return the verifier that PostgreSQL would store for ``password``.

    + salt: random bytes; by default 16 new ones
    + iterations: the iterations of PBKDF2
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = _salted(password, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    keys = f"{_base64(stored_key)}:{_base64(server_key)}"
    return f"SCRAM-SHA-256${iterations}:{_base64(salt)}${keys}"


def matches(stored: str, password: str) -> bool:
    """Return whether ``stored`` is a SCRAM-SHA-256 verifier of ``password``; an MD5 one never is."""
    match = _VERIFIER.fullmatch(stored)
    if match is None:
        return False
    try:
        salt = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        return False
    return hmac.compare_digest(verifier(password, salt, max(1, int(match[1]))), stored)


@cache  # the same verifier is compared in the prepare and in the execute phase
def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, iterations)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _prepared(password: str) -> bytes:
    """Apply SASLprep (RFC 4013); text that it refuses is used unchanged, as by PostgreSQL and libpq."""
    if password.isascii():
        return password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char) or stringprep.in_table_c12(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared or any(test(char) for char in prepared for test in _PROHIBITED):
        return password.encode()
    if any(stringprep.in_table_a1(char) for char in prepared) or not _is_bidi(prepared):
        return password.encode()
    return prepared.encode()


def _is_bidi(text: str) -> bool:
    """Check RFC 3454 section 6: right-to-left text has no left-to-right letters, and its own at both ends."""
    right = [stringprep.in_table_d1(char) for char in text]
    if not any(right):
        return True
    return right[0] and right[-1] and not any(stringprep.in_table_d2(char) for char in text)
