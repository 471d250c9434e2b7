"""What keeps the certificates of a host: it looks what is due, orders it, and tells the services."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from .ca import CREDENTIALS, order
from .files import (
    CERTIFICATES,
    RELOAD,
    FailureError,
    Present,
    Wanted,
    install,
    make_key,
    present,
    public,
    replace,
    run,
)
from .names import Names

CONFIGURATION = Path("/etc/mailstack/certificates.json")
STATE = Path("/var/lib/mailstack/certificates.json")

MINUTE = 60
LOOK_AGAIN, LONGEST_LOOK = 5 * MINUTE, 60 * MINUTE
"""The pause until the DNS is asked again for a name, which doubles; and its limit."""
ASK_AGAIN, LONGEST_PAUSE = 15 * MINUTE, 24 * 60 * MINUTE
"""The same for the CA: Let's Encrypt allows five failures an hour."""


def settings_written() -> str:
    """Return when a deploy has last written other settings."""
    found = (path for path in (CONFIGURATION, Path(CREDENTIALS)) if path.exists())
    return " ".join(str(int(path.stat().st_mtime)) for path in found)


def stored() -> dict[str, dict[str, Any]]:
    """Return the state; of a damaged one, nothing."""
    try:
        found = json.loads(STATE.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and all(isinstance(each, dict) for each in found.values()) else {}


def _reload(service: str) -> str | None:
    """Make a service that runs read its files again, and return why it did not.

    One that has failed is started: a certificate may have been the reason. systemd has given it up.
    """
    try:
        failed = run("systemctl", "is-failed", "--quiet", service).returncode == 0
        if failed:
            run("systemctl", "reset-failed", service)
        done = run("systemctl", "start" if failed else "try-reload-or-restart", service, timeout=120)
    except subprocess.TimeoutExpired as failure:
        return f"{service}: {failure}"
    return f"{service}: {done.stderr.strip()}" if done.returncode else None


class Keeper:
    """What keeps the certificates of a host.

    + command: the program's argument: ``now`` never waits after a failure, ``host`` only after one of the CA
    """

    def __init__(self, configuration: Mapping[str, Any], *, command: str = "") -> None:
        self.configuration = configuration
        self.command = command
        self.names = Names(configuration)
        self.settings = settings_written()
        self.state = stored()
        self._unreached = False

    def save(self) -> None:
        """Write the state, which anybody may read."""
        replace(STATE, json.dumps(self.state, indent=1, sort_keys=True))

    def of_host(self) -> list[Wanted]:
        """Return the certificates of the host's own name, one for each kind of key."""
        host = self.configuration["hostname"]
        found = []
        for kind in self.configuration["kinds"]:
            prefix, label = ("", host) if kind == "ecdsa" else (f"{kind}-", f"{host} ({kind.upper()})")
            files = (CERTIFICATES / f"{prefix}{name}.pem" for name in ("cert", "key", "next"))
            found.append(Wanted(label, (host,), kind, *files))
        return found

    def of_domain(self, domain: str) -> Wanted:
        """Return the certificate for the names of a domain."""
        names = tuple(name.replace("@DOMAIN@", domain) for name in self.configuration["names"])
        place = CERTIFICATES / "domains" / domain
        return Wanted(domain, names, "ecdsa", place / "cert.pem", place / "key.pem", None)

    def domains(self) -> set[str] | None:
        """Return the domains in the database, or ``None`` while it does not answer."""
        if not self.configuration["names"]:
            return set()
        become = ["runuser", "-u", "postfix", "--"] if self.configuration["as_postfix"] else []
        try:
            found = run(*become, "postmap", "-q", "all", self.configuration["table"], timeout=20).stdout
        except subprocess.TimeoutExpired:
            return None
        listed = set(found.strip().split(","))
        if "." not in listed:
            return None
        domains = {name for name in listed if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name)}
        return domains - {self.configuration["hostname"]}  # the names of both would be in one entry

    def look(self, *, domains: bool = True) -> None:
        """Get what is due, for the host alone or for the domains too."""
        self._drop_sites_without_certificates()
        for wanted in self.of_host():
            self.tend(wanted, time.time())
            self.save()
        self.reload()
        if domains:
            self._look_at_domains()
            self.reload()

    def _look_at_domains(self) -> None:
        domains = self.domains()
        hosts = [wanted.label for wanted in self.of_host()]
        if domains is None:
            domains = self.state.keys() - hosts
        for label in [each for each in self.state if each not in hosts and each not in domains]:
            if self._site(label, None):
                del self.state[label]
        for domain in sorted(domains):
            self.tend(self.of_domain(domain), time.time())
            self.save()

    def faults(self) -> list[str]:
        """Return what is wrong, a line for each certificate."""
        faults = [f"{wanted.label}: not of the CA" for wanted in self.of_host() if not present(wanted)]
        for label, entry in sorted(self.state.items()):
            wrong = [f"{name} {text}" for name, text in sorted((entry.get("problems") or {}).items())]
            wrong += [str(entry[fault]) for fault in ("error", "site") if entry.get(fault)]
            wrong += ["it has expired"] if 0 < (entry.get("expires") or 0) < time.time() else []
            faults += [f"{label}: {'; '.join(wrong)}"] if wrong else []
        return faults

    def tend(self, wanted: Wanted, now: float) -> None:
        """Get or renew one certificate, if it is due."""
        entry = self.state.setdefault(wanted.label, {})
        there = present(wanted)
        entry.update(
            expires=there.expires if there else None,
            names=list(there.names) if there else [],
            wanted=wanted.names,
        )
        if there:
            entry.setdefault("server", self.configuration["server"])  # an older state does not have it
        else:
            self._drop_site(wanted.label)
        if not self._is_due(wanted, there, entry, now):
            entry.update(problems={}, error=None, looks=0, failures=0, next=None)
        elif not self._waits(entry, now):
            self._try(wanted, there, entry, now)
        if there or entry["expires"]:
            self._site(wanted.label, wanted)

    def _is_due(
        self,
        wanted: Wanted,
        there: Present | None,
        entry: Mapping[str, Any],
        now: float,
        wrong: Collection[str] = (),
    ) -> bool:
        """Return whether to order a certificate, without the names that are wrong in the DNS."""
        if there is None or entry.get("server") != self.configuration["server"]:
            return True
        if set(wanted.names) - set(there.names) - set(wrong):
            return True
        return now >= there.renew_at(wanted.label, loses=not set(wrong).isdisjoint(there.names))

    def _waits(self, entry: Mapping[str, Any], now: float) -> bool:
        """Return whether the pause after a failure lasts: with these settings, and by this clock."""
        if self.command == "now" or (self.command == "host" and not entry.get("error")):
            return False
        known = entry.get("settings") == self.settings and (entry.get("tried") or 0) <= now
        return known and now < (entry.get("next") or 0)

    def _try(self, wanted: Wanted, there: Present | None, entry: dict[str, Any], now: float) -> None:
        if self._unreached:
            return  # it would take as long for each
        problems = {name: text for name in wanted.names if (text := self.names.problem(name))}
        good = [name for name in wanted.names if name not in problems]
        known = entry.get("settings") == self.settings
        looks, failures = ((entry.get(name) or 0) if known else 0 for name in ("looks", "failures"))
        pause = min(LOOK_AGAIN * 2 ** min(looks, 10), LONGEST_LOOK)
        entry.update(problems=problems, looks=looks + 1 if problems else 0, failures=failures, error=None)
        entry.update(next=now + pause if problems else None, settings=self.settings, tried=now)
        if not good or not self._is_due(wanted, there, entry, now, problems):
            return
        try:
            if not public(wanted.key):
                make_key(wanted.key, wanted.kind)
            self._order(wanted, good, wanted.key)
            got = present(wanted)
            entry.update(expires=got.expires if got else None, names=list(got.names) if got else good)
            if got and now >= got.renew_at(wanted.label):
                raise FailureError("the new certificate is due for renewal already; is the clock right?")
        except (FailureError, OSError, subprocess.TimeoutExpired) as failure:
            self._unreached = getattr(failure, "unreached", False)
            pause = min(ASK_AGAIN * 2 ** min(failures, 10), LONGEST_PAUSE)
            after = max(now + pause, getattr(failure, "after", 0))
            entry.update(error=str(failure), failures=failures + 1, next=after)
            if self.command != "now":  # that says at its end what is wrong
                print(f"{wanted.label}: {failure}", file=sys.stderr)
            return
        entry.update(failures=0)
        print(f"{wanted.label}: a new certificate for {', '.join(good)}")

    def _order(self, wanted: Wanted, names: Sequence[str], key: Path) -> None:
        """Put a certificate of the CA for this key in its place. Raises ``FailureError``."""
        install(wanted, order(self.configuration, names, key), key)
        self.state.setdefault(wanted.label, {})["server"] = self.configuration["server"]

    def _site(self, domain: str, wanted: Wanted | None) -> bool:
        """Make the web server use the certificate of a domain, or no longer; return whether it does."""
        if not self.configuration["site"] or domain in [each.label for each in self.of_host()]:
            return True
        template = Path(self.configuration["site"])
        path = Path(self.configuration["sites"]) / f"{domain}.conf"
        served = wanted and template.exists()
        text = template.read_text("utf-8").replace("@DOMAIN@", domain) if served else None
        before = path.read_text("utf-8") if path.exists() else None
        self.state[domain]["site"] = None
        if text == before:
            return True
        self._write_site(path, text)
        tested = run("nginx", "-t")
        if tested.returncode:
            self._write_site(path, before)
            self.state[domain]["site"] = f"nginx refuses another server: {tested.stderr.strip()[-300:]}"
            print(f"{domain}: {self.state[domain]['site']}", file=sys.stderr)
            return False
        RELOAD.touch()
        return True

    def _drop_sites_without_certificates(self) -> None:
        """Remove the sites with which the web server could not start, for what happened to their files."""
        for path in Path(self.configuration["sites"]).glob("*.conf"):
            if not (CERTIFICATES / "domains" / path.stem / "cert.pem").exists():
                self._drop_site(path.stem)

    def _drop_site(self, domain: str) -> None:
        """Remove the site of a domain, without which the web server starts, and the CA can ask it."""
        path = Path(self.configuration["sites"]) / f"{domain}.conf"
        if path.exists():
            path.unlink()
            RELOAD.touch()

    def _write_site(self, path: Path, text: str | None) -> None:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, text)

    def reload(self) -> None:
        """Make services read new certificates; if one can't, the next look tries again."""
        if not RELOAD.exists():
            return
        faults = [fault for service in self.configuration["services"] if (fault := _reload(service))]
        if not faults:
            RELOAD.unlink()  # not before: a run may be killed
        for fault in faults:
            print(fault, file=sys.stderr)

    def roll(self) -> None:
        """Use the next key of each certificate of the host. Raises ``FailureError``."""
        for wanted in self.of_host():
            if wanted.next_key is None or not public(wanted.next_key):
                raise FailureError("there is no next key; a deploy makes it")
            self._order(wanted, wanted.names, wanted.next_key)
            self.mend_next(wanted)
            self.reload()
            self.tend(wanted, time.time())
            self.save()

    def mend_next(self, wanted: Wanted) -> None:
        """Make another next key if that one is in use, also where a run was killed before it did."""
        if wanted.next_key and public(wanted.next_key) in ("", public(wanted.key)):
            make_key(wanted.next_key, wanted.kind)
