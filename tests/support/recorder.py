"""A server of SMTP on the peer that writes down the octets of each message, as they came."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import clients
from tests.targets.containers import Target

PORT = 2525
#: The domain whose mail goes there, on a server with such a `mail_transport`.
DOMAIN = "recorded.example"
_RECORD, _SCRIPT, _UNIT = "/root/recorded", "/root/recorder.py", "recorder"
_PROGRAM = f"""
import base64, socketserver

class Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line + b"\\r\\n")

    def handle(self):
        self.say(b"220 recorder ESMTP")
        for line in self.rfile:
            self.say({{b"DATA": b"354 go on", b"QUIT": b"221 bye"}}.get(line[:4].upper(), b"250 ok"))
            if line[:4].upper() == b"DATA":
                data = b""
                while not data.endswith(b"\\r\\n.\\r\\n"):
                    octet = self.rfile.read(1)
                    if not octet:
                        return
                    data += octet
                with open("{_RECORD}", "ab") as record:
                    record.write(base64.b64encode(data) + b"\\n")
                self.say(b"250 ok")

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

Server(("", {PORT}), Session).serve_forever()
"""


@contextmanager
def recording(peer: Target) -> Iterator[None]:
    """Run it, with nothing recorded yet."""
    peer.write(_SCRIPT, _PROGRAM.encode())
    peer.exec(f"systemctl stop {_UNIT} 2>/dev/null; rm -f {_RECORD}")  # left by an interrupted run
    peer.exec(["systemd-run", "--quiet", "--collect", f"--unit={_UNIT}", "python3", _SCRIPT])
    clients.eventually(
        lambda: peer.exec(f"ss -tlnH sport = :{PORT}").stdout, "the recorder does not listen", 60
    )
    try:
        yield
    finally:
        peer.exec(["systemctl", "stop", _UNIT])


def recorded(peer: Target) -> list[bytes]:
    """Return the octets between DATA and the end of each message, with that end."""
    return [base64.b64decode(line) for line in peer.exec(f"cat {_RECORD} 2>/dev/null; true").stdout.split()]
