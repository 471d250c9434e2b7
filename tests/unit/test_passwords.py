"""Hashes of mailbox passwords; that Dovecot verifies them is tested on hosts."""

from __future__ import annotations

import re

import bcrypt
import pytest

from mailstack.passwords import app_digest, generate_app_password, hash_password, verify
from mailstack.settings.password_hashes import password_hash


@pytest.mark.parametrize("password", ["plain", "päss wörd", "'; DROP TABLE \\ $x", "x" * 200])
def test_own_hash(password: str) -> None:
    stored = hash_password(password)
    assert stored.startswith("{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$")
    assert password not in stored
    assert password_hash(stored) == stored, "a form that may be declared"
    assert verify(stored, password) is True
    assert verify(stored, password + "x") is False
    assert hash_password(password) != stored


def test_bcrypt() -> None:
    stored = "{BLF-CRYPT}" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    assert verify(stored, "secret") is True
    assert verify(stored, "other") is False
    assert verify(stored.replace("$2b$", "$2y$"), "secret") is True


def test_only_the_first_72_bytes_count_for_bcrypt() -> None:
    stored = "{BLF-CRYPT}" + bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert verify(stored, "x" * 100) is True


@pytest.mark.parametrize("stored", ["{ARGON2ID}nonsense", "{BLF-CRYPT}", "{ARGON2ID}"])
def test_broken_hashes_verify_nothing(stored: str) -> None:
    assert verify(stored, "secret") is False


@pytest.mark.parametrize("stored", ["{SHA512-CRYPT}$6$x$y", "", "$6$x$y", "{PLAIN}secret"])
def test_other_schemes_are_unknown(stored: str) -> None:
    assert verify(stored, "secret") is None


def test_an_app_password_cannot_be_guessed() -> None:
    made = {generate_app_password() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch("([a-z2-9]{4}-){6}[a-z2-9]{4}", password) for password in made)


def test_the_digest_of_an_app_password() -> None:
    password = generate_app_password()
    assert app_digest(password) == app_digest(password) != app_digest(password + "x")
    assert re.fullmatch("[0-9a-f]{64}", app_digest(password)) and password not in app_digest(password)
