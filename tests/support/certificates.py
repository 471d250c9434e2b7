"""Certificates for tests that bring their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support import sample_accounts


def self_signed(directory: Path, hostname: str = sample_accounts.HOSTNAME) -> tuple[Path, Path]:
    """Return the files of a new certificate and its key."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-noenc",
        "-days",
        "90",
        "-subj",
        f"/CN={hostname}",
    ]
    names = ["-addext", f"subjectAltName=DNS:{hostname}"]
    subprocess.run([*make, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
