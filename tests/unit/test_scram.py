"""The verifier is PostgreSQL's: compared with RFC 7677's example and with stored ones."""

from __future__ import annotations

import base64
import hmac
import json
import unicodedata
from pathlib import Path

import pytest

from mailstack.engines.postgresql import scram

# What PostgreSQL 17 stored for these passwords (CREATE ROLE … PASSWORD): quotes, other normal forms, other
# spaces, mapped to nothing, right to left, control, private and unassigned characters, long ones.
BY_POSTGRESQL: dict[str, str] = json.loads(Path(__file__).with_name("scram_verifiers.json").read_text())


def test_rfc_7677_example() -> None:
    """The ServerSignature of RFC 7677, section 3, follows from this ServerKey."""
    stored = scram.verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    server_key = base64.b64decode(stored.rpartition(":")[2])
    auth_message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    signature = hmac.digest(server_key, auth_message.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize("password", BY_POSTGRESQL)
def test_postgresql_made_the_same(password: str) -> None:
    assert scram.matches(BY_POSTGRESQL[password], password)
    assert not scram.matches(BY_POSTGRESQL[password], password + "x")


@pytest.mark.parametrize("password", BY_POSTGRESQL)
def test_own_verifier(password: str) -> None:
    first, second = scram.verifier(password), scram.verifier(password)
    assert first != second, "each has a salt of its own"
    assert scram.matches(first, password) and scram.matches(second, password)


def test_normal_forms_are_one_password() -> None:
    assert scram.matches(scram.verifier("pässwörd"), unicodedata.normalize("NFD", "pässwörd"))


def test_other_iterations_are_no_change() -> None:
    assert scram.matches(scram.verifier("pencil", iterations=10_000), "pencil")


@pytest.mark.parametrize(
    "stored",
    ["", "md5" + "0" * 32, "SCRAM-SHA-256$4096:x$y:z", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA", "pencil"],
)
def test_other_texts_never_match(stored: str) -> None:
    assert not scram.matches(stored, "pencil")
