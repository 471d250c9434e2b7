"""rspamd's web interface: SSH brings it to a machine of the administrator's, and it asks for a password."""

from __future__ import annotations

import pytest

from tests.support import trust
from tests.support.deploys import run
from tests.support.trust import Protected

pytestmark = pytest.mark.postgresql

#: As in docs/spam.md; it ends with its last connection, once `sleep` has.
TUNNEL = (
    "ssh -f -o StrictHostKeyChecking=accept-new -o ExitOnForwardFailure=yes"
    " -L 8080:127.0.0.1:11334 root@localhost sleep 30"
)
SECRET = "/var/lib/mailstack/secrets/rspamd-web-password"
HASHED = "/etc/rspamd/mailstack/web-password.inc"
#: As a browser logs in, with the password on standard input; the answer's code and text.
GET = (
    "perl -MHTTP::Tiny -e '$password = <STDIN>; chomp $password; $answer = HTTP::Tiny->new->get("
    '"http://localhost:8080/$ARGV[0]", {headers => {$password ? (Password => $password) : ()}}); '
    'print "$answer->{status} $answer->{content}"\' '
)


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
