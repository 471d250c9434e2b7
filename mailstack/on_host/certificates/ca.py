"""Orders of certificates from a CA, by certbot(1)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .files import CERTIFICATES, FailureError, openssl, run

ACCOUNT = CERTIFICATES / "acme"
CREDENTIALS = "/etc/mailstack/certificates-dns.ini"
LOG = Path("/var/log/mailstack-certbot/letsencrypt.log")
"""certbot begins another one each time."""
_NOISE = r"\s*$|Saving debug log|Requesting a |An unexpected error|Ask for help|Some challenges"


def order(configuration: Mapping[str, Any], names: Iterable[str], key: Path) -> str:
    """Return a new certificate with its chain, from the CA. Raises ``FailureError``."""
    mend_account()
    with tempfile.TemporaryDirectory(dir=CERTIFICATES, prefix=".order.") as directory:
        request, chain = f"{directory}/request.pem", Path(directory) / "fullchain.pem"
        alternatives = "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)
        openssl("req", "-new", "-key", str(key), "-subj", "/", "-addext", alternatives, "-out", request)
        command = [
            *("certbot", "certonly", "--non-interactive", "--agree-tos", "--no-eff-email"),
            *("--email", configuration["email"], "--server", configuration["server"]),
            *("--config-dir", str(ACCOUNT), "--work-dir", "/var/lib/mailstack/certbot"),
            *("--logs-dir", str(LOG.parent), "--max-log-backups", "20", "--csr", request),
            *("--cert-path", f"{directory}/cert.pem", "--chain-path", f"{directory}/chain.pem"),
            *("--fullchain-path", str(chain)),
        ]
        if configuration["challenge"] == "http-01":
            command += ["--webroot", "--webroot-path", configuration["webroot"]]
        else:
            command += ["--dns-rfc2136", "--dns-rfc2136-credentials", CREDENTIALS]
            command += ["--dns-rfc2136-propagation-seconds", str(configuration["propagation"])]
        minutes = 15 + (configuration["propagation"] // 60 if configuration["challenge"] == "dns-01" else 0)
        # otherwise certbot trusts a list of its own, without a CA that the administrator has added
        environment = {**os.environ, "REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}
        for again in (True, True, True, False):
            before = _log_of()
            try:
                done = run(*command, timeout=60 * minutes, env=environment)
            except subprocess.TimeoutExpired:
                raise unreached(
                    configuration["server"], f"certbot did not end in {minutes} minutes"
                ) from None
            if done.returncode == 0:
                return _checked(chain, key)
            # one that ended before it had a log has left that of an earlier one
            said = f"{logged() if _log_of() != before else ''}\n{done.stderr}\n{done.stdout}"
            if reason := no_answer(said):
                raise unreached(configuration["server"], reason)
            # certbot itself tries only once more with another nonce (RFC 8555, 6.5)
            if not (again and ("badNonce" in said or forget_account(said))):
                raise failure_of(said)
    raise FailureError("certbot gave no answer")


def logged() -> str:
    """Return the error of the CA in certbot's log, as certbot 2.1 says "can't set attribute" for each."""
    with contextlib.suppress(OSError):
        found = re.findall(r"^acme\.messages\.Error: (urn:.*)$", LOG.read_text("utf-8", "replace"), re.M)
        return found[-1] if found else ""
    return ""


def _checked(chain: Path, key: Path) -> str:
    """Return a new chain: certbot does not look whose key is in it. Raises ``FailureError``."""
    certified = openssl("x509", "-in", str(chain), "-noout", "-pubkey")
    if certified != openssl("pkey", "-in", str(key), "-pubout"):
        raise FailureError("the CA gave a certificate for another key")
    return chain.read_text("ascii")


def _log_of() -> tuple[int, int] | None:
    """Return which log there is, of certbot's last run."""
    with contextlib.suppress(OSError):
        found = LOG.stat()
        return found.st_ino, found.st_mtime_ns
    return None


def unreached(server: str, reason: str) -> FailureError:
    """Return the error for a CA that gives no answer."""
    return FailureError(f"mail_acme_server = '{server}' gives no answer: {reason}", unreached=True)


def no_answer(said: str) -> str | None:
    """Return why certbot got no answer of the CA, as it says only which error of Python that was.

    A page of something else than a CA is none either.
    """
    if other := re.search(r"^acme\.errors\.ClientError: (?:<Response \[(\d+)\]>|(.+))$", said, re.M):
        return f"status {other[1]}" if other[1] else other[2]
    if refused := re.search(r"^ValueError: Requesting [^\s/]+/\w*: *(.+)$", said, re.M):
        return refused[1]
    found = re.search(r"^(?:requests|urllib3)\.exceptions\.(\w+): (.*)$", said, re.M)
    if found is None:
        return None
    told = r"\[Errno -?\d+\] ([^'\"()]+)|(certificate verify failed(?:: [^'\"()]+)?)|(timed out)"
    reasons = re.findall(told, found[2])
    return "".join(reasons[-1]).strip() if reasons else found[1]


def mend_account() -> None:
    """Put an account away whose files are damaged, as after a power loss, so that another one is made."""
    for path in (ACCOUNT / "accounts").rglob("*.json"):
        try:
            json.loads(path.read_text("utf-8"))
        except ValueError:
            put_account_away()
            return


def put_account_away() -> None:
    """Move the account away."""
    if (ACCOUNT / "accounts").exists():
        shutil.rmtree(ACCOUNT / "accounts.gone", ignore_errors=True)
        (ACCOUNT / "accounts").rename(ACCOUNT / "accounts.gone")


def forget_account(said: str) -> bool:
    """Move the account away if the CA does not know it any more, so that another one is made."""
    if not re.search(r"accountDoesNotExist|[Aa]ccount (\S+ not found|is not valid|.*deactivated)", said):
        return False
    put_account_away()
    return True


def failure_of(said: str) -> FailureError:
    """Return what certbot said, in a line."""
    after = 0.0
    if again := re.search(r"[Rr]etry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)", said):
        after = float(ssl.cert_time_to_seconds(_as_openssl(*again.groups())))
    details = re.findall(r"^\s*Domain: (\S+)\n.*\n\s*Detail: (.*)$", said, re.M)
    if details:
        return FailureError("; ".join(f"{name}: {text.strip()}" for name, text in details), after)
    lines = [line.strip() for line in said.split("\n") if not re.match(_NOISE, line)]
    told = [line for line in lines if "urn:ietf" in line or "rror" in line] or lines or ["certbot failed"]
    return FailureError(told[0][:400], after)


def _as_openssl(date: str, clock: str) -> str:
    return time.strftime("%b %d %H:%M:%S %Y GMT", time.strptime(f"{date} {clock}", "%Y-%m-%d %H:%M:%S"))
