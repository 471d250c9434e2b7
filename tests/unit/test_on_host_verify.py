"""What the checks on a host make of what they find there."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.verify import __main__ as program
from mailstack.on_host.verify import dkim, mail, readable, services, sockets
from mailstack.on_host.verify.lines import Session, code
from mailstack.on_host.verify.results import Doubt, Problem, Report, Skip

_MESSAGE = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject:  A   long\r\n  subject\r\nX-Other: x\r\n"
    b"\r\nOne  line \r\n\r\n\r\n"
)


def test_a_check_passes_fails_or_is_left_out() -> None:
    report = Report()

    def raising(error: BaseException) -> str:
        raise error

    assert report.check("mail", "good", lambda: "seen")
    assert not report.check("mail", "bad", lambda: raising(Problem("why")), "do this")
    assert not report.check("mail", "own", lambda: raising(Problem("why", "do that")), "do this")
    assert not report.check("mail", "late", lambda: raising(TimeoutError("timed out")), "do this")
    assert not report.check("mail", "odd", lambda: raising(KeyError("x")), "do this")
    assert report.check("mail", "doubt", lambda: raising(Doubt("why", "do that")))
    assert report.check("mail", "none", lambda: raising(Skip("why")), "do this")
    found = {each.title: (each.state, each.text, each.advice) for each in report.results}
    assert found == {
        "good": ("ok", "seen", ""),
        "bad": ("failed", "why", "do this"),
        "own": ("failed", "why", "do that"),
        "late": ("failed", "no answer in time", "do this"),
        "odd": ("failed", "'x'", "do this"),
        "doubt": ("warning", "why", "do that"),
        "none": ("skipped", "why", ""),
    }


def test_what_ends_some_checks_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_listeners(report: Report, plan: object, ssh: str) -> None:
        raise OSError(2, "No such file or directory", "/proc/net/tcp")

    monkeypatch.setattr(sockets, "check", no_listeners)
    plan: dict[str, Any] = {
        "domain": None,
        "mail": False,
        "address": "127.0.0.1",
        "probes": [],
        "maps": [],
        "tls": [],
    }
    found = program.checked({**plan, "other_maps": [], "secrets": [], "directories": []})
    assert {each["title"]: each["state"] for each in found} == {
        "no secret can be read by others": "ok",
        "the checks of test_on_host_verify come to an end": "failed",
    }
    assert all(each["advice"] for each in found if each["state"] == "failed")


def test_a_slow_journal_leaves_the_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report()
    plan = {"mail_ports": [587], "tag": "t", "hostname": "mx.example.org", "filter": False}
    messages = mail.Mail(plan, report)

    def read() -> str:
        messages.probes[0].raw = b"a message"
        return "in INBOX"

    def journal() -> list[str]:
        raise Problem("journalctl did not end within 25 s")

    monkeypatch.setattr(messages, "_send", lambda probe: "accepted")
    monkeypatch.setattr(messages, "_read", read)
    monkeypatch.setattr(messages, "_journal", journal)
    messages.all()
    states = {each.title: each.state for each in report.results}
    assert states["the journal has the times"] == "failed"
    assert states["the message by 587 is signed and aligned"] == "skipped"


def test_a_message_without_a_signature_fails(tmp_path: Path) -> None:
    report = Report()
    plan = {"filter": True, "domain": "example.org", "keys": str(tmp_path)}
    messages = mail.Mail(plan, report)
    report.check("mail", "signed", lambda: messages._signed(mail.Probe(587, "<1@x>", raw=_MESSAGE)))
    assert [(each.state, each.text) for each in report.results] == [("failed", "it has no signature")]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Return a directory with the keys of a domain."""
    directory = tmp_path / "example.org"
    directory.mkdir()
    for selector, options in (("rsa1", ["rsa"]), ("ed1", ["ed25519"])):
        private = directory / f"{selector}.pem"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", *options, "-out", private], check=True, capture_output=True
        )
        public = subprocess.run(
            ["openssl", "pkey", "-in", private, "-pubout", "-outform", "DER"], check=True, capture_output=True
        ).stdout
        data = base64.b64encode(public if selector == "rsa1" else public[-32:]).decode()
        (directory / f"{selector}.txt").write_text(
            f'"v=DKIM1; k={options[0]}; " "p={data[:60]}" "{data[60:]}"\n'
        )
    return tmp_path


def signed(keys: Path, selector: str, domain: str = "example.org") -> bytes:
    """Return the message with a signature, made as RFC 6376 says by hand."""
    import hashlib

    body = base64.b64encode(hashlib.sha256(b"One line\r\n").digest()).decode()
    algorithm = "rsa-sha256" if selector == "rsa1" else "ed25519-sha256"
    field = (
        f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector};\r\n"
        f"\th=from:to:subject; bh={body}; b="
    )
    canonical = (
        "from:a@example.org\r\nto:b@example.org\r\nsubject:A long subject\r\n"
        f"dkim-signature:v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector};"
        f" h=from:to:subject; bh={body}; b="
    ).encode()
    private = keys / "example.org" / f"{selector}.pem"
    data = keys / "data"
    if selector == "rsa1":
        data.write_bytes(canonical)
        command = ["openssl", "dgst", "-sha256", "-sign", str(private), str(data)]
    else:
        data.write_bytes(hashlib.sha256(canonical).digest())
        command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(private), "-in", str(data)]
    value = base64.b64encode(subprocess.run(command, check=True, capture_output=True).stdout).decode()
    return f"{field}{value[:40]}\r\n\t {value[40:]}\r\n".encode() + _MESSAGE


def test_signatures_are_verified(keys: Path) -> None:
    for selector in ("rsa1", "ed1"):
        message = signed(keys, selector)
        assert selector in dkim.checked(message, "example.org", str(keys))
        with pytest.raises(Problem, match="the body was changed"):
            dkim.checked(message + b"An advertisement\r\n", "example.org", str(keys))
        with pytest.raises(Problem, match="not by the key"):
            dkim.checked(message.replace(b"A   long", b"Another"), "example.org", str(keys))
        with pytest.raises(Problem, match=r"signed by example.org, and From is of example.net"):
            dkim.checked(message, "example.net", str(keys))
    with pytest.raises(Problem, match="it has no signature"):
        dkim.checked(_MESSAGE, "example.org", str(keys))


_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0 0 101 1
   1: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0 0 102 1
   2: 0101A8C0:01BB 0201A8C0:8000 01 00000000:00000000 00:00000000 00000000   0 0 103 1
"""
_TCP6 = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 104 1
   1: 00000000000000000000000000000000:03E1 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 105 1
   2: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 106 1
"""


def test_listeners(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(_TCP)
    (tmp_path / "tcp6").write_text(_TCP6)
    found = {each.port: each.is_for_others for each in sockets.listeners(tmp_path)}
    assert found == {3306: False, 25: True, 5432: False, 993: True, 80: False}


def test_only_root_has_a_server_of_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any user can call a program "sshd", and a session with ``ssh -R`` is one."""
    plan = {"ports": [], "allowed_ports": [], "firewall": False}

    def state(*, of_root: bool) -> str:
        report = Report()
        monkeypatch.setattr(sockets, "_programs", lambda inodes: {"7": sockets.Program("sshd", of_root)})
        sockets.check(report, plan, "")
        (found,) = [each for each in report.results if each.title.startswith("no port")]
        return found.state

    forwarded = sockets.Listener("0.0.0.0", 8083, "7")
    monkeypatch.setattr(sockets, "listeners", lambda protocol="tcp": [forwarded] if protocol == "tcp" else [])
    assert (state(of_root=True), state(of_root=False)) == ("ok", "failed")


def test_the_program_of_a_socket() -> None:
    with socket.socket() as listening:
        (found,) = sockets._programs({str(os.fstat(listening.fileno()).st_ino)}).values()
    assert found == (Path("/proc/self/comm").read_text().strip(), os.geteuid() == 0)


def test_services_of_udp_that_flood_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is open to all, the second to this host; the third is the other end of a question."""
    (tmp_path / "udp").write_text(
        "  sl  local_address rem_address   st\n"
        "   0: 00000000:006F 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 201 2\n"
        "   1: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 202 2\n"
        "   2: 0100A8C0:2BCB 0800A8C0:0035 01 00000000:00000000 00:00000000 00000000 0 0 203 2\n"
        "   3: 00000000:8001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 204 2\n"
    )
    found = sockets.listeners
    monkeypatch.setattr(sockets, "listeners", lambda protocol: found(tmp_path, protocol))
    with pytest.raises(Doubt, match=r"^open to other hosts: 111 \(rpcbind\)$") as doubt:
        sockets._no_floods({"allowed_ports": [], "firewall": False})
    assert "mail_verify_ports" in doubt.value.advice
    assert sockets._no_floods({"allowed_ports": [111], "firewall": False}) == ""
    assert "111 (rpcbind)" in sockets._no_floods({"allowed_ports": [], "firewall": True})


def test_readable_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = tmp_path / "secret"
    private.write_text("-----BEGIN PRIVATE KEY-----\n")
    declared = {"path": str(private), "mode": 0o600, "group": "root"}

    def state() -> str:
        report = Report()
        readable.check(report, [declared], [str(tmp_path)])
        return report.results[0].state

    monkeypatch.setattr(readable, "_can_enter", lambda directory: True)
    private.chmod(0o600)
    assert state() == "ok"
    private.chmod(0o644)
    assert state() == "failed"
    report = Report()
    readable.check(report, [declared], [])
    assert report.results[0].advice.startswith("pyinfra INVENTORY deploy.py restores its mode, or: ")
    declared["path"] = str(tmp_path / "missing")
    assert state() == "failed"  # it has a private key in it
    private.write_text("-----BEGIN CERTIFICATE-----\n")
    assert state() == "ok"
    # nobody else gets that far
    declared["path"] = str(private)
    monkeypatch.undo()
    tmp_path.chmod(0o700)
    assert state() == "ok"


def test_a_secret_that_is_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as that of postsrsd, which has nothing by which one could tell it from other text."""
    monkeypatch.setattr(readable, "_can_enter", lambda directory: True)
    secret = tmp_path / "postsrsd.secret"
    secret.write_text("bm90IGEga2V5\n")
    states = []
    for mode in (0o600, 0o644):
        secret.chmod(mode)
        report = Report()
        readable.check(report, [], [str(secret), str(tmp_path / "missing")])
        states.append((report.results[0].state, f"chmod o-rwx {secret}" in report.results[0].advice))
        assert "deploy.py" not in report.results[0].advice  # it does not know the file
    assert states == [("ok", False), ("failed", True)]


def test_a_directory_that_is_not_read_to_its_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readable, "_MOST", 2)
    (tmp_path / "below").mkdir()
    texts = []
    for number in range(4):
        (tmp_path / f"below/{number}").touch()
        report = Report()
        readable.check(report, [], [str(tmp_path)])
        texts.append(report.results[0].text)
    assert [f"of {tmp_path}, the first 2 files alone" in text for text in texts] == [False, False, True, True]


def test_a_group_that_should_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid():
        pytest.skip("only root can give files away")
    private = tmp_path / "secret"
    private.touch()
    private.chmod(0o640)
    os.chown(private, 0, 5)
    for mode, group, command in ((0o600, "root", "chmod g-rwx"), (0o640, "mail", "chgrp mail")):
        report = Report()
        readable.check(report, [{"path": str(private), "mode": mode, "group": group}], [])
        (found,) = report.results
        assert found.state == "failed" and str(private) in found.text
        assert f" or: {command} {private};" in found.advice


@pytest.mark.parametrize(
    ("answer", "expected", "state"),
    [
        ("a@example.org", "a@example.org", "ok"),
        ("b@example.org,a@example.org", "a@example.org", "ok"),
        ("550 5.7.1 no", "550 5.7.1", "ok"),
        ("c@example.org", "a@example.org", "failed"),
        ("", "a@example.org", "failed"),
    ],
)
def test_a_wrong_answer_of_a_table(
    answer: str, expected: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"hit": answer, "miss": ""}
    monkeypatch.setattr(services, "run", lambda command: (0, asked[command[-2]], ""))
    table = {
        "name": "aliases",
        "table": "pgsql:/x",
        "hit": "hit",
        "miss": "miss",
        "expected": expected,
        "secret": False,
        "as_root": True,
        "environment": [],
        "advice": "do this",
    }
    report = Report()
    services.table(report, table)
    assert [each.state for each in report.results] == [state, "ok"]
    asked["miss"] = "something"
    services.table(report, table)
    assert report.results[-1].state == "failed"


def test_a_table_that_ends_without_a_word_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it should have no answer: a killed postmap(1) has none either."""
    monkeypatch.setattr(services, "run", lambda command: (-9, "", ""))
    with pytest.raises(Problem, match="ended with status -9"):
        services._asked({"environment": [], "table": "pgsql:/x", "as_root": True}, "miss")


def test_answers_of_smtp_and_imap() -> None:
    smtp = Session.__new__(Session)
    smtp.how = "smtp"
    assert smtp.is_good(["250-a", "250 ok"]) and not smtp.is_good(["454 no TLS"])
    assert not smtp._is_last("250-a", "*") and smtp._is_last("250 a", "*")
    imap = Session.__new__(Session)
    imap.how = "imap"
    assert imap.is_good(["* CAPABILITY IMAP4rev1", "v1 OK done"]) and not imap.is_good(["v1 NO no"])
    assert not imap._is_last("* CAPABILITY", "v1") and imap._is_last("v1 BAD x", "v1")
    assert (code(["250 x"]), code(["what"])) == (250, 0)
