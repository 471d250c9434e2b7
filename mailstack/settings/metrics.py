"""The settings of metrics: numbers of the server for Prometheus."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import IpAddress, ListOf, Model, without_effect

_OTHERS = (3306, 4190, 5432, 8461, 8462, 10001, 10002, 10030, 11332, 11334)
"""Ports of other parts of a mail server, on loopback or everywhere."""


class MetricsSettings(Model):
    """Metrics."""

    mail_metrics: bool = Field(
        default=False,
        description="Whether a mail host has numbers for Prometheus: the queue, mail, logins, services, "
        "certificates and more, by the node exporter, on loopback. See `docs/metrics.md`.",
    )
    mail_metrics_clients: Annotated[
        ListOf[IpAddress], Allowed("a list of IP addresses, such as that of your Prometheus")
    ] = Field(
        default=(),
        description="The hosts that may read these numbers over the network, beside the host itself. By "
        "default none.",
    )
    mail_metrics_port: Annotated[
        int,
        Field(ge=1024, le=65534),
        Allowed("a TCP port, 1024 to 65534, that no other part of the server uses"),
    ] = Field(default=9100, description="The port at which the numbers are read; 9100 is usual.")

    @model_validator(mode="after")
    def _metrics_possible(self) -> Self:
        without_effect(self, "mail_metrics", MetricsSettings.model_fields)
        behind_gate = [self.mail_metrics_port + 1] if self.mail_metrics_clients else []
        for port in (self.mail_metrics_port, *behind_gate):
            if port in _OTHERS:
                raise ValueError(
                    f"mail_metrics_port: {self.mail_metrics_port} is impossible, as the server needs {port} "
                    "for something else; allowed: another port, 1024 to 65534"
                )
        return self
