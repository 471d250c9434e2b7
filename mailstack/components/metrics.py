"""Numbers of a mail host for Prometheus: by Debian's node exporter, with a file that mailstack writes.

The node exporter has no list of clients. So it listens on loopback, and others come in by a gate.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mailstack.components import systemd
from mailstack.components.acme_files import PROGRAM
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import Port, ServiceProbe
from mailstack.facts.units import drop_in_path
from mailstack.files import File
from mailstack.on_host import metrics
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry

_NAME = "mailstack-metrics"
_GATE = "mailstack-metrics-gate"
_EXPORTER = "prometheus-node-exporter"
_ENDED = (
    systemd.unit_file(f"{_NAME}.timer"),
    systemd.unit_file(f"{_NAME}.service"),
    systemd.unit_file(f"{_GATE}.service"),
    # the exporter may be one of the administrator's, if mailstack's file is not there
    drop_in_path(_EXPORTER),
)
"""The files of the units that end without ``mail_metrics``, in this order."""
_SHOWN = "/var/lib/prometheus/node-exporter/mailstack.prom"
_DATABASES = {"postgresql": "/var/lib/postgresql", "mysql": "/var/lib/mysql"}


class Metrics(Component):
    """Show Prometheus the numbers of this mail host: queue, mail, logins, services, certificates, disks.

    Without ``mail_metrics``, end that.
    """

    name = "metrics"
    title = "Metrics"
    switch = ("mail_metrics", True)
    reloads = (_EXPORTER,)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.here.has_mail

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return (_EXPORTER, "openssl", "python3") if site.settings.mail_metrics else ()

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``: without clients there is no gate."""
        if not site.settings.mail_metrics:
            return [File(path, None, activation=None) for path in (*_ENDED, _SHOWN)]
        checksum = hashlib.sha256("".join(_program().values()).encode()).hexdigest()
        values = {"program": PROGRAM, "checksum": checksum}
        gate = render(
            "metrics/gate.service",
            **values,
            inner=_inner(site),
            port=site.settings.mail_metrics_port,
            clients=site.settings.mail_metrics_clients,
        )
        return [
            *systemd.drop_in(_EXPORTER),
            File(
                f"/etc/default/{_EXPORTER}",
                render(f"metrics/{_EXPORTER}", port=_inner(site)),
                activation="restart",
            ),
            *(File(f"{PROGRAM}/metrics/{name}", text, activation=None) for name, text in _program().items()),
            File("/etc/mailstack/metrics.json", self._configuration(site, platform), activation=None),
            *systemd.unit_files(f"{_NAME}.service", render("metrics/metrics.service", **values)),
            *systemd.unit_files(f"{_NAME}.timer", render("metrics/metrics.timer", **values)),
            File(
                systemd.unit_file(f"{_GATE}.service"),
                gate if site.settings.mail_metrics_clients else None,
                activation=None,
            ),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``: what the settings do not ask for does not run on."""
        if not site.settings.mail_metrics:
            return script("end_units", *_ENDED)
        if site.settings.mail_metrics_clients:
            return ""
        return script("end_units", systemd.unit_file(f"{_GATE}.service"))

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        if not site.settings.mail_metrics:
            return ()
        exporter = Unit(
            _EXPORTER,
            program=f"/usr/bin/{_EXPORTER}",
            drop_in=True,
            listens=(f"127.0.0.1:{_inner(site)}",),
        )
        timer = Unit(f"{_NAME}.timer")
        if not site.settings.mail_metrics_clients:
            return [exporter, timer]
        port = str(site.settings.mail_metrics_port)
        gate = Unit(_GATE, unit_file=systemd.unit_file(f"{_GATE}.service"), listens=(port,))
        return [exporter, timer, gate]

    def ports(self, site: Site) -> Sequence[Port]:
        """See ``Component``."""
        clients = site.settings.mail_metrics_clients
        return [Port(site.settings.mail_metrics_port, "prometheus", clients)] if clients else []

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        if not site.settings.mail_metrics:
            return ()
        ask = script("probe_metrics", str(site.settings.mail_metrics_port))
        advice = (
            "systemctl list-units 'mailstack-metrics*' 'prometheus*'; the journal of the failed one says why"
        )
        return [ServiceProbe("the numbers for Prometheus are there, and new", ask, advice)]

    def _configuration(self, site: Site, platform: Platform) -> str:
        settings = site.settings
        units = [
            unit for each in site.components if each.is_installed(site) for unit in each.units(site, platform)
        ]
        directories = {
            "mail": settings.mail_home_root,
            "queue": "/var/spool/postfix",
            "logs": "/var/log",
            **({"database": _DATABASES[settings.mail_db_engine]} if site.runs_database else {}),
        }
        values = {
            "services": {unit.name: _with_kind(unit.process) for unit in units},
            "disks": directories,
            "backup_hours": settings.mail_backup_hours if settings.mail_backup_repository else None,
        }
        return json.dumps(values, indent=1) + "\n"


@cache
def _program() -> dict[str, str]:
    """Return the modules of the program, by the names of their files."""
    folder = Path(metrics.__file__).parent
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.py"))}


def _inner(site: Site) -> int:
    """Return the port of the node exporter, which is another one behind the gate."""
    port = site.settings.mail_metrics_port
    return port + 1 if site.settings.mail_metrics_clients else port


def _with_kind(unit: str) -> str:
    """Return the full name of a unit."""
    return unit if unit.rpartition(".")[2] in ("service", "timer", "path", "socket") else f"{unit}.service"


METRICS = Metrics()
deploy = deployed(METRICS)
