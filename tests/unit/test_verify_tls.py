"""What becomes of a certificate that can't be verified."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mailstack.on_host.verify.results import Doubt, Problem
from mailstack.on_host.verify.tls import Wanted, certificate
from tests.support import certificates

NAME = "mx.example.org"


@contextmanager
def serving(chain: Path, key: Path) -> Iterator[int]:
    """Serve TLS with a certificate, and yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            # a client that does not trust it goes away
            with suppress(OSError), client, context.wrap_socket(client, server_side=True) as secured:
                secured.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


OWN = Wanted("own")


def found(chain: Path, key: Path, wanted: Wanted = OWN) -> tuple[type[Problem], str, str]:
    """Return what the check of a certificate finds."""
    with serving(chain, key) as port, pytest.raises(Problem) as error:
        certificate("", "127.0.0.1", port, NAME, wanted)
    return type(error.value), error.value.text, error.value.advice


def issued(directory: Path, *names: str, chain: bool) -> tuple[Path, Path]:
    """Return the files of a certificate of a CA that nobody knows."""
    text, key = certificates.Authority(directory).issue(*names)
    files = directory / "chain.pem", directory / "chain.key"
    files[0].write_text(text if chain else certificates.Authority.first(text))
    files[1].write_text(key)
    return files


def test_a_ca_that_is_not_known(tmp_path: Path) -> None:
    kind, text, advice = found(*issued(tmp_path, NAME, chain=True))
    assert kind is Doubt and "update-ca-certificates" in advice
    assert text.startswith("of CN=Authority of the tests, whose root is none") and "89 days left" in text
    kind, text, advice = found(*issued(tmp_path, NAME, chain=False))
    assert kind is Problem and text.startswith("of CN=Authority of the tests, unable to get")
    assert "between it and the root" in advice and "update-ca-certificates" in advice
    kind, text, _ = found(*issued(tmp_path, "other.example.org", chain=True))
    assert kind is Problem and f"not for {NAME}" in text


def test_one_of_its_own(tmp_path: Path) -> None:
    pair = certificates.self_signed(tmp_path, NAME)
    kind, text, _ = found(*pair)
    assert kind is Doubt and text.startswith("self-signed, as no setting gives another")
    kind, text, advice = found(*pair, Wanted("ca"))
    assert kind is Problem and text.startswith("self-signed") and "mailstack-certificates" in advice
    kind, text, _ = found(*pair, Wanted())  # from outside, nobody knows the settings
    assert kind is Doubt and text == "self-signed, 89 days left"


@pytest.mark.parametrize("on_host", [False, True])
def test_a_self_signed_one_that_the_settings_give(on_host: bool, tmp_path: Path) -> None:
    """It is there, so that ACME, which this host does not have, is no advice."""
    (tmp_path / "old").mkdir()
    pair, other = certificates.self_signed(tmp_path, NAME), certificates.self_signed(tmp_path / "old", NAME)
    pem, path = ("", str(pair[0])) if on_host else (pair[0].read_text(), "")
    wanted = Wanted("given", pem, path)
    kind, text, advice = found(*pair, wanted)
    assert kind is Doubt and text == "self-signed, as that in mail_tls_certificate is, 89 days left"
    kind, text, advice = found(*other, wanted)
    assert kind is Problem and text.startswith("self-signed, and another than that in mail_tls_certificate")
    assert "deploy.py" in advice and "mailstack-certificates" not in advice
    assert (f"why {path} was not taken" in advice) == on_host
    ends = certificates.self_signed(tmp_path, NAME, days=5)
    kind, text, advice = found(*ends, Wanted("given", ends[0].read_text()))
    assert kind is Problem and "4 days left" in text and "give a new mail_tls_certificate" in advice


def test_one_of_its_own_that_ends_soon_or_is_for_another_name(tmp_path: Path) -> None:
    kind, text, advice = found(*certificates.self_signed(tmp_path, NAME, days=5))
    assert kind is Problem and "4 days left" in text and "deploy" in advice
    kind, text, _ = found(*certificates.self_signed(tmp_path, "other.example.org"))
    assert kind is Problem and f"not for {NAME}" in text
