"""A certificate that clients would refuse stops the run."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from pyinfra.api.exceptions import OperationValueError

from mailstack.components.tls import CERTIFICATE
from mailstack.components.tls import KEY as KEY_FILE
from mailstack.settings import Settings

DAY = datetime.timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*names: str, begin: datetime.timedelta = -DAY, end: datetime.timedelta = DAY) -> str:
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.org")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now + begin)
        .not_valid_after(now + end)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def key(
    private: ec.EllipticCurvePrivateKey = KEY, encryption: KeySerializationEncryption | None = None
) -> str:
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return text.decode()


def settings(**values: Any) -> Settings:
    return Settings(mail_hostname="mail.example.org", **values)


@pytest.mark.parametrize(
    "names", [["mail.example.org"], ["x.example.org", "MAIL.example.org"], ["*.example.org"]]
)
def test_a_certificate_may_be_text(names: list[str]) -> None:
    pem = certificate(*names)
    made = settings(mail_tls_certificate=pem, mail_tls_key=key())
    assert (made.tls_certificate_pem, made.tls_key_pem) == (pem, key())
    assert "PRIVATE" not in repr(made)


def test_a_certificate_may_be_a_file_here(tmp_path: Path) -> None:
    chain = certificate("mail.example.org") + certificate("ca.example.org")
    (tmp_path / "cert.pem").write_text(chain)
    (tmp_path / "key.pem").write_text(key())
    made = settings(mail_tls_certificate=str(tmp_path / "cert.pem"), mail_tls_key=str(tmp_path / "key.pem"))
    assert (made.tls_certificate_pem, made.tls_key_pem) == (chain, key())


def test_without_a_certificate_there_is_none() -> None:
    assert (settings().tls_certificate_pem, settings().tls_key_pem) == (None, None)


SOUND = certificate("mail.example.org")


@pytest.mark.parametrize(
    "pem, private, said",
    [
        (SOUND, None, "give both or neither"),
        (None, key(), "give both or neither"),
        (certificate("mail.example.org", begin=-9 * DAY, end=-DAY), key(), "expired on"),
        (certificate("mail.example.org", begin=DAY, end=9 * DAY), key(), "not valid before"),
        (
            certificate("example.org"),
            key(),
            "does not cover mail_hostname 'mail.example.org'; it has example.org",
        ),
        (certificate("*.mail.example.org"), key(), "does not cover mail_hostname"),
        (certificate("*.org"), key(), "does not cover mail_hostname"),
        (certificate(), key(), "it has no name at all"),
        (SOUND, key(ec.generate_private_key(ec.SECP256R1())), "not the key of mail_tls_certificate"),
        (SOUND, key(encryption=BestAvailableEncryption(b"x")), "has a passphrase"),
        (SOUND, SOUND, "mail_tls_key: not a private key"),
        (SOUND[:100] + SOUND[110:], key(), "not a certificate in PEM form"),
        (SOUND + key(), key(), "contains a private key"),
        ("/nowhere/cert.pem", key(), "mail_tls_certificate = '/nowhere/cert.pem': no readable PEM file"),
        (SOUND, "/nowhere/key.pem", "mail_tls_key: no readable PEM file"),
    ],
)
def test_certificates_that_clients_refuse_are_refused(
    pem: str | None, private: str | None, said: str
) -> None:
    with pytest.raises(OperationValueError) as caught:
        settings(mail_tls_certificate=pem, mail_tls_key=private)
    assert said in str(caught.value)
    assert "-----BEGIN" not in str(caught.value)


def test_a_file_that_is_not_pem_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.der").write_bytes(b"\x30\x82\xff")
    (tmp_path / "cert.txt").write_text("certificate")
    for name, said in (("cert.der", "no readable PEM file"), ("cert.txt", "that file is not PEM")):
        with pytest.raises(OperationValueError, match=said):
            settings(mail_tls_certificate=str(tmp_path / name), mail_tls_key=key())


ON_HOST = {"mail_tls_certificate": "host:/etc/ssl/a.pem", "mail_tls_key": "host:/etc/ssl/b.pem"}


def test_both_may_be_on_the_mail_host() -> None:
    made = settings(**ON_HOST)
    assert made.tls_on_host == ("/etc/ssl/a.pem", "/etc/ssl/b.pem")
    assert (made.tls_certificate_pem, made.tls_key_pem) == (None, None)
    assert settings().tls_on_host is None
    assert settings(mail_tls_certificate=SOUND, mail_tls_key=key()).tls_on_host is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**ON_HOST, "mail_tls_key": key()}, "both on the mail host, or neither"),
        ({**ON_HOST, "mail_tls_certificate": SOUND}, "both on the mail host, or neither"),
        ({**ON_HOST, "mail_tls_certificate": "host:a.pem"}, "not an absolute path"),
        ({**ON_HOST, "mail_tls_certificate": "host:/etc/../a.pem"}, "not an absolute path"),
        ({**ON_HOST, "mail_tls_key": "host:/etc/a b"}, "mail_tls_key: after `host:`"),
        ({"mail_tls_key": "host:/etc/a"}, "give both or neither"),
        *(
            (
                {**ON_HOST, name: f"host:{path}"},
                f"{name}{value}: /etc/ssl/mailstack has mailstack's own copies",
            )
            for name, path, value in (
                ("mail_tls_certificate", CERTIFICATE, f" = 'host:{CERTIFICATE}'"),
                ("mail_tls_key", KEY_FILE, ""),
            )
        ),
    ],
)
def test_a_wrong_place_on_the_mail_host_is_refused(values: dict[str, str], said: str) -> None:
    with pytest.raises(OperationValueError, match=re.escape(said)):
        settings(**values)


UPDATES = {"mail_dns_server": "192.0.2.53", "mail_dns_key_name": "k", "mail_dns_key_secret": "YWJj"}
ACME = {"mail_acme": True, "mail_acme_email": "admin@example.net"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mail_acme": True}, "mail_acme_email: is required with mail_acme = True"),
        ({"mail_acme_email": "a@b.example"}, "mail_acme_email: needs mail_acme = True"),
        ({**ACME, "mail_acme_email": "nobody"}, "mail_acme_email = 'nobody'"),
        ({**ACME, "mail_acme_server": "http://ca.example/dir"}, "mail_acme_server = 'http://ca.example/dir'"),
        ({**ACME, "mail_acme_challenge": "dns-01"}, "mail_acme_challenge: 'dns-01' needs mail_dns_server"),
        ({**ACME, "mail_acme_propagation": 5}, "mail_acme_propagation: needs mail_acme_challenge = 'dns-01'"),
        ({**ACME, "mail_web": False}, "mail_acme_challenge: 'http-01' needs mail_web; allowed: 'dns-01'"),
        ({**ACME, **ON_HOST}, "mail_acme: is impossible with mail_tls_certificate"),
    ],
)
def test_settings_of_a_ca_that_do_not_fit_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(OperationValueError, match=re.escape(said)):
        settings(**values)


def test_settings_of_a_ca() -> None:
    assert settings(**ACME).mail_acme_server == "https://acme-v02.api.letsencrypt.org/directory"
    assert settings(**ACME, **UPDATES, mail_acme_challenge="dns-01").mail_acme_propagation == 60
