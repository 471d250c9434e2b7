"""The certificate and key of Postfix and Dovecot."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from mailstack import secrets
from mailstack.components import acme_files, systemd
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import ServiceProbe, State
from mailstack.facts.certificates import Certificate
from mailstack.facts.files import FileStates
from mailstack.facts.tlsa import DIRECTORY
from mailstack.files import Directory, Entry, File, Kept
from mailstack.operations.certificates import SelfSigned, Taken, unfit
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.operations.created import Created
    from mailstack.settings import Settings

CERTIFICATE = f"{DIRECTORY}/cert.pem"
KEY = f"{DIRECTORY}/key.pem"
NEXT_KEY = f"{DIRECTORY}/next.pem"
"""The key after that: receivers that check by DANE know it before it is used."""
RSA = (f"{DIRECTORY}/rsa-cert.pem", f"{DIRECTORY}/rsa-key.pem", f"{DIRECTORY}/rsa-next.pem")
"""A second certificate, its key and the next one, for clients that do not know ECDSA."""
_WATCH = "mailstack-certificate"
_SCRIPT = "/usr/local/lib/mailstack/take-certificate"
_WRITTEN = "# Written by mailstack; changes made here are undone by the next run."
WEAK_CIPHERS = ("aNULL", "kRSA", "PSK", "3DES", "SEED", "CAMELLIA", "ARIA", "AESCCM8")
"""Suites in OpenSSL's ``HIGH`` without authentication or forward secrecy, or obsolete (ciphers(1))."""
OLD_CIPHERS = ("kDHE", "SHA1", "SHA256", "SHA384")
"""Suites with forward secrecy, but Diffie-Hellman over a finite field, or CBC: RFC 9325 (4.1, 4.2) advises
against both. ``SHA1`` and others are the MACs of CBC. Without these, only AEAD with ECDHE remains."""
EXCLUDED_CIPHERS = (*WEAK_CIPHERS, *OLD_CIPHERS)
SIGNATURES = (
    *(f"ECDSA+SHA{size}" for size in (256, 384, 512)),
    *("ed25519", "ed448"),
    *(f"{scheme}+SHA{size}" for scheme in ("RSA-PSS", "RSA") for size in (256, 384, 512)),
)
"""The signatures with SHA-2, which are all that TLS 1.3 has; TLS 1.2 has others (RFC 9155)."""


class Tls(Component):
    """Install the given certificate and key, or create a self-signed pair once and keep it.

    Each component that needs them requires this one.
    """

    name = "tls"
    title = "TLS"
    reloads = ("dovecot", "postfix")

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: python3 is for ``mailstack.verify``."""
        return ("openssl", "ca-certificates", "python3")

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``."""
        if site.settings.tls_certificate_pem is not None:
            return ()
        taken = self._taken(site.settings)
        return [taken] if taken else self.self_signed(site.settings)

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``: a certificate that another program keeps on the host."""
        if (taken := self._taken(site.settings)) is None:
            return ()
        hostname = site.settings.mail_hostname
        pair = Certificate.of(hostname, taken.source, taken.source_key)
        return [
            Requirement(FileStates.of(taken[:4]), taken.problem),
            Requirement(pair, lambda state: unfit(hostname, state)),
        ]

    def _taken(self, settings: Settings) -> Taken | None:
        on_host = settings.tls_on_host
        return Taken(*on_host, CERTIFICATE, KEY, self.reloads) if on_host else None

    def self_signed(self, settings: Settings) -> list[SelfSigned]:
        """Return the certificates of a server without others, or until the CA has given some."""
        renewer = acme_files.SCRIPT if settings.mail_acme else ""
        named = partial(SelfSigned, settings.mail_hostname, renewer=renewer)
        rsa = [named(*RSA, self.reloads, kind="rsa")] if settings.mail_acme_rsa else []
        return [named(CERTIFICATE, KEY, NEXT_KEY, self.reloads), *rsa]

    def secrets(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        key = site.settings.tls_key_pem
        return {} if key is None else {"tls-key": key}

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``: both daemons read them as root."""
        certificate = site.settings.tls_certificate_pem
        absent = (File(path, None, activation=None) for path in self._ended(site.settings))
        watch = [*self._watch(self._taken(site.settings)), *absent]
        if certificate is None:
            rsa = RSA if site.settings.mail_acme_rsa else ()
            keys = [Kept(path, mode=0o600) for path in (KEY, NEXT_KEY, *rsa[1:])]
            return [Directory(DIRECTORY), *keys, *map(Kept, (CERTIFICATE, *rsa[:1])), *watch]
        key = File(KEY, secrets.placeholder("tls-key"), mode=0o600)
        return [Directory(DIRECTORY), key, File(CERTIFICATE, certificate), *watch]

    def _watch(self, taken: Taken | None) -> list[Entry]:
        """Return the units that use each new version of another program's certificate."""
        if taken is None:
            return []
        take = f"#!/bin/sh\n{_WRITTEN}\n{taken.script()}"
        service = render("tls/watch.service", script=_SCRIPT, units=self.reloads)
        checksum = hashlib.sha256(f"{take}{service}".encode()).hexdigest()
        paths = (taken.source, taken.source_key)
        directories = dict.fromkeys(path.rpartition("/")[0] for path in paths)
        watch = render("tls/watch.path", paths=paths, directories=directories, checksum=checksum)
        return [
            File(_SCRIPT, take, mode=0o755, activation=None),
            File(systemd.unit_file(f"{_WATCH}.service"), service, activation=None),
            File(systemd.unit_file(f"{_WATCH}.path"), watch, activation=None),
        ]

    def _ended(self, settings: Settings) -> list[str]:
        """Return the files of what no setting asks for: it would go on, and replace the certificate."""
        watch = map(systemd.unit_file, (f"{_WATCH}.path", f"{_WATCH}.service"))
        return [
            *(() if settings.tls_on_host else (*watch, _SCRIPT)),
            *(() if settings.mail_acme else acme_files.ALL),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``: a unit whose file is removed would run on."""
        units = [path for path in self._ended(site.settings) if "/systemd/" in path]
        return script("end_units", *units) if units else ""

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        return [Unit(f"{_WATCH}.path")] if site.settings.tls_on_host else []

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``."""
        return [State(DIRECTORY, "secrets")]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        return [
            ServiceProbe(
                "the certificate belongs to its key",
                script("probe_certificate", CERTIFICATE, KEY),
                "pyinfra INVENTORY deploy.py writes both again; with mail_tls_certificate, is mail_tls_key of"
                " the same pair?",
            )
        ]


TLS = Tls()
deploy = deployed(TLS)
