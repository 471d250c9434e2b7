"""How certificates are ordered by certbot, and the words for what it says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.certificates import ca
from mailstack.on_host.certificates.files import FailureError

SAID = """
Certbot failed to authenticate some domains (authenticator: webroot). The CA reported these problems:
  Domain: mail.example.org
  Type:   unauthorized
  Detail: 192.0.2.1: Invalid response from http://mail.example.org/.well-known/acme-challenge/x: 404

Hint: …
Some challenges have failed.
"""
LIMIT = (
    "An unexpected error occurred:\nError creating new order :: too many certificates already issued: "
    "urn:ietf:params:acme:error:rateLimited, retry after 2026-11-30 10:20:30 UTC"
)


def test_what_certbot_says_becomes_a_line() -> None:
    failure = ca.failure_of(SAID)
    assert str(failure).startswith(
        "mail.example.org: 192.0.2.1: Invalid response from http://mail.example.org"
    )
    assert "\n" not in str(failure)
    limit = ca.failure_of(LIMIT)
    assert "too many certificates" in str(limit) or "rateLimited" in str(limit)
    assert limit.after == 1796034030
    away = "An unexpected error occurred:\nAccount https://ca.example not found.\nAsk for help or search …"
    assert str(ca.failure_of(f"{away}\nRequesting a certificate")) == "Account https://ca.example not found."
    assert str(ca.failure_of("")) == "certbot failed"


def test_the_error_of_the_ca_is_in_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ca, "LOG", tmp_path / "log")
    assert ca.logged() == ""
    error = "urn:ietf:params:acme:error:malformed :: not so :: no"
    (tmp_path / "log").write_text(
        f"2026 x\nacme.messages.Error: {error}\n\nAttributeError: can't set attribute\n"
    )
    assert str(ca.failure_of(f"{ca.logged()}\nAttributeError: can't set attribute")) == error


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ("urn:ietf:params:acme:error:accountDoesNotExist :: unknown", True),
        ("urn:ietf:params:acme:error:unauthorized :: Account is not valid, has status deactivated", True),
        ("An unexpected error occurred:\nAccount https://ca.example/my-account/1 not found.", True),
        (SAID, False),
    ],
)
def test_an_account_that_the_ca_has_forgotten_is_moved_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, gone: bool
) -> None:
    monkeypatch.setattr(ca, "ACCOUNT", tmp_path)
    (tmp_path / "accounts").mkdir()
    assert ca.forget_account(said) is gone
    assert (tmp_path / "accounts.gone").exists() is gone


SERVER = "https://ca.example:14000/dir"
POOL = "HTTPSConnectionPool(host='ca.example', port=14000): "
MAX = f"{POOL}Max retries exceeded with url: /dir (Caused by "


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            f"requests.exceptions.ConnectionError: {MAX}NewConnectionError('<urllib3.connection."
            "HTTPSConnection object at 0x7f>: Failed to establish a new connection: "
            "[Errno 111] Connection refused'))",
            "Connection refused",
        ),
        (
            f"requests.exceptions.SSLError: {MAX}SSLError(SSLCertVerificationError(1, '[SSL: "
            "CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate "
            "chain (_ssl.c:1000)')))",
            "certificate verify failed: self-signed certificate in certificate chain",
        ),
        # certbot's own words for some of them
        ("ValueError: Requesting ca.example/dir: Connection refused", "Connection refused"),
        (
            f'requests.exceptions.ConnectionError: {MAX}NameResolutionError("<urllib3.connection.'
            "HTTPSConnection object at 0x7f>: Failed to resolve 'ca.example' ([Errno -2] Name or service "
            'not known)"))',
            "Name or service not known",
        ),
        (f"requests.exceptions.ReadTimeout: {POOL}Read timed out. (read timeout=45)", "timed out"),
        # as a proxy before it says, and a wrong path
        ("acme.errors.ClientError: <Response [503]>", "status 503"),
        (
            "acme.errors.ClientError: Unexpected response Content-Type: text/html",
            "Unexpected response Content-Type: text/html",
        ),
        ("requests.exceptions.JSONDecodeError: Expecting value: line 1 column 1", "JSONDecodeError"),
        (SAID, None),
        (LIMIT, None),
    ],
)
def test_a_ca_that_does_not_answer_is_named_by_its_setting(said: str, reason: str | None) -> None:
    assert ca.no_answer(f"An unexpected error occurred:\n{said}\nAsk for help") == reason


class Certbot:
    """A certbot that fails as it is told, and then gives a certificate."""

    def __init__(self, *said: str | Exception) -> None:
        self.said = list(said)
        self.runs = 0
        self.seconds = 0.0

    def __call__(self, *command: str, timeout: float, **_: Any) -> subprocess.CompletedProcess[str]:
        """See `files.run`."""
        self.runs += 1
        self.seconds = timeout
        if self.said:
            told = self.said.pop(0)
            if isinstance(told, Exception):
                raise told
            return subprocess.CompletedProcess(command, 1, "", told)
        Path(command[command.index("--fullchain-path") + 1]).write_text("PEM")
        return subprocess.CompletedProcess(command, 0, "", "")


CONFIGURATION = {"email": "a@b.example", "server": SERVER, "challenge": "http-01", "webroot": "/w"}
FORGOTTEN = "urn:ietf:params:acme:error:accountDoesNotExist :: unknown"
NONCE = "urn:ietf:params:acme:error:badNonce :: another"


@pytest.fixture
def ordered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that orders a certificate from this certbot."""
    monkeypatch.setattr(ca, "ACCOUNT", tmp_path / "acme")
    monkeypatch.setattr(ca, "CERTIFICATES", tmp_path)
    monkeypatch.setattr(ca, "LOG", tmp_path / "log")
    monkeypatch.setattr(ca, "openssl", lambda *_: "")

    def order(certbot: Certbot, **more: Any) -> str:
        monkeypatch.setattr(ca, "run", certbot)
        return ca.order({**CONFIGURATION, **more}, ["a.example"], tmp_path / "key.pem")

    return order


def account(tmp_path: Path, text: str) -> Path:
    directory = tmp_path / "acme" / "accounts" / "ca.example" / "directory" / "1"
    directory.mkdir(parents=True)
    for name in ("meta", "private_key"):
        (directory / f"{name}.json").write_text("{}")
    (directory / "regr.json").write_text(text)
    return tmp_path / "acme" / "accounts"


@pytest.mark.parametrize("said", [[], [FORGOTTEN], [NONCE, NONCE, NONCE]])
def test_what_another_try_mends_is_tried_again(ordered: Any, tmp_path: Path, said: list[str]) -> None:
    accounts = account(tmp_path, "{}")
    certbot = Certbot(*said)
    assert ordered(certbot) == "PEM"
    assert certbot.runs == len(said) + 1
    assert accounts.exists() is (FORGOTTEN not in said)


@pytest.mark.parametrize("said", [[SAID], [NONCE] * 4])
def test_what_it_does_not_mend_is_said(ordered: Any, said: list[str]) -> None:
    certbot = Certbot(*said)
    with pytest.raises(FailureError) as caught:
        ordered(certbot)
    assert certbot.runs == len(said)
    assert not caught.value.unreached


def test_a_certificate_for_another_key_takes_nobodys_place(
    ordered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca, "openssl", lambda command, *_: f"the key by openssl {command}")
    with pytest.raises(FailureError, match="the CA gave a certificate for another key"):
        ordered(Certbot())


def test_the_log_of_an_earlier_run_says_nothing_of_this_one(ordered: Any, tmp_path: Path) -> None:
    """As of a certbot that finds no directory for its files, and has no log then."""
    (tmp_path / "log").write_text("acme.messages.Error: urn:ietf:params:acme:error:rateLimited :: too many\n")
    with pytest.raises(FailureError, match=r"^/w does not exist or is not a directory$"):
        ordered(Certbot("/w does not exist or is not a directory\nAsk for help or search"))


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (f"requests.exceptions.ReadTimeout: {POOL}Read timed out. (read timeout=45)", "timed out"),
        (subprocess.TimeoutExpired("certbot", 900), "certbot did not end in 15 minutes"),
    ],
)
def test_no_answer_of_the_ca_names_the_setting(ordered: Any, told: str | Exception, reason: str) -> None:
    with pytest.raises(FailureError) as caught:
        ordered(Certbot(told))
    assert str(caught.value) == f"mail_acme_server = '{SERVER}' gives no answer: {reason}"
    assert caught.value.unreached


@pytest.mark.parametrize("text", ["", "\0\0\0", '{"body": '])
def test_a_damaged_account_is_put_away(ordered: Any, tmp_path: Path, text: str) -> None:
    accounts = account(tmp_path, text)
    assert ordered(Certbot()) == "PEM"
    assert not accounts.exists()
    assert accounts.with_name("accounts.gone").exists()


@pytest.mark.parametrize(("challenge", "seconds"), [("http-01", 900), ("dns-01", 900 + 3600)])
def test_certbot_may_wait_for_the_dns(ordered: Any, challenge: str, seconds: float) -> None:
    certbot = Certbot()
    ordered(certbot, challenge=challenge, propagation=3600)
    assert certbot.seconds == seconds
