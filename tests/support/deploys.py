"""Runs of the whole deploy: their changes, their output, and whether mail flows afterwards."""

from __future__ import annotations

import imaplib
import re
import smtplib
from collections.abc import Mapping
from typing import Any

from mailstack import Settings
from mailstack.components.converge import groups
from mailstack.facts.platform import PLATFORM
from mailstack.files import Entry, File, Place
from tests.support import clients, sample_accounts
from tests.support.sites import site, whole
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

SERVER = "Mail server | "
#: The operations of a deploy of the whole server.
CREATE = "Make users, passwords and certificates"
WRITE = "Write configuration"
DATABASE = "Set up the mail database"
SERVICES = "Run services"
_SAID = re.compile(r"^\s+\[[^]]+\] (.*)$", re.MULTILINE)
_STATES = re.compile(r"Connected|Ready: .*|Loading: .*|No changes|Success|docker build complete.*|Skipped")


def run(target: Target, data: Mapping[str, Any], *args: str, **options: Any) -> PyinfraRun:
    """Run `pyinfra -y --json deploy.py` against `target` with `data`; `TargetError` if it fails."""
    return target.pyinfra("-y", "--json", *args, "deploy.py", data=data, **options).check()


def changed(run: PyinfraRun) -> list[str]:
    """Return the operations that changed something, without the name of the deploy that all are part of."""
    return [name.removeprefix(SERVER) for name in run.changed]


def said(run: PyinfraRun) -> list[str]:
    """Return the output of the operations, line by line, without pyinfra's own."""
    return [line for line in _SAID.findall(run.stderr) if not _STATES.fullmatch(line)]


def commands(target: Target, data: Mapping[str, Any]) -> int:
    """Return the number of commands that a run sends to the host: over SSH each is a few round trips."""
    log = target.pyinfra("-y", "-vv", "deploy.py", data=data).check().stderr
    return sum(">>>" in line and "docker exec" in line for line in log.splitlines())


def assert_converged(target: Target, data: Mapping[str, Any], **options: Any) -> None:
    """Assert that a run changes nothing, and prints nothing."""
    again = run(target, data, **options)
    assert (changed(again), said(again)) == ([], [])
    assert again.json["results"]["totals"]["error"] == 0


def assert_mail_flows(target: Target, user: str = sample_accounts.ALICE) -> None:
    """Assert that a stranger's message arrives, and one that `user` sends to themselves by 587."""
    sent = []
    for port, sender in ((25, sample_accounts.STRANGER), (587, user)):
        mail = clients.message(sender, user)
        with clients.smtp(target, port, user if port == 587 else None) as session:
            session.send_message(mail, sender, [user])
        sent.append(str(mail["Message-ID"]))
    with clients.imap(target, user) as mailbox:
        for message_id in sent:
            assert clients.wait_for_mail(mailbox, message_id)


def assert_mail_flows_again(target: Target) -> None:
    """Assert the same once Postfix and Dovecot have found the database again; until then it is 4xx."""

    def flows() -> bool:
        try:
            assert_mail_flows(target)
        except (smtplib.SMTPException, imaplib.IMAP4.error):
            return False
        return True

    clients.eventually(flows, "mail does not flow", timeout=180)


def managed(target: Target, data: Mapping[str, Any]) -> list[Entry]:
    """Return all paths that mailstack owns: the files of the components for `target`."""
    here = site(Settings.from_data(data))
    platform = PLATFORM.parse(target.exec(PLATFORM.command()).stdout)
    declared = groups(here, platform, whole(here))
    in_order = sorted(declared, key=lambda name: name not in ("postgresql", "mariadb"))  # written first
    entries = (entry for name in in_order for entry in declared[name].entries)
    return [entry for entry in entries if not isinstance(entry, Place)]  # which is of another component


def is_written(entry: Entry) -> bool:
    """Return whether it is a file with mailstack's content."""
    return isinstance(entry, File) and entry.content is not None
