"""Certificates created on the host; the key never leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from pyinfra import logger
from pyinfra.context import host

from mailstack.facts.certificates import Certificate, CertificateState
from mailstack.facts.files import FileStates, Found
from mailstack.facts.reading import announce, read
from mailstack.facts.tlsa import TlsaRecords
from mailstack.operations.stages import Change
from mailstack.operations.together import deployed_here
from mailstack.operations.units import mark
from mailstack.run import is_executing
from mailstack.shell import script, shell

_SUFFIX = {"ecdsa": "", "rsa": "-rsa"}
"""The ends of the names in ``TlsaRecords``."""


class SelfSigned(NamedTuple):
    """A self-signed certificate, valid for ten years, created unless a valid one exists; and its next key.

    The certificate of a CA is never replaced as long as it is valid.

    + hostname: its DNS name
    + certificate, key, next_key: paths on the host
    + units: the services that must reload a new certificate
    + kind: the kind of new keys
    + renewer: the program on the host that gets certificates from a CA, so that one that has expired stays
      too; empty without
    """

    hostname: str
    certificate: str
    key: str
    next_key: str
    units: tuple[str, ...]
    kind: Literal["ecdsa", "rsa"] = "ecdsa"
    renewer: str = ""

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(Certificate.of(self.hostname, self.certificate, self.key), TlsaRecords.of())
        if self.renewer:
            announce(FileStates.of([self.renewer]))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        return list(self._changes())

    def _changes(self) -> Iterator[Change]:
        if self._lacks_renewer():
            _say("mail_acme = True: no CA is asked for certificates before acme.deploy, which this run lacks")
        state = read(Certificate.of(self.hostname, self.certificate, self.key))
        if not self._stays(state):
            yield Change([f"make a certificate for {self.hostname}"], shell(self.script("certificate")))
            return
        if not state.self_signed and not self.renewer:
            _say(
                f"the certificate of {self.hostname} is of a CA, and stays until it expires on "
                f"{state.expires:%Y-%m-%d}; no setting renews it: see mail_acme and mail_tls_certificate"
            )
        keys = read(TlsaRecords.of())
        current, following = (keys.get(f"{name}{_SUFFIX[self.kind]}") for name in ("current", "next"))
        if following is None or (current and following.data == current.data):
            yield Change(["make the next key of the certificate"], shell(self.script("next")))

    def _stays(self, state: CertificateState) -> bool:
        if self.renewer and state.matches_hostname and state.matches_key and not state.self_signed:
            return True
        return state.serves() or state.is_of_ca()

    def _lacks_renewer(self) -> bool:
        """Return whether neither this run nor one before has deployed it; said once, for one kind of key."""
        if not self.renewer or self.kind != "ecdsa" or not is_executing():
            return False
        return "acme" not in deployed_here() and self.renewer not in read(FileStates.of([self.renewer]))

    def script(self, what: str) -> str:
        """Return the shell script that makes ``what``: ``certificate``, ``roll``, or ``next``."""
        marks = [mark(unit, "reload") for unit in self.units]
        paths = (self.certificate, self.key, self.next_key)
        return script("self_signed", what, self.kind, self.hostname, *paths, *marks)


class Taken(NamedTuple):
    """A certificate and key that another program keeps on the host, copied to where the services read them.

    + source, source_key: the paths of that program
    + certificate, key: the paths of the copies
    + units: the services that must reload a new certificate
    """

    source: str
    source_key: str
    certificate: str
    key: str
    units: tuple[str, ...]

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(FileStates.of(self[:4]))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        found = read(FileStates.of(self[:4]))
        sums = [found[path].sha256 if path in found else None for path in self[:4]]
        if sums[:2] == sums[2:]:
            return ()
        take = self.script(*(mark(unit, "reload") for unit in self.units))
        return (Change([f"take the certificate in {self.source}"], shell(take)),)

    def script(self, *marks: str) -> str:
        """Return the shell script that makes the copies, if certificate and key belong together."""
        return script("take_certificate", *self[:4], *marks)

    def problem(self, found: Mapping[str, Found]) -> str | None:
        """Return the error for the files of that program, or ``None``."""
        for setting, path in (("mail_tls_certificate", self.source), ("mail_tls_key", self.source_key)):
            if path not in found or found[path].sha256 is None:
                return f"{setting}: this host has no file {path}; allowed: a path on the host"
        return None


def unfit(hostname: str, state: CertificateState) -> str | None:
    """Return the error for a certificate that a program on the host keeps, or ``None``."""
    if state.expires is None:
        return None  # there is no openssl yet; what copies the files looks again
    if state.expires < datetime.now(UTC):
        return f"mail_tls_certificate: expired on {state.expires:%Y-%m-%d}"
    if not state.matches_hostname:
        return f"mail_tls_certificate: does not cover mail_hostname {hostname!r}"
    return None if state.matches_key else "mail_tls_key: not the key of mail_tls_certificate"


def _say(text: str) -> None:
    host.log_styled(text, fg="yellow", log_func=logger.warning)
