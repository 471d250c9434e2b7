"""Debian's Prometheus in a container, with the files that mailstack has for it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import mailstack.metrics
from tests.support import clients
from tests.targets import images
from tests.targets.containers import Target
from tests.targets.networks import Network

FILES = Path(mailstack.metrics.__file__).parent
ALERTS = (FILES / "mailstack-alerts.yml").read_text()
DASHBOARD: dict[str, Any] = json.loads((FILES / "mailstack-dashboard.json").read_text())
_SCRAPE = (FILES / "mailstack-scrape.yml").read_text()


def server(name: str, network: Network, *, keep: bool = False) -> Target:
    """Return the host, on which Prometheus does not run as yet.

    `keep` reuses a running one.
    """
    target = Target(name, 13, network, hostname="prometheus.example.net")
    return target if keep and target.running() else target.create(images.prometheus_image())


def watch(prometheus: Target, address: str) -> None:
    """Start it for a mail server. It asks more often than people would, and alerts do not wait."""
    scrape = re.sub(r"scrape_interval: \S+", "scrape_interval: 1s", _SCRAPE).replace(
        "mail.example.org", address
    )
    configuration = (
        "global: {evaluation_interval: 1s}\nrule_files: [alerts.yml]\nscrape_configs:\n"
        + "".join(f"  {line}\n" for line in scrape.splitlines())
    )
    prometheus.write("/etc/prometheus/prometheus.yml", configuration.encode())
    prometheus.write("/etc/prometheus/alerts.yml", re.sub(r"\bfor: \S+", "for: 1s", ALERTS).encode())
    prometheus.exec("promtool check config /etc/prometheus/prometheus.yml && systemctl restart prometheus")
    clients.eventually(lambda: query(prometheus, "up") == [1.0], "Prometheus does not reach the server", 60)


def query(prometheus: Target, expression: str) -> list[float]:
    """Return the values of an expression, now; nothing while Prometheus does not answer."""
    ask = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(f"http://{prometheus.ip}:9090/api/v1/query?{ask}", timeout=20) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 503:  # it starts
            return []
        raise ValueError(f"{expression}: {error.read().decode()}") from error
    except OSError:
        return []
    return [float(each["value"][1]) for each in told["data"]["result"]]


def expressions() -> list[str]:
    """Return what the dashboard asks, for any host."""
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [each.replace("$instance", ".*").replace("$__rate_interval", "1m") for each in found]


def names(text: str) -> set[str]:
    """Return the metrics that an expression, or all rules, use."""
    return set(re.findall(r"\b(?:mailstack|node)_\w+", re.sub(r"mailstack-\w+|\blabel_values\b", "", text)))
