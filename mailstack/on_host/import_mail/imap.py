"""The source is a server with IMAP (RFC 9051)."""

from __future__ import annotations

import imaplib
import re
import ssl
from contextlib import suppress
from typing import Any

from .plan import Plan, Problem, configure, quoted


def login(source: dict[str, Any]) -> imaplib.IMAP4:
    """Return a session with the other server. Raises ``Problem`` if there is none."""
    host, port = source["host"], source["port"]
    context = ssl.create_default_context()
    if not source["verify"]:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if source["tls"] == "imaps":
            session: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=60)
        else:
            session = imaplib.IMAP4(host, port, timeout=60)
            session.starttls(context)
    except ssl.SSLCertVerificationError as error:
        raise Problem(
            f"{host} port {port}: its certificate is not valid: {error.verify_message}; "
            "with the option tls_verify off it is not checked"
        ) from None
    except (OSError, imaplib.IMAP4.error) as error:
        raise Problem(f"{host} port {port} does not answer as IMAP with TLS: {error}") from None
    try:
        if "AUTH=PLAIN" in session.capabilities:
            secret = f"\0{source['login']}\0{source['password']}".encode()
            session.authenticate("PLAIN", lambda _: secret)
        else:
            session.login(source["login"], source["password"])
    except imaplib.IMAP4.abort as error:
        raise Problem(f"{host}: {error}") from None
    except (imaplib.IMAP4.error, UnicodeEncodeError):
        raise Problem(f"{host} refuses the login {source['login']} with this password") from None
    return session


def namespace(session: imaplib.IMAP4) -> str:
    """Return what the names of all folders begin with, without the separator: ``INBOX`` at Courier's."""
    if "NAMESPACE" not in session.capabilities:
        return ""
    found = re.match(rb'\(\("([^"]*)" "(.)"', (session.namespace()[1] or [b""])[0] or b"")
    return found[1].decode("ascii", "replace").removesuffix(found[2].decode()) if found else ""


def folders(session: imaplib.IMAP4) -> dict[str, int]:
    """Return the number of messages in each folder, by the folder's name as the server writes it."""
    found = {}
    for line in session.list()[1]:
        if isinstance(line, tuple):  # a literal
            escaped = line[1].replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            line = line[0].rpartition(b"{")[0] + b'"' + escaped + b'"'
        parts = re.match(rb'\((.*?)\) (?:"..?"|NIL) (.+)$', line or b"")
        if not parts or re.search(rb"\\(?:Noselect|NonExistent)", parts[1], re.IGNORECASE):
            continue
        name = parts[2].decode("latin-1")
        status = session.status(name, "(MESSAGES)")[1] if name.isascii() else []
        number = re.search(rb"MESSAGES (\d+)", b" ".join(part for part in status if isinstance(part, bytes)))
        found[name.strip('"')] = int(number[1]) if number else 0
    return found


def from_imap(plan: Plan) -> tuple[list[str], int]:
    """Prepare an import by IMAP; return doveadm's arguments for the source, and its number of messages."""
    source = plan.source
    session = login(source)
    try:
        prefix, there = namespace(session), folders(session)
    except (OSError, imaplib.IMAP4.error) as error:
        raise Problem(f"{source['host']}: {error}") from None
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            session.logout()
    configure(plan, settings(plan, prefix))
    return ["imapc:"], sum(there.values())


def settings(plan: Plan, prefix: str) -> dict[str, str]:
    """Return Dovecot's settings for the other server, see ``namespace`` for the prefix."""
    source = plan.source
    user = source["login"]
    if plan.generation == "2.3":  # it takes % for a variable here, and not in the password
        user = user.replace("%", "%%")
    found = {
        "imapc_host": quoted(source["host"], plan.generation),
        "imapc_port": str(source["port"]),
        "imapc_ssl": source["tls"],
        "imapc_user": quoted(user, plan.generation),
        "imapc_password": quoted(source["password"], plan.generation),
        "imapc_list_prefix": quoted(prefix, plan.generation),
        "ssl_client_ca_dir": "/etc/ssl/certs",
    }
    if not source["verify"]:
        found["imapc_ssl_verify" if plan.generation == "2.3" else "ssl_client_require_valid_cert"] = "no"
    if plan.generation == "2.3":
        found["imapc_features"] = "rfc822.size fetch-headers"
    return found
