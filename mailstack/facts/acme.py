"""The certificates from a CA that a host keeps: what it has, and what went wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mailstack.facts.fact import Fact, Value

STATE = "/var/lib/mailstack/certificates.json"
"""What ``mailstack.on_host.certificates`` says of each certificate."""
SETTINGS = ("/etc/mailstack/certificates.json", "/etc/mailstack/certificates-dns.ini")
"""The settings that it reads."""


@dataclass(frozen=True)
class AcmeCertificate(Value):
    """A certificate that should be there.

    + names: the DNS names that it has
    + expires: the end of its validity; ``None`` if there is none of the CA yet
    + problems: the names that the CA could not find this host by, each with the reason
    + error: why the last attempt failed
    + next: when the host tries again; ``None`` if all is well
    + changed: whether a deploy has written other settings since an attempt that failed
    """

    names: tuple[str, ...]
    expires: datetime | None
    problems: dict[str, str]
    error: str | None
    next: datetime | None
    changed: bool = False

    def fault(self) -> str | None:
        """Return what is wrong, in a line, or ``None``."""
        wrong = [f"{name} {problem}" for name, problem in sorted(self.problems.items())]
        return "; ".join([*wrong, *([self.error] if self.error else [])]) or None


class AcmeState(Fact[dict[str, AcmeCertificate]]):
    """Return the certificates from a CA: ``dict[str, AcmeCertificate]``.

    That of ``mail_hostname`` has its name, with `` (RSA)`` for the second one; the others those of domains.
    """

    default = dict

    def command(self) -> str:
        """Read the state, and when the settings were written."""
        return self.asking([STATE, *SETTINGS])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        state, *settings = about
        return f"cat {state}; echo; echo =; stat -c %Y {' '.join(settings)}"

    def parse(self, output: str) -> dict[str, AcmeCertificate]:
        """See ``Question.parse``: a damaged state is none, as the host makes another one."""
        text, _, written = output.partition("\n=\n")
        settings = " ".join(written.split())
        state: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(ValueError):
            state = json.loads(text)
        if not isinstance(state, dict) or not all(isinstance(each, dict) for each in state.values()):
            return {}
        return {
            label: AcmeCertificate(
                names=tuple(entry.get("names") or ()),
                expires=_time(entry.get("expires")),
                problems=dict(entry.get("problems") or {}),
                error=entry.get("error"),
                next=_time(entry.get("next")),
                changed=entry.get("next") is not None and entry.get("settings", "") != settings,
            )
            for label, entry in state.items()
        }


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
