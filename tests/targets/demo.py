"""`make demo`: a mail server in a container of this machine, and real mail through it."""

from __future__ import annotations

import imaplib
import json
import os
import re
import secrets
import smtplib
import ssl
import time
import urllib.request
import uuid
from email.message import EmailMessage

from tests.targets import demo_acme, networks
from tests.targets.containers import Target
from tests.targets.pyinfra import pyinfra
from tests.targets.shell import ROOT, STATE, TargetError

DOMAIN = "example.org"
ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
HERE = "127.0.0.1"
PORTS = {2525: 25, 2587: 587, 2465: 465, 2143: 143, 2993: 993, 24190: 4190, 2443: 443}
INVENTORY = ROOT / "inventories" / "docker.py"
PASSWORDS = STATE / "demo-passwords.json"
#: Whether mail can be read in a browser, too; inventories/group_data/docker.py reads it as well.
WEBMAIL = bool(os.environ.get("WEBMAIL"))
WEBMAIL_URL = f"https://{HERE}:2443/webmail/"


def run(debian: int, *, acme: bool = False) -> None:
    """Create or update the demo, send mail through it, read it back, and print how to log in.

    + acme: whether a CA beside it then gives it a certificate
    """
    server = Target("mailstack-demo", debian, networks.demo(), ports=PORTS)
    state = _started(server)
    passwords: dict[str, str] = json.loads(PASSWORDS.read_text())

    start = time.monotonic()
    changes = _converge(passwords)
    seconds = time.monotonic() - start

    trust = ssl.create_default_context(cadata=server.read("/etc/ssl/mailstack/cert.pem").decode())
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # after ACME=1 it is not its own authority
    trust.check_hostname = False  # we know the certificate, and connect to it as 127.0.0.1
    sent = {
        f"port 25, as a stranger, to {ALICE}": _send_as_stranger(),
        f"port 587, as {BOB}, STARTTLS and AUTH": _send_as_bob(passwords[BOB], trust),
    }
    read = [f"{how}: {_read_back(message_id, passwords[ALICE], trust)}" for how, message_id in sent.items()]
    kept = _back_up(passwords[ALICE], trust)
    webmail = _webmail(trust)
    shown = f"{'WEBMAIL=1 ' if WEBMAIL else ''}pyinfra -y {os.path.relpath(INVENTORY)}"
    print(f"\nWhat the DNS of {DOMAIN} needs ({shown} mailstack.dns.zone):\n")
    print(pyinfra(INVENTORY, "-y", "mailstack.dns.zone", DOMAIN).check().stdout, end="")
    if acme:
        demo_acme.run(server)  # its certificates end too soon for mailstack.verify
    else:
        print(f"\nDoes all of it work? ({shown} mailstack.verify):\n")
        _verify()
    print(_report(f"Debian {debian}: {state}", changes, seconds, [*read, kept], passwords, webmail))
    print("What the server is doing, and what became of a message:")
    print(f"  {shown} mailstack.status\n  {shown} mailstack.trace {ALICE}")


def _back_up(password: str, trust: ssl.SSLContext) -> str:
    """Make a backup, bring Alice's INBOX back from it, and return a line on that."""
    pyinfra(INVENTORY, "-y", "mailstack.backup.now").check()
    run = pyinfra(INVENTORY, "-y", "mailstack.restore", f"user={ALICE}", "folder=INBOX").check()
    (folder,) = re.findall(r"in the folder (Restored \S+ \w+)", " ".join(run.stderr.split()))
    with imaplib.IMAP4_SSL(HERE, 2993, ssl_context=trust, timeout=30) as session:
        session.login(ALICE, password)
        counts = [session.select(name, readonly=True)[1][0] for name in ("INBOX", f'"{folder}/INBOX"')]
    if not counts[0] or counts[0] != counts[1]:
        raise TargetError(f"{folder} has {counts[1]!r} messages, and INBOX has {counts[0]!r}")
    return f"backup in /srv/backup of the container, and {ALICE}'s INBOX back from it: {folder}"


def _verify() -> None:
    """Print what mailstack.verify says. Raises ``TargetError`` if a check fails."""
    done = pyinfra(INVENTORY, "-y", "mailstack.verify")
    print(done.stdout, end="", flush=True)
    done.check()


def _started(server: Target) -> str:
    """Start the container; replace one of the other Debian release, or one that lost its passwords."""
    if (
        server.exists()
        and server.image().startswith(f"mailstack-target:{server.debian}-")
        and PASSWORDS.exists()
    ):
        if not server.running():
            server.start()
        return "was there already"
    STATE.mkdir(exist_ok=True)
    PASSWORDS.touch(mode=0o600)
    PASSWORDS.write_text(json.dumps({user: secrets.token_urlsafe(12) for user in (ALICE, BOB)}))
    server.create()
    return "made anew"


def _converge(passwords: dict[str, str]) -> list[str]:
    """Run the commands that a user would type; return the operations that changed something."""
    runs = [
        (["deploy.py"], {}),
        (["mailstack.accounts.domain", DOMAIN], {}),
        *(
            (
                ["mailstack.accounts.user", user, "password_from=env:MAIL_PASSWORD"],
                {"MAIL_PASSWORD": password},
            )
            for user, password in passwords.items()
        ),
    ]
    changes = []
    for args, env in runs:
        shown = os.path.relpath(INVENTORY)
        print(f"\n$ pyinfra -y {shown} {' '.join(args)}", flush=True)
        done = pyinfra(INVENTORY, "-y", "--json", *args, env=env, show_log=True).check()
        changes += done.changed
    return changes


def _send_as_stranger() -> str:
    mail = _message("stranger@remote.example.net", "From the outside world")
    with smtplib.SMTP(HERE, 2525, "remote.example.net", timeout=30) as session:
        session.send_message(mail)
    return str(mail["Message-ID"])


def _send_as_bob(password: str, trust: ssl.SSLContext) -> str:
    mail = _message(BOB, "From a colleague")
    with smtplib.SMTP(HERE, 2587, "laptop.example.org", timeout=30) as session:
        session.starttls(context=trust)
        session.login(BOB, password)
        session.send_message(mail)
    return str(mail["Message-ID"])


def _message(sender: str, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ALICE, subject
    mail["Message-ID"] = f"<{uuid.uuid4()}@{sender.partition('@')[2]}>"
    mail.set_content("It works: SMTP, PostgreSQL, LMTP, IMAP. Grüße!\n")
    return mail


def _read_back(message_id: str, password: str, trust: ssl.SSLContext) -> str:
    """Return the first line that delivery added to the message with that Message-ID, once Alice has it."""
    with imaplib.IMAP4_SSL(HERE, 2993, ssl_context=trust, timeout=30) as session:
        session.login(ALICE, password)
        session.select()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            session.noop()
            found = session.search(None, "HEADER", "Message-ID", f'"{message_id}"')[1][0]
            if found:
                subject = session.fetch(found.decode(), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0]
                return subject[1].decode().strip() if isinstance(subject, tuple) else ""
            time.sleep(0.2)
    raise TargetError(f"{message_id} was accepted, and did not arrive within 30 s")


def _webmail(trust: ssl.SSLContext) -> str:
    """Return a line about webmail, with the time of its login page; raise ``TargetError`` without one."""
    if not WEBMAIL:
        return f"Webmail, after `make demo WEBMAIL=1`: {WEBMAIL_URL}"
    times = []
    for _ in range(2):
        start = time.monotonic()
        with urllib.request.urlopen(WEBMAIL_URL, context=trust, timeout=60) as page:
            if b"rcmloginuser" not in page.read():
                raise TargetError(f"{WEBMAIL_URL} is not the login page")
        times.append(f"{time.monotonic() - start:.2f} s")
    return (
        f"Webmail, with a self-signed certificate: {WEBMAIL_URL} (first page: {times[0]}, again: {times[1]})"
    )


def _report(
    state: str, changes: list[str], seconds: float, tried: list[str], passwords: dict[str, str], webmail: str
) -> str:
    """Return what was done and how to log in; with what follows it, that fits on a screen of 30 lines."""
    lines = [
        f"Container mailstack-demo, {state}.",
        f"pyinfra: {len(changes)} changes in {seconds:.0f} s.",
        *(f"  {change}" for change in changes),
        "Sent, and read back over IMAPS, and the backup:",
        *(f"  {each}" for each in tried),
        f"Connect to {HERE}:",
        "  SMTP 2525, submission 2587 (STARTTLS) or 2465 (TLS), IMAP 2143 (STARTTLS) or 2993 (TLS),",
        "  ManageSieve 24190 (STARTTLS)",
        *(f"  {user}, password {password}" for user, password in passwords.items()),
        webmail,
        "fail2ban, which shuts out addresses that guess passwords, is off in the demo (docs/fail2ban.md).",
        f"The passwords are kept in {os.path.relpath(PASSWORDS)}. `make clean` removes everything.",
    ]
    return "\n" + "\n".join(lines)
