"""The text format of Prometheus. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

Samples = Iterable[tuple[Mapping[str, str], float]]


class Metric(NamedTuple):
    """A metric with its samples, each with labels and a value."""

    name: str
    kind: str
    help: str
    samples: Samples


def gauge(name: str, help: str, samples: Samples) -> Metric:
    """Return a number that goes up and down."""
    return Metric(f"mailstack_{name}", "gauge", help, samples)


def counter(name: str, help: str, samples: Samples) -> Metric:
    """Return a number that only goes up, until it begins again at 0."""
    return Metric(f"mailstack_{name}_total", "counter", help, samples)


def exposition(metrics: Iterable[Metric]) -> str:
    """Return the text of metrics."""
    lines: list[str] = []
    for metric in metrics:
        lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}")
        lines += (f"{metric.name}{_labels(labels)} {value:.17g}" for labels, value in metric.samples)
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
