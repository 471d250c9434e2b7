"""Services are stopped, restarted and frozen."""

from __future__ import annotations

from faults.row import Row
from tests.support.tally import DELIVERED_AGAIN, SENT_AGAIN

PART = "Services are away"
#: A service as the page calls it, the units of it, and how mail may be doubled as it stops.
_SERVICES = {
    "postfix": ("Postfix", "$postfix.service", (SENT_AGAIN, DELIVERED_AGAIN)),
    "dovecot": ("Dovecot", "dovecot.service", (DELIVERED_AGAIN,)),
    "database": ("PostgreSQL", "$database.service", ()),
    "rspamd": ("rspamd", "rspamd.service", (SENT_AGAIN,)),
    "redis": ("rspamd's Redis", "redis-server@mailstack.service", ()),
    "resolver": ("unbound, the resolver", "unbound.service", ()),
    "web": ("nginx, the web server", "nginx.service", ()),
}
#: Seconds that each is away, and that it is frozen: Postfix avoids a server that failed for a minute.
_AWAY, _FROZEN = {"dovecot": 60, "database": 60}, {"postfix": 25, "dovecot": 60, "database": 60}


def _rows(name: str, called: str, units: str, doubles: tuple[str, ...]) -> tuple[Row, ...]:
    sockets = "dovecot.socket " if name == "dovecot" else ""
    stops = name if name in ("dovecot", "database") else ""
    away, frozen = _AWAY.get(name, 10), _FROZEN.get(name, 15)
    return (
        Row(
            f"{name}-stopped",
            f"{called} is stopped for {away} s",
            do=f"systemctl stop {sockets}{units} 2>&1",
            seconds=away,
            undo=f"systemctl start {units}",
            doubles=doubles,
            stops=stops,
        ),
        Row(
            f"{name}-restarted",
            f"{called} is restarted",
            do=f"systemctl restart {units}",
            doubles=doubles,
            stops=stops,
        ),
        Row(
            f"{name}-frozen",
            f"{called} is frozen for {frozen} s (SIGSTOP)",
            do=f"systemctl kill -s STOP {units}",
            seconds=frozen,
            undo=f"systemctl kill -s CONT {units}",
            doubles=(*doubles, SENT_AGAIN, DELIVERED_AGAIN),
            stops=stops,
        ),
    )


ROWS = tuple(row for name, given in _SERVICES.items() for row in _rows(name, *given))
