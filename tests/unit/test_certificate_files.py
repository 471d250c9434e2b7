"""Certificates and keys in files: which is one of a CA, and how a new one takes its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailstack.on_host.certificates import files
from mailstack.on_host.certificates.files import Wanted, finish, install, make_key, present, public
from tests.support.certificates import Authority, self_signed

HOST = "mail.example.org"


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wanted:
    monkeypatch.setattr(files, "CERTIFICATES", tmp_path)
    monkeypatch.setattr(files, "RELOAD", tmp_path / "reload")
    return Wanted(HOST, (HOST,), "ecdsa", *(tmp_path / f"{name}.pem" for name in ("cert", "key", "next")))


def write(wanted: Wanted, certificate: str, key: str) -> None:
    wanted.certificate.write_text(certificate)
    wanted.key.write_text(key)


def issue(tmp_path: Path) -> tuple[str, str]:
    directory = tmp_path / "authority"
    directory.mkdir(exist_ok=True)
    return Authority(directory).issue(HOST, "mta-sts.example.org")


def test_a_certificate_of_a_ca_is_present(wanted: Wanted, tmp_path: Path) -> None:
    write(wanted, *issue(tmp_path))
    found = present(wanted)
    assert found is not None
    assert found.names == (HOST, "mta-sts.example.org")
    assert 89 < (found.expires - found.begins) / 24 / 3600 < 91


def test_a_self_signed_one_is_not(wanted: Wanted, tmp_path: Path) -> None:
    self_signed(tmp_path, HOST)
    assert public(wanted.key)
    assert present(wanted) is None


def test_one_for_another_key_is_not(wanted: Wanted, tmp_path: Path) -> None:
    write(wanted, *issue(tmp_path))
    make_key(wanted.key, "ecdsa")
    assert present(wanted) is None
    wanted.key.write_text("")
    assert present(wanted) is None


@pytest.mark.parametrize("text", ["", "\0\0", "-----BEGIN CERTIFICATE-----\n"])
def test_a_damaged_one_is_not(wanted: Wanted, tmp_path: Path, text: str) -> None:
    write(wanted, text, issue(tmp_path)[1])
    assert present(wanted) is None


def test_a_certificate_takes_its_place_with_its_key(wanted: Wanted) -> None:
    write(wanted, "old", "old key")
    next_key = Path(str(wanted.next_key))
    next_key.write_text("next key")
    install(wanted, "new", wanted.key)
    assert (wanted.certificate.read_text(), wanted.key.read_text()) == ("new", "old key")
    install(wanted, "newer", next_key)
    assert (wanted.certificate.read_text(), wanted.key.read_text()) == ("newer", "next key")
    assert wanted.key.stat().st_mode & 0o777 == 0o600
    assert wanted.certificate.stat().st_mode & 0o777 == 0o644
    names = {path.name for path in wanted.certificate.parent.iterdir()}
    assert names == {"cert.pem", "key.pem", "next.pem", "reload"}


class KilledError(Exception):
    """The end of a run, at any moment."""


def test_a_run_that_was_killed_between_key_and_certificate_is_completed(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many files it had renamed: afterwards both are old, or both are new."""
    next_key = Path(str(wanted.next_key))
    next_key.write_text("next key")
    rename = Path.replace
    seen = set()
    for steps in range(6):
        write(wanted, "old", "old key")
        left = [steps]

        def killed(path: Path, target: Path, left: list[int] = left) -> Path:
            if not left[0]:
                raise KilledError
            left[0] -= 1
            return rename(path, target)

        with monkeypatch.context() as patched, pytest.raises(KilledError):
            patched.setattr(Path, "replace", killed)
            install(wanted, "new", next_key)
            raise KilledError
        seen.add((wanted.key.read_text(), wanted.certificate.read_text()))
        finish(wanted)
        pair = wanted.key.read_text(), wanted.certificate.read_text()
        assert pair == (("old key", "old") if steps < 2 else ("next key", "new"))
    assert ("next key", "old") in seen, "no run was killed between both"
