"""A backup while mail flows, a host that is lost, and all that is back on another one."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.conftest import Factory
from tests.support import backups, clients, deploys
from tests.support.backups import DATA, PASSWORD, REPOSITORY, SCRIPT, Lost, Mail
from tests.support.sample_accounts import ALICE, CAROL, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

#: What a deploy or a package makes again, or nobody needs on another host.
MADE_AGAIN = {
    "/etc": "the deploy",
    "/usr/local/lib/mailstack": "the deploy",
    "/usr/local/lib/systemd": "the deploy",
    "/usr/local/share/mailstack": "the deploy",
    "/usr": "packages",
    "/var/lib/apt": "packages",
    "/var/lib/dpkg": "packages",
    "/var/lib/ucf": "packages",
    "/var/lib/systemd": "systemd: random seeds, stamps of timers",
    "/var/lib/postgresql": "the dump of the database",
    "/var/lib/postfix": "Postfix: caches of TLS sessions, and the lock of its master",
    "/var/lib/dovecot": "Dovecot: the state of its instances",
    "/var/lib/mailstack": "what a run has left: locks, records, marks, results",
    "/root": "the target's own",
    REPOSITORY: "the backups",
}


def test_a_second_run_changes_nothing(kept: Target) -> None:
    deploys.assert_converged(kept, DATA)


def test_status_and_list_show_it(kept: Target, lost: Lost) -> None:
    run = kept.pyinfra("-y", "mailstack.backup.list", "format=json", data=DATA).check()
    (found,) = json.loads(run.stdout)["backups"]
    assert found["messages"] >= 6 and found["bytes"] > 1000 and found["queued"] >= 1
    run = kept.pyinfra("-y", "mailstack.status", "format=json", "changes=false", data=DATA)
    state = json.loads(run.stdout)
    assert state["backup"]["repository"] == REPOSITORY and state["backup"]["failed"] == []
    assert state["backup"]["good"] and state["backup"]["checked"]
    assert [each for each in state["troubles"] if each["section"] == "backup"] == []


def test_no_secret_is_seen(kept: Target, lost: Lost) -> None:
    journal = kept.exec("journalctl --no-pager -u mailstack-backup").stdout
    assert lost.password and lost.password not in journal
    modes = kept.exec(f"stat -c %a {REPOSITORY} /var/lib/mailstack/secrets/backup-password").stdout.split()
    assert modes == ["700", "600"]
    # it is encrypted: no text of a message is in it
    assert kept.exec(f"grep -rlF 'still here' {REPOSITORY}", check=False).stdout == ""
    assert kept.exec("ls /var/lib/mailstack/backup").stdout.split() == ["repository"]


def test_all_that_changed_on_the_disk_is_kept_or_made_again(kept: Target, lost: Lost) -> None:
    wanted = json.loads(kept.read("/etc/mailstack/backup.json"))
    declared = [*wanted["paths"], wanted["mail"], wanted["queue"], *MADE_AGAIN]
    places = "/etc /home /opt /root /srv /usr /var/lib /var/mail /var/spool /var/vmail /var/www"
    changed = kept.exec(f"find {places} -newer /root/before -type f", check=False).stdout.splitlines()
    assert len(changed) > 20
    forgotten = [
        path for path in changed if not any(path == each or path.startswith(f"{each}/") for each in declared)
    ]
    assert forgotten == []


def test_everything_is_back_on_another_host(clone: Factory, lost: Lost) -> None:
    target = clone("back")
    target.pyinfra("-y", "deploy.py", data=DATA, timeout=900).check()
    target.write("/root/repository.tar", lost.repository)
    target.exec(f"mkdir -m 700 {REPOSITORY} && tar -C {REPOSITORY} -xf /root/repository.tar")
    refused = target.pyinfra("-y", "mailstack.restore", data=DATA, timeout=300)
    assert refused.returncode and "wrong password" in " ".join(refused.stderr.split())
    with clients.imap(target, ALICE):  # it goes on as it was
        pass
    command = ["-y", "mailstack.restore", "password_from=env:BACKUP"]
    run = target.pyinfra(*command, data=DATA, env={"BACKUP": lost.password}, timeout=300).check()
    # one that waits for another server, and those of the load that were on their way just then
    assert re.search(r"[1-9]\d* that waited in the queue are on hold", " ".join(run.stderr.split()))
    assert lost.password not in run.stdout + run.stderr
    assert backups.mailboxes(target, CAROL, PASSWORD) == lost.quiet
    assert_as_it_was(backups.mailboxes(target, ALICE), lost)
    assert backups.sums(target) == lost.files
    quota = target.exec(["doveadm", "-f", "tab", "quota", "get", "-u", CAROL]).stdout
    assert re.search(rf"STORAGE\t\d+\t{77 * 1024}\t", quota), quota
    assert "ACTIVE" in target.exec(["doveadm", "sieve", "list", "-u", CAROL]).stdout
    script = target.exec(["doveadm", "sieve", "get", "-u", CAROL, "mine"]).stdout
    assert script.split()[-len(SCRIPT.split()) :] == SCRIPT.split()
    clients.received(
        target, CAROL, clients.send(target, clients.message(STRANGER, "sales@example.com")), PASSWORD
    )
    held = [json.loads(line) for line in target.exec(["postqueue", "-j"]).stdout.splitlines()]
    assert {each["queue_name"] for each in held} == {"hold"}
    texts = [target.exec(["postcat", "-hbq", each["queue_id"]]).stdout for each in held]
    assert sum("still here" in text for text in texts) == 1
    deploys.assert_mail_flows(target)
    deploys.assert_converged(target, DATA)
    assert backups.backup(target)["messages"] > len(lost.quiet)


def assert_as_it_was(found: dict[str, dict[int, Mail]], lost: Lost) -> None:
    """Assert that a user has all messages of before the backup that were not deleted, and no strange ones."""
    assert found.keys() == lost.before.keys()
    for folder, messages in found.items():
        stayed = {
            uid: mail for uid, mail in lost.before[folder].items() if lost.after[folder].get(uid) == mail
        }
        assert {uid: messages.get(uid) for uid in stayed} == stayed
        for uid, mail in messages.items():
            known = lost.after[folder].get(uid) or lost.before[folder].get(uid)
            assert known is None or known.content == mail.content
