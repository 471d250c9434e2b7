"""Signatures (DKIM, RFC 6376) of a message in a mailbox, checked against the keys on this host.

``mailstack.dns.check`` compares these keys with the DNS.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import tempfile
from pathlib import Path

from .results import Problem
from .run import run

_DEPLOY = "pyinfra INVENTORY deploy.py; journalctl -u rspamd -u mailstack-dkim says more"
_ED25519 = bytes.fromhex("302a300506032b6570032100")
"""What comes before the 32 octets of a key in its usual form (RFC 8410, 4)."""


def checked(raw: bytes, domain: str, keys: str) -> str:
    """Check that all signatures are right, and that one is of the domain in From (RFC 7489, 3.1.1).

    + keys: the directory with the keys of all domains
    """
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    signatures = [field for field in fields if _name(field) == b"dkim-signature"]
    if not signatures:
        raise Problem("it has no signature", f"is {domain} among the domains with keys? {_DEPLOY}")
    aligned = []
    for signature in signatures:
        tags = _tags(signature)
        _check(signature, tags, fields, body, Path(keys))
        if tags.get("d", "").lower() == domain:
            aligned.append(f"{tags.get('s')} ({tags.get('a')})")
    if not aligned:
        others = ", ".join(_tags(each).get("d", "") for each in signatures)
        raise Problem(f"signed by {others}, and From is of {domain}", _DEPLOY)
    return f"by {' and '.join(aligned)} of {domain}"


def _check(signature: bytes, tags: dict[str, str], fields: list[bytes], body: bytes, keys: Path) -> None:
    named = f"signature {tags.get('s')} of {tags.get('d')}"
    if tags.get("c") != "relaxed/relaxed":
        raise Problem(f"{named} has the form {tags.get('c')}, not relaxed/relaxed", _DEPLOY)
    digest = base64.b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode()
    if digest != tags.get("bh"):
        raise Problem(f"{named}: the body was changed after it was signed", "what filters mail after rspamd?")
    signed = b"".join(_relaxed(field) + b"\r\n" for field in _chosen(fields, tags.get("h", "")))
    # the signature itself is the last field, with an empty b=
    unsigned = _relaxed(re.sub(rb"(;\s*b=)[^;]*", rb"\1", signature, count=1))
    record = keys / tags.get("d", "") / f"{tags.get('s')}.txt"
    try:
        data = "".join(re.findall(r'"([^"]*)"', record.read_text()))
    except OSError:
        raise Problem(f"{named}: {record} is missing", _DEPLOY) from None
    if not _verifies(signed + unsigned, tags, data):
        raise Problem(f"{named}: it is not by the key of its record in {record}", _DEPLOY)


def _chosen(fields: list[bytes], names: str) -> list[bytes]:
    """Return the signed fields: of several with a name the last first (RFC 6376, 5.4.2)."""
    left = fields[:]
    chosen = []
    for name in names.lower().split(":"):
        for field in reversed(left):
            if _name(field) == name.strip().encode():
                chosen.append(field)
                left.remove(field)
                break
    return chosen


def _verifies(signed: bytes, tags: dict[str, str], data: str) -> bool:
    parts = dict(part.strip().partition("=")[::2] for part in data.split(";"))
    try:
        public, value = base64.b64decode(parts.get("p", "")), base64.b64decode(tags.get("b", ""))
    except binascii.Error:
        return False
    with tempfile.TemporaryDirectory() as folder:
        key, signature, text = (Path(folder, name) for name in ("key", "signature", "text"))
        signature.write_bytes(value)
        if tags.get("a") == "ed25519-sha256":
            key.write_text(_pem(_ED25519 + public))
            text.write_bytes(hashlib.sha256(signed).digest())
            command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key)]
            command += ["-sigfile", str(signature), "-in", str(text)]
        else:
            key.write_text(_pem(public))
            text.write_bytes(signed)
            command = [
                "openssl",
                "dgst",
                "-sha256",
                "-verify",
                str(key),
                "-signature",
                str(signature),
                str(text),
            ]
        return run(command)[0] == 0


def _pem(key: bytes) -> str:
    lines = base64.encodebytes(key).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----\n"


def _name(field: bytes) -> bytes:
    return field.partition(b":")[0].strip().lower()


def _tags(signature: bytes) -> dict[str, str]:
    text = signature.partition(b":")[2].decode("ascii", "replace")
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip(): re.sub(r"\s", "", value) for name, _, value in parts if name.strip()}


def _relaxed(field: bytes) -> bytes:
    """Return a field in its relaxed form (RFC 6376, 3.4.2)."""
    name, _, value = field.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()
    return name.strip().lower() + b":" + value


def _relaxed_body(body: bytes) -> bytes:
    """Return a body in its relaxed form (RFC 6376, 3.4.4)."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)
