"""rspamd's web interface: SSH brings it to a machine of the administrator's, and it asks for a password."""

from __future__ import annotations

import pytest

from tests.conftest import KEEP
from tests.support import browser, clients, trust
from tests.support.browser import Browser
from tests.support.deploys import run
from tests.support.trust import Protected
from tests.targets import networks

pytestmark = pytest.mark.postgresql

#: As in docs/spam.md; it ends with its last connection, once `sleep` has.
TUNNEL = (
    "ssh -f -o StrictHostKeyChecking=accept-new -o ExitOnForwardFailure=yes"
    " -L 8080:127.0.0.1:11334 root@localhost sleep 120"
)
SECRET = "/var/lib/mailstack/secrets/rspamd-web-password"
HASHED = "/etc/rspamd/mailstack/web-password.inc"
#: As a browser logs in, with the password on standard input; the answer's code and text.
GET = (
    "perl -MHTTP::Tiny -e '$password = <STDIN>; chomp $password; $answer = HTTP::Tiny->new->get("
    '"http://localhost:8080/$ARGV[0]", {headers => {$password ? (Password => $password) : ()}}); '
    'print "$answer->{status} $answer->{content}"\' '
)

#: Whether the interface shows what the filter has done; and whether a password was refused.
SEES = (
    "document.querySelector('#mainUI').offsetParent !== null && "
    "/uptime/i.test(document.querySelector('#statWidgets').innerText)"
)
REFUSED = "document.querySelector('#connectPassword').value === ''"


def get(protected: Protected, path: str, password: str = "") -> str:
    """Return the answer to a request by the tunnel."""
    return protected.server.exec(f"{GET} '{path}'", input=f"{password}\n").stdout


def test_it_is_reached_by_ssh_and_asks_for_a_password(protected: Protected) -> None:
    server = protected.server
    server.ssh_key()  # which lets root in
    server.exec(f"{TUNNEL} >/dev/null 2>&1")
    page = get(protected, "")
    assert page.startswith("200 ") and "Rspamd Web Interface" in page
    # q1 is Debian's default
    for wrong in ("", "wrong", "q1"):
        assert get(protected, "auth", wrong).startswith("401 ")
        assert get(protected, "stat", wrong).startswith("401 ")
    password = server.read(SECRET).decode().strip()
    assert len(password) == 32
    assert '"read_only":false' in get(protected, "auth", password)
    assert '"scanned":' in get(protected, "stat", password)


def test_no_system_user_reads_the_password_or_needs_none(protected: Protected) -> None:
    server = protected.server
    modes = server.exec(f"stat -c '%a %U %G' {SECRET} {HASHED}").stdout.splitlines()
    assert modes == ["600 root root", "640 root _rspamd"]
    password = server.read(SECRET).decode().strip()
    assert password not in server.read(HASHED).decode()
    connect = "perl -MIO::Socket::UNIX -e 'exit !IO::Socket::UNIX->new($ARGV[0])' /run/rspamd/mailstack.sock"
    assert server.exec(connect, check=False).returncode == 0
    refused = server.exec(f"runuser -u nobody -- {connect}", check=False)
    assert refused.returncode != 0


def test_a_lost_hash_is_made_again(protected: Protected) -> None:
    before = protected.server.read(SECRET)
    protected.server.exec(f"rm {HASHED}")
    assert run(protected.server, trust.data()).changed != []
    assert protected.server.read(SECRET) == before
    assert run(protected.server, trust.data()).changed == []


def test_an_administrator_s_browser_shows_it(protected: Protected, debian: int) -> None:
    """From another machine, by the tunnel of docs/spam.md."""
    server = protected.server
    desk = browser.machine(f"{networks.WORKER_NAME}-desk-{debian}", server.network, keep=KEEP)
    try:
        desk.write("/root/key", server.ssh_key().encode())
        options = "-i /root/key -o StrictHostKeyChecking=accept-new -o ExitOnForwardFailure=yes"
        tunnel = f"ssh -f -N {options} -L 8080:127.0.0.1:11334 root@{server.ip}"
        desk.exec(f"chmod 600 /root/key; {tunnel} >/dev/null 2>&1")
        with Browser(desk) as chromium:
            chromium.open("http://localhost:8080/")
            password = "document.querySelector('#connectPassword')"
            clients.eventually(lambda: chromium.value(f"{password}?.offsetParent != null"), "no field", 60)
            assert chromium.value(SEES) is False
            log_in(chromium, password, "wrong")
            clients.eventually(lambda: chromium.value(REFUSED), "no answer", 60)
            assert chromium.value(SEES) is False
            log_in(chromium, password, server.read(SECRET).decode().strip())
            clients.eventually(lambda: chromium.value(SEES), "the interface does not come", 60)
            outside = [
                url for url in chromium.requests() if not url.startswith(("http://localhost:8080/", "data:"))
            ]
            assert outside == []
    finally:
        desk.exec("pkill -f [1]1334", check=False)
        if not KEEP:
            desk.remove()


def log_in(chromium: Browser, field: str, password: str) -> None:
    """Type a password into the field, and press Enter."""
    chromium.value(f"{field}.focus(), {field}.value = ''")
    chromium.call("Input.insertText", text=password)
    for kind in ("keyDown", "keyUp"):
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        chromium.call("Input.dispatchKeyEvent", type=kind, **enter)
