"""rspamd's web interface is on no port; SSH brings it to a machine of the administrator's."""

from __future__ import annotations

import pytest

from tests.support.trust import Protected

pytestmark = pytest.mark.postgresql

#: As in docs/spam.md; it ends with its last connection, once `sleep` has.
TUNNEL = (
    "ssh -f -o StrictHostKeyChecking=accept-new -o ExitOnForwardFailure=yes"
    " -L 8080:/run/rspamd/mailstack.sock root@localhost sleep 30"
)
GET = """perl -MHTTP::Tiny -e 'print HTTP::Tiny->new->get("http://localhost:8080/$ARGV[0]")->{content}' """


def test_it_is_reached_by_ssh(protected: Protected) -> None:
    server = protected.server
    server.ssh_key()  # which lets root in
    server.exec(f"{TUNNEL} >/dev/null 2>&1")
    assert "Rspamd Web Interface" in server.exec(f"{GET} ''").stdout
    # all of it, without a password
    assert '"read_only":false' in server.exec(f"{GET} auth").stdout


def test_no_system_user_reaches_it(protected: Protected) -> None:
    connect = "perl -MIO::Socket::UNIX -e 'exit !IO::Socket::UNIX->new($ARGV[0])' /run/rspamd/mailstack.sock"
    assert protected.server.exec(connect, check=False).returncode == 0
    refused = protected.server.exec(f"runuser -u nobody -- {connect}", check=False)
    assert refused.returncode != 0
