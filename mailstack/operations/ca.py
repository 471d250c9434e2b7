"""Certificates from a CA: the first look in a run, and the word if there is none yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pyinfra import logger
from pyinfra.context import host

from mailstack.facts.acme import AcmeCertificate, AcmeState
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.shell import shell


class FromCa(NamedTuple):
    """The certificates from a CA, asked for in the run if there is none for the host yet.

    Later ones, and those of domains, are the timer's.

    + hostname: the name of the host
    + program: what asks, see ``mailstack.on_host.certificates``
    """

    hostname: str
    program: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(AcmeState.of())

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if self._is_due(read(AcmeState.of())):
            # whatever it says: the server works without, and the state has the reason
            return (Change(["ask the CA for certificates"], shell(f"{self.program} host || true")),)
        return ()

    def _is_due(self, found: Mapping[str, AcmeCertificate]) -> bool:
        there = found.get(self.hostname)
        if there is None or there.expires is not None:
            return there is None
        if there.changed or not there.error:  # the CA itself has not refused it
            return True
        return there.next is None or there.next <= datetime.now(UTC)

    def tell(self) -> None:
        """See ``Completed.tell``: each certificate."""
        for label, certificate in read(AcmeState.of()).items():
            if fault := certificate.fault():
                host.log_styled(
                    f"no new certificate for {label}: {fault}{self._until(label, certificate)}",
                    fg="yellow",
                    log_func=logger.warning,
                )

    def _until(self, label: str, certificate: AcmeCertificate) -> str:
        has = f"; that of {certificate.expires:%Y-%m-%d} stays" if certificate.expires else ""
        if not has and label == self.hostname:
            has = "; the server works with a self-signed one"
        again = f"; the host tries again at {certificate.next:%Y-%m-%d %H:%M} UTC" if certificate.next else ""
        return has + again
