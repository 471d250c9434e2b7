"""Declared users and aliases."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.settings import Settings
from mailstack.settings.accounts import Alias, User
from mailstack.settings.password_hashes import password_hash, spellings

ARGON2ID = "$argon2id$v=19$m=65536,t=3,p=1$sZdBdGaB1CQrb1m/7RQZ3g$Z4MlU6lw4ym3Viu64gAR/fDdhGTFyKetMnr0/d055xs"
BLF = "$2y$05$s8x87Yr7Uu4EtPHwtlbff.Ob0JOW2NziF1yxe6r.TgY8C/J5neou6"
SHA512 = (
    "$6$kcxg64O14DgFeQrA$s3j3gc95TguCKA0CBf6rO8ox/XEmiUOSe94hS8UAAy/"
    "RMucRhMGH3GoxMbsb/GPM3PSSiL/3QXrXZ2X16YuV40"
)
SHA256 = "$5$7a9F0tfH6CA31i2E$1wFyFRFjlPoYhXuVepAnAXeaUeKvEXLk32P4VM0mu36"
SSHA512 = "uG+wljSkmItQhyR6AEeInKeraT8eHXIOOo31p9ceCEszIDMpx7S3RFJYlb+u8lKSZnewb17DindNav8mOBCz7CYn1Bc="
SSHA256 = "S0+tVFGr20O04JHGRve149Uwq2PE2Mx8O4QyLrcQlXwOtgya"
MD5 = "$1$SH.8Wsra$lPdBJsUQxAQZQGQ7i94Pj1"
YESCRYPT = "$y$j9T$abcdefghijklmnop$nxn3iwkKGkrnvrnuVHkYJ/w2Lu29va9pNzrhlyzAR3C"
ARGON2I = "$argon2i$v=19$m=32768,t=4,p=1$3bL7SYgyDLkMqbJTFyn4HA$Js6U6HcXgxvMOvRsifg0/j4M5jx4MEpRQb0c1VO1R+8"
SSHA, SMD5 = "Csn7bdV4hlXEUPrDHMszFNcFkG2Xgr93", "NYuX/I+JcoIPste9zZ/6rmZdgBw="
PBKDF2 = "$1$cDlL.MVwFQRBmuP5$5000$d6791bf7db9506ea34ca954678a8cbb3c1171ec4"


@pytest.mark.parametrize(
    "given, stored",
    [
        (ARGON2ID, f"{{ARGON2ID}}{ARGON2ID}"),
        (BLF, f"{{BLF-CRYPT}}{BLF}"),
        (BLF.replace("$2y$", "$2b$"), "{BLF-CRYPT}" + BLF.replace("$2y$", "$2b$")),
        (SHA512, f"{{SHA512-CRYPT}}{SHA512}"),
        (SHA256, f"{{SHA256-CRYPT}}{SHA256}"),
        (
            SHA256.replace("$5$", "$5$rounds=5000$"),
            "{SHA256-CRYPT}" + SHA256.replace("$5$", "$5$rounds=5000$"),
        ),
        (f"{{sha256-crypt}}{SHA256}", f"{{SHA256-CRYPT}}{SHA256}"),
        (f"{{SSHA512}}{SSHA512}", f"{{SSHA512}}{SSHA512}"),
        (f"{{SSHA256}}{SSHA256}", f"{{SSHA256}}{SSHA256}"),
        (f"{{PBKDF2}}{PBKDF2}", f"{{PBKDF2}}{PBKDF2}"),
        (f"{{CRYPT}}{SHA512}", f"{{SHA512-CRYPT}}{SHA512}"),
        (f"{{crypt}}{BLF}", f"{{BLF-CRYPT}}{BLF}"),
        (f"{{CRYPT}}{ARGON2ID}", f"{{ARGON2ID}}{ARGON2ID}"),
        (f"{{CRYPT}}{MD5}", f"{{MD5-CRYPT}}{MD5}"),
        (f"{{MD5}}{MD5}", f"{{MD5-CRYPT}}{MD5}"),
        (f"{{MD5-CRYPT}}{MD5}", f"{{MD5-CRYPT}}{MD5}"),
        (MD5, f"{{MD5-CRYPT}}{MD5}"),
        (YESCRYPT, f"{{CRYPT}}{YESCRYPT}"),
        (ARGON2I, f"{{ARGON2I}}{ARGON2I}"),
        (f"{{SSHA512.HEX}}{base64.b64decode(SSHA512).hex()}", f"{{SSHA512}}{SSHA512}"),
        (f"{{ssha256.hex}}{base64.b64decode(SSHA256).hex().upper()}", f"{{SSHA256}}{SSHA256}"),
        (f"{{SSHA512.b64}}{SSHA512}", f"{{SSHA512}}{SSHA512}"),
        (f"{{SSHA}}{SSHA}", f"{{SSHA}}{SSHA}"),
        (f"{{SMD5}}{SMD5}", f"{{SMD5}}{SMD5}"),
    ],
)
def test_a_hash_is_stored_with_its_scheme(given: str, stored: str) -> None:
    assert password_hash(given) == stored


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "not a hash, as it has no scheme; use the output of `doveadm pw -s ARGON2ID`"),
        ("hunter2-secret", "not a hash, as it has no scheme"),
        ("ab1cd2ef3gh4i", "not a hash, as it has no scheme"),
        ("{PLAIN}hunter2-secret", "{PLAIN} is the password itself; give it as initial_password"),
        ("{cleartext}hunter2-secret", "{CLEARTEXT} is the password itself"),
        ("{MD5}X03MO1qnZdYdgyfeuILPmQ==", "{MD5} has no salt"),
        ("{PLAIN-MD5}7124c008ca67e047512f8120c47bb854", "{PLAIN-MD5} has no salt"),
        ("{SHA512.HEX}51a4b0", "{SHA512} has no salt"),
        ("{CRAM-MD5}c7b2d57c105fae1c", "{CRAM-MD5} is for logins that this server does not offer"),
        ("{DES-CRYPT}KW5F3m/CYhqgA", "DES looks at 8 characters of a password and no more"),
        ("{CRYPT}KW5F3m/CYhqgA", "DES looks at 8 characters of a password and no more"),
        ("{SHA521-CRYPT}" + SHA512, "did you mean 'SHA512-CRYPT'?"),
        ("$1$salt$qJH7.N4xYta3aEG/dfqo", "not a complete hash;"),
        (PBKDF2, "not a complete hash;"),
        (SHA256[:-1], "not a complete hash;"),
        (SHA256 + "x", "not a complete hash;"),
        (SHA256 + "\n", "not a complete hash;"),
        (BLF.replace("$05$", "$99$"), "not a complete hash;"),
        (f"{{SHA512-CRYPT}}{SHA256}", "not a complete hash of the scheme SHA512-CRYPT"),
        (f"{{BLF-CRYPT}}{ARGON2ID}", "not a complete hash of the scheme BLF-CRYPT"),
        (f"{{SHA256-CRYPT{SHA256}", "not a hash, as it has no scheme"),
        (f"{{SSHA512}}{SSHA256}", "not a complete hash of the scheme SSHA512"),
        (f"{{SSHA512.HEX}}{SSHA512}", "not a complete hash of the scheme SSHA512"),
        ("{SSHA256}not base64!", "not a complete hash of the scheme SSHA256"),
    ],
)
def test_any_other_hash_is_refused_with_advice(given: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        password_hash(given)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "initial_password" in str(caught.value)


def test_a_user_has_one_password_at_most() -> None:
    both: dict[str, Any] = {"initial_password": "x", "password_hash": SHA256}
    with pytest.raises(
        OperationValueError, match=r"anna@example\.org: give initial_password or password_hash"
    ):
        User(email="anna@example.org", **both)


@pytest.mark.parametrize(
    "values, said",
    [
        ({"email": "anna"}, "email = 'anna': not an address"),
        ({"email": "a+b@example.org"}, "what stands before the @"),
        ({"quota_mb": -1}, "quota_mb = -1"),
        ({"quota_mb": "5"}, "must be a whole number"),
        ({"quota_messages": -1}, "quota_messages = -1"),
        ({"quota": 5}, "did you mean 'quota_mb'?"),
        ({"home_directory": "/srv/../x"}, "an absolute path without `..`"),
        ({"home_directory": "anna"}, "an absolute path"),
        ({"active": "yes"}, "must be true or false"),
        ({"initial_password": ""}, "not a password"),
        ({"password": "x"}, "password: there is no such setting; did you mean 'initial_password'?"),
        ({"hash": "x"}, "hash: there is no such setting; did you mean 'password_hash'?"),
    ],
)
def test_an_impossible_user_is_refused(values: dict[str, Any], said: str) -> None:
    user = {"email": "anna@example.org"} | values
    with pytest.raises(OperationValueError) as alone:
        User(**user)
    with pytest.raises(OperationValueError) as declared:
        Settings(mail_hostname="mail.example.org", mail_users=[{"email": "b@example.org"}, user])
    assert said in str(alone.value)
    assert str(declared.value) == f"mail_users[1].{alone.value}"


def test_aliases_in_both_forms_are_the_same() -> None:
    short = aliases(
        {"Sales@example.org": ["a@example.org", "b+c@example.net"], "@example.org": "a@example.org"}
    )
    long = aliases(
        [
            {"source_email": "sales@example.org", "destinations": ["a@example.org", "b+c@example.net"]},
            {"source_email": "@example.org", "destinations": ["a@example.org"], "active": True},
        ]
    )
    assert short == long
    assert short[0].destinations == ("a@example.org", "b+c@example.net")


def test_destinations_keep_their_case() -> None:
    """RFC 5321, 2.4. A key does not, as Postfix looks it up in lower case."""
    remote = "Board+AbC@Remote.example"
    kept = "Board+AbC@remote.example"
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_aliases={"Info@example.org": remote},
        mail_postmaster=remote,
        mail_local_aliases={"Root": remote},
        mail_virtual={"Old@example.org": remote},
        mail_sender_relayhosts={"News@example.org": "[192.0.2.1]"},
        mail_relay_domains={"backup.example": ["Anna@backup.example"]},
    )
    assert settings.mail_aliases[0].destinations == (kept,)
    assert settings.mail_postmaster == kept
    assert settings.mail_local_aliases["root"] == (kept,)
    assert settings.mail_virtual == {"old@example.org": (kept,)}
    assert list(settings.mail_sender_relayhosts) == ["news@example.org"]
    assert settings.mail_relay_domains[0].recipients == ("anna@backup.example",)


@pytest.mark.parametrize(
    "value, said",
    [
        ({"sales@example.org": []}, "mail_aliases[0].destinations: must not be empty"),
        ({"sales@example.org": "anna"}, "'anna': not an address"),
        ({"sales": "anna@example.org"}, "mail_aliases[0].source_email = 'sales'"),
        ({"a@b.de": ["c@b.de", "C@b.de"]}, "destination 'c@b.de' is there twice"),
        ({"a@b.de": "c@b.de", "A@b.de": "d@b.de"}, "the alias 'a@b.de' is there twice"),
        ([{"source_email": "a@b.de", "destinations": "c@b.de"}], "must be a list, not text"),
        ([{"source_email": "a@b.de", "destination": ["c@b.de"]}], "did you mean 'destinations'?"),
        ({"a@b.de": "b@b.de", "b@b.de": ["x@y.de", "a@b.de"]}, "the aliases go in a circle"),
        ({"a@b.de": "b+x@b.de", "b@b.de": "a@b.de"}, "a@b.de -> b@b.de -> a@b.de"),
        ({"a@b.de": "a+x@b.de"}, "a@b.de -> a@b.de"),
        (
            {"a@b.de": "b@b.de", "b@b.de": "c@b.de", "c@b.de": "a@b.de"},
            "a@b.de -> b@b.de -> c@b.de -> a@b.de",
        ),
        ("a@b.de", "must be a list"),
    ],
)
def test_an_impossible_alias_is_refused(value: object, said: str) -> None:
    with pytest.raises(OperationValueError) as caught:
        aliases(value)
    assert said in str(caught.value)


def test_a_copy_kept_at_home_is_no_circle() -> None:
    assert aliases({"a@b.de": ["a@b.de", "x@y.de"], "c@b.de": "a@b.de", "d@b.de": ["a@b.de", "c@b.de"]})
    off = {"source_email": "b@b.de", "destinations": ["a@b.de"], "active": False}
    assert aliases([{"source_email": "a@b.de", "destinations": ["b@b.de"]}, off])


def test_a_long_chain_of_aliases_is_no_circle() -> None:
    assert len(aliases({f"a{n}@b.de": f"a{n + 1}@b.de" for n in range(3000)})) == 3000


def aliases(value: Any) -> tuple[Alias, ...]:
    return Settings(mail_hostname="mail.example.org", mail_aliases=value).mail_aliases


@pytest.mark.parametrize(("scheme", "salted"), [("SSHA512", SSHA512), ("SSHA256", SSHA256), ("SSHA", SSHA)])
@pytest.mark.parametrize("encoding", ["", ".HEX"])
def test_a_digest_without_a_salt_is_refused(scheme: str, salted: str, encoding: str) -> None:
    size = {"SSHA512": 64, "SSHA256": 32, "SSHA": 20}[scheme]
    digest = base64.b64decode(salted)[:size]
    text = digest.hex() if encoding else base64.b64encode(digest).decode()
    with pytest.raises(ValueError, match=f"not a complete hash of the scheme {scheme}"):
        password_hash(f"{{{scheme}{encoding}}}{text}")


def test_only_hashes_of_crypt_may_lack_a_scheme() -> None:
    assert spellings(f"{{SSHA512}}{SSHA512}") == (f"{{SSHA512}}{SSHA512}",)
    assert spellings(f"{{ARGON2ID}}{ARGON2ID}") == (f"{{ARGON2ID}}{ARGON2ID}",)
    assert spellings(f"{{BLF-CRYPT}}{BLF}") == (f"{{BLF-CRYPT}}{BLF}", BLF, f"{{CRYPT}}{BLF}")
