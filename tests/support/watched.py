"""A mail server with numbers for Prometheus, and what they say."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tests.support import sample_accounts
from tests.targets.containers import Target

COLLECT = "systemctl start mailstack-metrics.service"


class Watched(NamedTuple):
    """A mail server, and the host with Prometheus, which may read its numbers."""

    server: Target
    prometheus: Target

    def data(self, **more: Any) -> dict[str, Any]:
        metrics = {"mail_metrics": True, "mail_metrics_clients": [self.prometheus.ip]}
        return sample_accounts.data(**{**metrics, "mail_backup_repository": "/srv/backup", **more})

    def numbers(self) -> str:
        """Return what the server shows, read at this moment."""
        self.server.exec(COLLECT, timeout=300)
        return self.shown()

    def shown(self, port: int = 9100) -> str:
        """Return what the server shows."""
        fetch = (
            f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/metrics').read().decode())"
        )
        return self.server.exec(["python3", "-c", fetch]).stdout


def value(text: str, name: str, **labels: str) -> float:
    """Return the sum of the samples with these labels; `KeyError` if there are none."""
    found = [
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if re.match(rf"{name}[{{ ]", line) and all(f'{key}="{each}"' in line for key, each in labels.items())
    ]
    if not found:
        raise KeyError(f"{name} {labels}")
    return sum(found)
