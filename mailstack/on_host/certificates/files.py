"""Keys and certificates in files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

CERTIFICATES = Path("/etc/ssl/mailstack")
RELOAD = Path("/var/lib/mailstack/certificates.reload")
"""There while services may not have read a new certificate."""
NEW_KEY = {
    "ecdsa": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    "rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
}


class FailureError(Exception):
    """A certificate could not be had.

    + after: the time before which the CA wants no other request, in seconds since 1970
    + unreached: whether the CA gave no answer, as it then does for other certificates
    """

    def __init__(self, text: str, after: float = 0, *, unreached: bool = False) -> None:
        super().__init__(text)
        self.after = after
        self.unreached = unreached


class Wanted(NamedTuple):
    """A certificate that should be there: its name in the state, its DNS names, and its files."""

    label: str
    names: tuple[str, ...]
    kind: str
    certificate: Path
    key: Path
    next_key: Path | None


class Present(NamedTuple):
    """A certificate of a CA that is there: its DNS names, and its validity in seconds since 1970."""

    names: tuple[str, ...]
    begins: float
    expires: float

    def renew_at(self, label: str, *, loses: bool = False) -> float:
        """Return when it is renewed: with a third of its life to go, but not all at the same time.

        + loses: whether the new one would lack a name, which may be wrong in the DNS for some days only: then
          with a sixth
        """
        life = self.expires - self.begins
        share = int(hashlib.sha256(label.encode()).hexdigest()[:4], 16) / 0xFFFF
        return self.expires - life / (6 if loses else 3) - share * life / 20


def run(*command: str, timeout: float = 60, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command without input, and return its output."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **more,
    )


def openssl(*arguments: str) -> str:
    """Run OpenSSL, and return its output. Raises ``FailureError``."""
    done = run("openssl", *arguments)
    if done.returncode:
        raise FailureError(f"openssl {arguments[0]}: {done.stderr.strip()[-200:]}")
    return done.stdout


def replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file at once, as others may read it at any moment."""
    new = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(mode)
    new.replace(path)


def install(wanted: Wanted, chain: str, key: Path) -> None:
    """Put a certificate in its place, with its key if that is another one."""
    RELOAD.touch()
    if key == wanted.key:
        replace(wanted.certificate, chain)
        return
    new = Path(tempfile.mkdtemp(dir=CERTIFICATES, prefix=".order."))
    replace(new / "key.pem", key.read_text("ascii"), 0o600)
    replace(new / "cert.pem", chain)
    new.rename(_pair(wanted))
    finish(wanted)


def _pair(wanted: Wanted) -> Path:
    """Return the directory of a certificate and another key that are about to be used, both or none."""
    return wanted.certificate.with_name(f".{wanted.certificate.name}.pair")


def finish(wanted: Wanted) -> None:
    """Put a certificate and its other key in place, also those of a run that was killed before it had."""
    pair = _pair(wanted)
    if not pair.exists():
        return
    RELOAD.touch()
    for name, path, mode in (("key.pem", wanted.key, 0o600), ("cert.pem", wanted.certificate, 0o644)):
        replace(path, (pair / name).read_text("ascii"), mode)
    # at once, as half of it would look like one that is complete
    done = Path(tempfile.mkdtemp(dir=CERTIFICATES, prefix=".order."))
    pair.rename(done / "pair")
    shutil.rmtree(done)


def make_key(path: Path, kind: str) -> None:
    """Make a private key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, openssl("genpkey", *NEW_KEY[kind]), 0o600)


def public(path: Path) -> str:
    """Return the public key of a private one, or nothing."""
    return run("openssl", "pkey", "-in", str(path), "-pubout").stdout


def present(wanted: Wanted) -> Present | None:
    """Return the certificate that is there, unless it is self-signed or for another key."""
    shown = ("-dates", "-subject", "-issuer", "-ext", "subjectAltName", "-pubkey")
    text = run("openssl", "x509", "-in", str(wanted.certificate), "-noout", *shown).stdout
    found = dict(re.findall(r"^(notBefore|notAfter|subject|issuer)=(.*)$", text, re.M))
    key = public(wanted.key)
    if "notAfter" not in found or found.get("subject") == found.get("issuer") or not key or key not in text:
        return None
    begins, expires = (float(ssl.cert_time_to_seconds(found[name])) for name in ("notBefore", "notAfter"))
    return Present(tuple(re.findall(r"DNS:([^,\s]+)", text)), begins, expires)
