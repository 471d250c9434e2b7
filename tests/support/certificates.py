"""Certificates for tests that bring their own."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.support import sample_accounts


def self_signed(
    directory: Path, hostname: str = sample_accounts.HOSTNAME, days: int = 90
) -> tuple[Path, Path]:
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
        str(days),
        "-subj",
        f"/CN={hostname}",
    ]
    names = ["-addext", f"subjectAltName=DNS:{hostname}"]
    subprocess.run([*make, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def expired(hostname: str = sample_accounts.HOSTNAME) -> tuple[str, str]:
    """Return a certificate that expired yesterday, and its key, as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return of_key(key, datetime.now(UTC) - timedelta(days=1), hostname), key.decode()


def of_key(key: bytes, end: datetime, hostname: str = sample_accounts.HOSTNAME) -> str:
    """Return a self-signed certificate for a key in PEM, with the end of its time, as PEM text."""
    private = serialization.load_pem_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)])
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(end - timedelta(days=89))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """A certificate authority: hosts that know its `certificate` trust the ones that it issues."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        certificate, self._key = directory / "authority.pem", directory / "authority.key"
        _make("-subj", "/CN=Authority of the tests", "-keyout", self._key, "-out", certificate)
        self._certificate = certificate
        self.certificate = certificate.read_text()

    def issue(self, *names: str) -> tuple[str, str]:
        """Return a certificate for these names with its chain, and its key, as PEM text."""
        certificate, key = self._directory / "issued.pem", self._directory / "issued.key"
        _make(
            *("-subj", f"/CN={names[0]}", "-CA", self._certificate, "-CAkey", self._key),
            *("-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)),
            *("-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate),
        )
        return certificate.read_text() + self.certificate, key.read_text()

    @staticmethod
    def first(chain: str) -> str:
        """Return the first certificate of a chain."""
        end = "-----END CERTIFICATE-----\n"
        return chain.partition(end)[0] + end


def _make(*options: str | Path) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    command: list[str | Path] = ["openssl", "req", "-x509", *key, "-days", "90", *options]
    subprocess.run(command, check=True, capture_output=True)
