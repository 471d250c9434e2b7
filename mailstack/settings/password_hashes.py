"""The accepted hashes of passwords: salted, and verified by both Dovecot 2.3 and 2.4. Pure."""

from __future__ import annotations

import base64
import binascii
import re

from pydantic import SecretStr

from mailstack.settings.errors import nearest

_CRYPT = "[./A-Za-z0-9]"
_ARGON2 = r"v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"
CRYPT_FORMS = {
    "ARGON2ID": rf"\$argon2id\${_ARGON2}",
    "ARGON2I": rf"\$argon2i\${_ARGON2}",
    "BLF-CRYPT": rf"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\${_CRYPT}{{53}}",
    "SHA512-CRYPT": rf"\$6\$(rounds=\d{{4,9}}\$)?{_CRYPT}{{1,16}}\${_CRYPT}{{86}}",
    "SHA256-CRYPT": rf"\$5\$(rounds=\d{{4,9}}\$)?{_CRYPT}{{1,16}}\${_CRYPT}{{43}}",
    "MD5-CRYPT": rf"\$1\${_CRYPT}{{1,8}}\${_CRYPT}{{22}}",
    "CRYPT": rf"\$y\${_CRYPT}+\${_CRYPT}{{1,86}}\${_CRYPT}{{43}}",  # yescrypt, as in Debian's shadow(5)
    "PBKDF2": r"\$1\$[^$\s]+\$\d+\$[0-9a-f]{40}",
}
_DIGEST_BYTES = {"SSHA512": 64, "SSHA256": 32, "SSHA": 20, "SMD5": 16}

PASSWORD_SCHEMES = (*CRYPT_FORMS, *_DIGEST_BYTES)
"""Salted schemes that both Dovecot 2.3 and 2.4 were seen to verify (``doveadm pw -t``, and logins)."""

SALTED = rf"^([{{]({'|'.join(name for name in PASSWORD_SCHEMES if name != 'CRYPT')})[}}]|([{{]CRYPT[}}])?[$])"
"""Stored hashes with a random salt. ``{CRYPT}`` is not among them, as it may be DES with its 4096 salts."""

_BY_FORM = ("", "CRYPT", "MD5")
"""Schemes whose hash shows its algorithm by its form; "" is a bare crypt(5) string."""

_NO_HASH = ("PLAIN", "CLEAR", "CLEARTEXT", "PLAIN-TRUNC")
_NO_SALT = ("SHA", "SHA1", "SHA256", "SHA512", "MD5", "PLAIN-MD5", "LDAP-MD5", "PLAIN-MD4")
_NOT_OFFERED = ("CRAM-MD5", "HMAC-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "OTP")
_INSTEAD = "use the output of `doveadm pw -s ARGON2ID`, or give the password as initial_password"


def password_hash(text: str) -> str:
    """Return ``{SCHEME}hash`` for a hash in that form or a bare crypt(5) string, whose form shows its scheme.

    ``{CRYPT}…`` gets the scheme of its form, and ``{SSHA512.HEX}…`` (also ``.B64``) becomes ``{SSHA512}…``.
    Raises ``ValueError`` for anything else; the message says what to write and does not quote the hash.
    """
    match = re.match(r"[{]([A-Za-z0-9-]+)(?:[.](HEX|B64|BASE64))?[}]", text, re.IGNORECASE)
    scheme, encoding = (match[1].upper(), (match[2] or "").upper()) if match else ("", "")
    value = text[match.end() :] if match else text
    if not encoding:
        names = CRYPT_FORMS if scheme in _BY_FORM else (scheme,)
        for name in names:
            # Dovecot would pass a bare PBKDF2 hash to crypt(3)
            if (scheme or name != "PBKDF2") and re.fullmatch(CRYPT_FORMS.get(name, r"(?!)"), value):
                return f"{{{name}}}{value}"
    if (digest := _digest(scheme, encoding, value)) is not None:
        return f"{{{scheme}}}{digest}"
    raise ValueError(_refusal(scheme, value))


def spellings(declared: str) -> tuple[str, ...]:
    """Return the spellings that Dovecot accepts of a hash that ``password_hash`` returned.

    A hash of crypt(3) may have the prefix ``{CRYPT}`` or none.
    """
    scheme, _, value = declared.removeprefix("{").partition("}")
    by_crypt = scheme.endswith("CRYPT")
    return (declared, value, f"{{CRYPT}}{value}") if by_crypt else (declared,)


def _digest(scheme: str, encoding: str, value: str) -> str | None:
    """Return digest and salt in base64, or ``None``. A digest without a salt has the wrong scheme's name."""
    try:
        known = bytes.fromhex(value) if encoding == "HEX" else base64.b64decode(value, validate=True)
        if len(known) > _DIGEST_BYTES[scheme]:
            return base64.b64encode(known).decode("ascii")
    except (KeyError, binascii.Error, ValueError):
        pass
    return None


def _refusal(scheme: str, value: str) -> str:
    if not scheme and not value.startswith("$"):
        return f"not a hash, as it has no scheme; {_INSTEAD}"
    if scheme in _NO_HASH:
        return f"{{{scheme}}} is the password itself; give it as initial_password"
    if scheme in _NO_SALT:
        return f"{{{scheme}}} has no salt; {_INSTEAD}"
    if scheme in _NOT_OFFERED:
        return f"{{{scheme}}} is for logins that this server does not offer; {_INSTEAD}"
    if scheme == "DES-CRYPT" or (scheme == "CRYPT" and re.fullmatch(f"{_CRYPT}{{13}}", value)):
        return f"DES looks at 8 characters of a password and no more; {_INSTEAD}"
    if not scheme or scheme in PASSWORD_SCHEMES:
        return "not a complete hash" + (f" of the scheme {scheme}" if scheme else "") + f"; {_INSTEAD}"
    return f"no scheme that Dovecot 2.3 and 2.4 verify{nearest(scheme, PASSWORD_SCHEMES)}; {_INSTEAD}"


def check_hash(secret: SecretStr) -> SecretStr:
    """Return ``password_hash`` of a secret."""
    return SecretStr(password_hash(secret.get_secret_value()))
