"""One ClientHello of any content, and what a server answers to it (RFC 5246, RFC 8446).

A client by OpenSSL can't ask for all that a server must refuse.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.support import clients
from tests.support.talk import CLOSED, PROTOCOLS, SMTP, Talk

SSL3, TLS1, TLS1_1, TLS1_2, TLS1_3 = range(0x0300, 0x0305)
#: All numbers at IANA that are, or were, cipher suites; without those that only signal something.
SUITES = (*range(0x0001, 0x00FF), *range(0xC001, 0xC100), *range(0xCCA8, 0xCCAF), *range(0xD001, 0xD006))
SUITES_1_3 = tuple(range(0x1301, 0x1308))
#: "TLS Supported Groups" at IANA: elliptic curves, finite fields, and hybrids with ML-KEM.
GROUPS = (*range(0x0001, 0x0029), *range(0x0100, 0x0105), *range(0x11EB, 0x11EE))
#: ECDSA, RSA-PSS and PKCS 1 with SHA-2; and all of these hashes that are weak: MD5, SHA-1, SHA-224.
SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)
WEAK_SIGNATURES = tuple(digest << 8 | key for digest in (1, 2, 3) for key in (1, 2, 3))
_SCSV = 0x00FF
_GROUPS, _POINTS, _SIGNATURES, _SECRET, _VERSIONS, _KEYS, RENEGOTIATION = 10, 11, 13, 23, 43, 51, 0xFF01
_ALERT, _HANDSHAKE = 21, 22
_SERVER_HELLO, _SERVER_KEYS, _DONE = 2, 12, 14


@dataclass(frozen=True)
class Answer:
    """What a server answers: either a version and a suite, or nothing of it, as it refuses.

    + group: the group in which keys are exchanged, of TLS 1.3 or of elliptic curves
    + signature: the algorithm that signs the key exchange of TLS 1.2
    """

    version: int = 0
    suite: int = 0
    compression: int = 0
    extensions: dict[int, bytes] = field(default_factory=dict)
    group: int | None = None
    signature: int | None = None

    def __bool__(self) -> bool:
        return self.suite != 0

    @property
    def has_extended_master_secret(self) -> bool:
        """Whether the master secret depends on the whole handshake (RFC 7627)."""
        return _SECRET in self.extensions


def _vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _numbers(values: Iterable[int]) -> bytes:
    return b"".join(struct.pack("!H", value) for value in values)


def _hello(
    version: int,
    suites: Sequence[int],
    groups: Sequence[int],
    signatures: Sequence[int],
    compression: Sequence[int],
) -> bytes:
    extensions = [
        (_GROUPS, _vector(2, _numbers(groups))),
        (_POINTS, _vector(1, b"\0")),
        (_SIGNATURES, _vector(2, _numbers(signatures))),
        (_SECRET, b""),
    ]
    if version == TLS1_3:
        # no key yet: the server asks for one, and says in which group
        extensions += [(_VERSIONS, _vector(1, _numbers([TLS1_3]))), (_KEYS, _vector(2, b""))]
    body = struct.pack("!H", min(version, TLS1_2)) + os.urandom(32) + b"\0"
    body += _vector(2, _numbers([*suites, _SCSV])) + _vector(1, bytes(compression))
    if version > SSL3:
        packed = b"".join(struct.pack("!H", kind) + _vector(2, data) for kind, data in extensions)
        body += _vector(2, packed)
    message = b"\1" + _vector(3, body)
    return struct.pack("!BH", _HANDSHAKE, min(version, TLS1)) + _vector(2, message)


def connect(address: str, port: int) -> socket.socket:
    """Return a connection on which TLS comes next, after STARTTLS where the port has it."""
    connection = socket.create_connection((address, port), clients.TIMEOUT)
    protocol = {25: SMTP, **{each.clear: each for each in PROTOCOLS.values()}}.get(port)
    if protocol:
        for sent, until in ((b"", protocol.greeting), protocol.ask, protocol.starttls):
            said = Talk(connection).say(sent, until)
            assert not said.endswith(CLOSED), said
    return connection


def ask(
    address: str,
    port: int,
    *,
    version: int = TLS1_2,
    suites: Sequence[int] | None = None,
    groups: Sequence[int] = GROUPS,
    signatures: Sequence[int] = SIGNATURES,
    compression: Sequence[int] = (0,),
) -> Answer:
    """Return the answer to a client that offers these, by default all that there are."""
    if suites is None:
        suites = SUITES_1_3 if version == TLS1_3 else SUITES
    with connect(address, port) as connection:
        connection.sendall(_hello(version, suites, groups, signatures, compression))
        return _answer(connection)


def _answer(connection: socket.socket) -> Answer:
    found, messages = Answer(), b""
    with connection.makefile("rb") as stream:
        while len(head := stream.read(5)) == 5:
            kind, _, size = struct.unpack("!BHH", head)
            content = stream.read(size)
            if kind == _ALERT:
                return found
            messages += content
            while len(messages) >= 4 and len(messages) >= (end := 4 + int.from_bytes(messages[1:4], "big")):
                number, body, messages = messages[0], messages[4:end], messages[end:]
                if number == _SERVER_HELLO:
                    found = _server_hello(body)
                elif number == _SERVER_KEYS and body[0] == 3:  # a curve by its name
                    group, signature = struct.unpack("!H", body[1:3]), body[4 + body[3] :][:2]
                    values = {"group": group[0], "signature": int.from_bytes(signature, "big")}
                    found = Answer(**{**vars(found), **values})
                if number == _DONE or found.version == TLS1_3:
                    return found
    return found


def _server_hello(body: bytes) -> Answer:
    version = int.from_bytes(body[:2], "big")
    rest = body[35 + body[34] :]
    suite, compression = struct.unpack("!HB", rest[:3])
    extensions, packed = {}, rest[5:]
    while packed:
        kind, size = struct.unpack("!HH", packed[:4])
        extensions[kind], packed = packed[4 : 4 + size], packed[4 + size :]
    if _VERSIONS in extensions:
        version = int.from_bytes(extensions[_VERSIONS], "big")
    group = int.from_bytes(extensions[_KEYS][:2], "big") if _KEYS in extensions else None
    return Answer(version, suite, compression, extensions, group)


def accepted(address: str, port: int, version: int, *, backwards: bool = False) -> list[int]:
    """Return all suites that a server accepts, in its order.

    + backwards: offer them in the opposite order
    """
    offered = list(SUITES_1_3 if version == TLS1_3 else SUITES)
    if backwards:
        offered.reverse()
    found: list[int] = []
    while offered and (answer := ask(address, port, version=version, suites=offered)):
        found.append(answer.suite)
        offered.remove(answer.suite)
    return found
