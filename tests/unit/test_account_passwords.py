"""Sources of passwords; the prompt and the command line are tested on hosts."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.accounts.password_source import _stdin, password_source

EVE = "eve@example.org"


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILSTACK_PW", " as it is ")
    assert password_source("env:MAILSTACK_PW", EVE)() == " as it is "


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_file(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "pw"
    file.write_bytes(f"pässwort{ending}".encode())
    assert password_source(f"file:{file}", EVE)() == "pässwort"


def test_text_that_is_not_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte order mark is not part of the text."""
    file = tmp_path / "pw"
    file.write_bytes(b"\xef\xbb\xbfbompw\r\n")
    assert password_source(f"file:{file}", EVE)() == "bompw"
    file.write_bytes(b"l\xe4tin\n")
    with pytest.raises(OperationValueError, match=r"password_from: .*/pw is not UTF-8") as error:
        password_source(f"file:{file}", EVE)()
    assert "tin" not in str(error.value) and error.value.__suppress_context__
    monkeypatch.setenv("MAILSTACK_PW", "l\udce4tin")
    with pytest.raises(OperationValueError, match="password_from: the password is not UTF-8"):
        password_source("env:MAILSTACK_PW", EVE)()


def given(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _stdin.cache_clear()
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(content), encoding="ascii"))


def test_stdin_is_read_once_for_one_user(monkeypatch: pytest.MonkeyPatch) -> None:
    given("pässwort\n".encode(), monkeypatch)
    for _ in range(2):  # as a run is prepared and executed, and on each host
        assert password_source("stdin", EVE)() == "pässwort"
    with pytest.raises(OperationValueError, match="one line, and not empty"):
        password_source("stdin", "bob@example.org")()


@pytest.mark.parametrize(
    ("content", "said"), [(b"two\nlines\n", "one line"), (b"l\xe4tin", "stdin is not UTF-8")]
)
def test_stdin_that_is_no_password(content: bytes, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given(content, monkeypatch)
    with pytest.raises(OperationValueError, match=said):
        password_source("stdin", EVE)()


def test_stdin_of_a_terminal_would_show_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(OperationValueError, match="stdin is a terminal here; allowed: prompt"):
        password_source("stdin", EVE)


@pytest.mark.parametrize("content", ["", "\n", "two\nlines\n", "a\0b"])
def test_texts_that_are_not_passwords(tmp_path: Path, content: str) -> None:
    file = tmp_path / "pw"
    file.write_text(content)
    with pytest.raises(OperationValueError, match="one line, and not empty"):
        password_source(f"file:{file}", EVE)()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("env:MAILSTACK_NO_SUCH", "the environment has no MAILSTACK_NO_SUCH"),
        ("file:/no/such/file", "there is no file /no/such/file"),
        ("geheim", "not a source of passwords"),
        ("env:", "not a source of passwords"),
        ("prompt:geheim", "not a source of passwords"),
        ("stdin:geheim", "not a source of passwords"),
    ],
)
def test_impossible_sources_are_refused_at_once(source: str, said: str) -> None:
    with pytest.raises(OperationValueError, match=said) as error:
        password_source(source, EVE)
    assert "geheim" not in str(error.value)
