"""The clock jumps: a library tells all programs of the host but systemd another time."""

from __future__ import annotations

from pathlib import Path

from faults.hosts import without_services
from faults.row import Case, Row
from tests.support.trust import Protected

PART = "The clock jumps"
_SOURCE = Path(__file__).with_name("clock.c")
_LIBRARY, _OFFSET = "/usr/local/lib/faults-clock.so", "/etc/faults-clock"
_ADD = (
    "import struct, sys; file = open(sys.argv[1], 'r+b'); (before,) = struct.unpack('l', file.read()); "
    "file.seek(0); file.write(struct.pack('l', before + int(sys.argv[2])))"
)


def prepare(protected: Protected) -> None:
    """Start all services with the library, as yet with the true time."""
    host = protected.server
    host.write("/root/clock.c", _SOURCE.read_bytes())
    without_services(
        host,
        f"gcc -Wall -Werror -O2 -shared -fPIC -DOFFSET='\"{_OFFSET}\"' -o {_LIBRARY} /root/clock.c; "
        f"head -c 8 /dev/zero > {_OFFSET}; echo {_LIBRARY} > /etc/ld.so.preload",
    )


def jump(case: Case, seconds: int) -> None:
    """Add seconds to the clock; `AssertionError` if a new process does not see it."""
    date = "date +%s"
    before = int(case.host.exec(date).stdout)
    case.host.exec(["python3", "-c", _ADD, _OFFSET, str(seconds)])
    moved = int(case.host.exec(date).stdout) - before
    assert abs(moved - seconds) < 30, f"the clock moved by {moved} s"


ROWS = (
    Row("clock-forward", "The clock jumps an hour ahead", do=lambda case: jump(case, 3600)),
    Row(
        "clock-back",
        "The clock jumps a minute back",
        do=lambda case: jump(case, -60),
        # earlier than that minute: otherwise Dovecot would have waited it out
        after="journalctl -q -u mailstack-recover -o cat | grep -q 'the clock was set back'",
    ),
)
