"""Which hashes of passwords are accepted: what Dovecot 2.3 and 2.4 both verify. Pure."""

from __future__ import annotations

import base64
import binascii
import re

from pydantic import SecretStr

_CRYPT = "[./A-Za-z0-9]"
CRYPT_FORMS = {
    "ARGON2ID": r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+",
    "BLF-CRYPT": rf"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\${_CRYPT}{{53}}",
    "SHA512-CRYPT": rf"\$6\$(rounds=\d{{4,9}}\$)?{_CRYPT}{{1,16}}\${_CRYPT}{{86}}",
    "SHA256-CRYPT": rf"\$5\$(rounds=\d{{4,9}}\$)?{_CRYPT}{{1,16}}\${_CRYPT}{{43}}",
    "PBKDF2": r"\$1\$[^$\s]+\$\d+\$[0-9a-f]{40}",
}
_SALTED_BYTES = {"SSHA512": 64, "SSHA256": 32}

PASSWORD_SCHEMES = (*CRYPT_FORMS, *_SALTED_BYTES)
"""What Dovecot 2.3 and 2.4 were both seen to verify (``doveadm pw -t``) and is not weak by their own list."""


def password_hash(text: str) -> str:
    """``{SCHEME}hash`` from that form or from a bare crypt(5) string, whose scheme its prefix tells.

    Raises ``ValueError``, without the hash, if it is of no form that both generations of Dovecot verify.
    """
    if text.startswith("{"):
        scheme, _, value = text[1:].partition("}")
        scheme = scheme.upper()
    else:
        bare = {scheme: form for scheme, form in CRYPT_FORMS.items() if scheme != "PBKDF2"}
        scheme = next((name for name, form in bare.items() if re.fullmatch(form, text)), "")
        value = text
    if not _well_formed(scheme, value):
        raise ValueError("not a complete password hash of a scheme that Dovecot 2.3 and 2.4 verify")
    return f"{{{scheme}}}{value}"


def _well_formed(scheme: str, value: str) -> bool:
    if scheme in CRYPT_FORMS:
        return re.fullmatch(CRYPT_FORMS[scheme], value) is not None
    try:
        # digest and salt; a digest without salt is the unsalted scheme under a wrong name
        return len(base64.b64decode(value, validate=True)) > _SALTED_BYTES[scheme]
    except (KeyError, binascii.Error, ValueError):
        return False


def check_hash(secret: SecretStr) -> SecretStr:
    """``password_hash`` of a secret."""
    return SecretStr(password_hash(secret.get_secret_value()))
