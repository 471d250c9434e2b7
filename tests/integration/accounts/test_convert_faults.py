"""What may happen while mail is carried over: a loss of power, other commands, what can't be copied."""

from __future__ import annotations

import imaplib
import json
import signal
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mailstack.on_host import convert as program
from mailstack.programs import archive
from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.mailbox_to_convert import COUNT, convert, driver, fill, seen
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target
from tests.targets.shell import docker

pytestmark = pytest.mark.postgresql

#: The program, killed at one of its steps: `killed.py STEP PLAN inside`.
KILLED = """
import os, signal, sys
sys.path.insert(0, "/root/convert.zip")
from convert import __main__ as program
moment, _, name = sys.argv.pop(1).partition(" ")
real, calls = getattr(program, name), int(moment[-1])
def killed(*arguments):
    global calls
    calls -= 1
    if not calls and moment.startswith("before"):
        os.kill(os.getpid(), signal.SIGKILL)
    said = real(*arguments)
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return said
setattr(program, name, killed)
program.main()
"""
#: A delivery that is locked out half-way, as it has the lock of the folder: `caught.py MAILDIR ID`.
CAUGHT = """
import os, socket, sys, time
maildir, number = os.open(sys.argv[1], os.O_RDONLY), sys.argv[2]
def write(name, text):
    owner = os.fstat(maildir)
    file = os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=maildir)
    os.fchown(file, owner.st_uid, owner.st_gid)
    os.write(file, text.encode())
    os.close(file)
index = os.open("dovecot.index.log", os.O_RDONLY, dir_fd=maildir)
print(os.getpid(), flush=True)
while not os.path.ismount(sys.argv[1]):
    time.sleep(0.01)
write("new/1.caught", f"Message-ID: {number}\\nSubject: caught\\n\\nHello\\n")
write("dovecot-uidlist.lock", f"{os.getpid()}:{socket.gethostname()}")
os.close(index)
time.sleep(900)
"""
#: In place of a backup that goes on until a file is removed.
BACKUP = """
mkdir -p /run/mailstack-backup && touch /root/backup
go_on='while test -e /root/backup; do sleep 0.2; done'
flock /run/mailstack-backup/mail timeout 300 sh -c "$go_on" >/dev/null 2>&1 &
"""
#: When it is killed, by the user to whom that happens; with the driver that the database has then.
MOMENTS = {
    "copied": ("after1 copy_open", "maildir"),
    "locked": ("after1 lock", "maildir"),
    "renamed": ("before3 written", "maildir"),
    "placed": ("after3 written", "maildir"),
    "noted": ("before1 change", "maildir"),
    "switched": ("before1 exchange", "sdbox"),
    "exchanged": ("after1 exchange", "sdbox"),
}


@pytest.fixture
def user(server: Target) -> Iterator[str]:
    """Yield a user with a Maildir."""
    with guests(server, "faults") as (email,):
        fill(server, email)
        yield email


def kill_at(server: Target, user: str, moment: str) -> None:
    """Carry the mail of a user over, without the command and without systemd, and die."""
    change = f"UPDATE mail_users SET mail_driver = 'sdbox' WHERE email = '{user}'"
    plan = {
        "email": user,
        "home": clients.home(server, user),
        "before": "maildir",
        "after": "sdbox",
        "generation": "2.3" if server.debian == 12 else "2.4",
        "switch": f'cd / && runuser -u postgres -- psql -q mail -c "{change}"',
        "delete_old": False,
    }
    server.write("/root/plan", json.dumps(plan).encode())
    run = ["unshare", "--mount", "python3", "/root/killed.py", moment, "/root/plan", "inside"]
    done = server.exec(run, check=False)
    assert done.returncode == 128 + signal.SIGKILL or done.returncode == -signal.SIGKILL, (moment, done)


def test_a_loss_of_power_locks_nobody_out(clone: Factory) -> None:
    server = clone("power")
    server.write("/root/convert.zip", b64decode(archive(program)))
    server.write("/root/killed.py", KILLED.encode())
    with guests(server, *MOMENTS) as users:
        before = {}
        for user, (moment, _) in zip(users, MOMENTS.values(), strict=True):
            fill(server, user)
            before[user] = seen(server, user)
            kill_at(server, user, moment)
            if user.startswith("locked"):  # the next run opens it
                with pytest.raises(AssertionError, match="INBOX"):
                    seen(server, user)
        docker("kill", server.name)
        server.start()
        for user, (_, kept) in zip(users, MOMENTS.values(), strict=True):
            assert seen(server, user) == before[user], user
            assert driver(server, user) == {"maildir": "Maildir", "sdbox": "sdbox"}[kept]
            filed = clients.send(server, clients.message(STRANGER, user))
            clients.received(server, user, filed, PASSWORD)
            before[user] = seen(server, user)
        said = convert(server, "example.org").check().stderr
        assert "locked@example.org: the last attempt, of 20" in said and "UTC, was cut off" in said
        for user in users:
            assert seen(server, user) == before[user], user
            assert driver(server, user) == "sdbox"
            listed = server.exec(["ls", "-A", clients.home(server, user)]).stdout.split()
            mail = {name for name in listed if name.lstrip(".").startswith(("Maildir", "sdbox"))}
            assert mail == {"Maildir", "Maildir.old", "sdbox"}
            assert server.exec(["test", "-f", f"{clients.home(server, user)}/Maildir"])


def test_what_else_works_on_the_mail(server: Target, user: str) -> None:
    """Two commands are one too many; a backup is waited for; a session ends."""
    server.exec(BACKUP)
    converts = ["systemctl", "is-active", "mailstack-convert"]
    running, ended = threading.Thread(target=convert, args=(server, user)), False
    # the session is not there any more to be closed
    with suppress(imaplib.IMAP4.abort, OSError), clients.imap(server, user, password=PASSWORD) as session:
        session.send(b"x IDLE\r\n")
        running.start()
        clients.eventually(lambda: not server.exec(converts, check=False).returncode, "it does not begin")
        second = convert(server, user)
        assert second.returncode != 0
        assert "another mailstack.accounts.convert runs on this host" in second.stdout + second.stderr
        assert driver(server, user) == "Maildir", "the backup has not ended"
        server.exec(["rm", "/root/backup"])
        session.sock.settimeout(3 * clients.TIMEOUT)
        while (line := session.readline()) and not line.startswith(b"* BYE"):
            pass
        ended = line != b""
    assert ended
    running.join(3 * clients.TIMEOUT)
    assert driver(server, user) == "sdbox"


def test_a_delivery_that_is_locked_out_loses_nothing(server: Target, user: str) -> None:
    """Dovecot waits for the lock of a living process, and then goes on without what it has not seen yet."""
    maildir, number = f"{clients.home(server, user)}/Maildir", "<caught@remote.example.net>"
    server.write("/root/caught.py", CAUGHT.encode())
    server.exec(f"setsid python3 /root/caught.py {maildir} '{number}' >/root/caught 2>&1 </dev/null &")
    process = clients.eventually(lambda: server.exec("cat /root/caught").stdout.strip(), "it does not begin")
    try:
        said = convert(server, user).check().stderr
    finally:
        server.exec(["kill", process])
    assert f"1 of 1: {user}: {COUNT + 1} messages" in said
    assert clients.received(server, user, number, PASSWORD)


def test_what_can_not_be_carried_is_said_and_recorded(server: Target, user: str) -> None:
    before, maildir = seen(server, user), f"{clients.home(server, user)}/Maildir"
    server.exec(f"ln -s /srv {maildir}/.Elsewhere")
    failed = f"{maildir}/.Elsewhere is a symbolic link"
    run = convert(server, user, "format=json")
    assert run.returncode != 0 and failed in run.stdout + run.stderr
    server.exec(f"rm {maildir}/.Elsewhere")
    assert seen(server, user) == before and driver(server, user) == "Maildir"
    again = server.pyinfra(
        "-y", "mailstack.accounts.convert", user, "format=json", data=sample_accounts.data()
    ).check()
    assert "the last attempt, of 20" in again.stderr and failed in again.stderr
    about = json.loads(again.stdout)["users"][user]
    assert (about["before"], about["after"], about["messages"]) == ("maildir", "sdbox", COUNT)
    assert server.exec("stat -c %a /var/lib/mailstack/convert.json").stdout.strip() == "600"


def test_a_full_disk_leaves_the_mail_where_it_is(server: Target, user: str) -> None:
    before, old = seen(server, user), f"{clients.home(server, user)}/Maildir.old"
    server.exec(["mknod", old, "c", "1", "7"])  # as /dev/full
    run = convert(server, user)
    assert run.returncode != 0
    assert "No space left on device; the mail stays as it was" in " ".join(run.stderr.split())
    assert seen(server, user) == before and driver(server, user) == "Maildir"


def test_what_fails_after_the_switch_is_said_and_completed(server: Target, user: str) -> None:
    before, old = seen(server, user), f"{clients.home(server, user)}/Maildir.old"
    # it takes the note, and can't be moved
    server.exec(f"touch {old} /root/note && mount --bind /root/note {old}")
    try:
        run = convert(server, user)
    finally:
        server.exec(["umount", old])
    assert run.returncode != 0
    said = " ".join(run.stderr.split())
    assert f"Device or resource busy: '{old.removesuffix('.old')}'; the mail in sdbox is in use" in said
    assert "the same command completes it" in said
    assert seen(server, user) == before and driver(server, user) == "sdbox"
    convert(server, user).check()
    assert seen(server, user) == before
    server.exec(f"test -d {old} && test -f {clients.home(server, user)}/Maildir")


def test_a_user_is_removed_once_its_mail_is_carried_over(server: Target) -> None:
    with guests(server, "leaving") as (email,):
        with clients.imap(server, email, password=PASSWORD):
            pass
        home = clients.home(server, email)
        plan = f'{{"home": "{home}"}}'
        server.exec(f"mkdir /run/mailstack-convert; echo '{plan}' > /run/mailstack-convert/plan")
        server.exec("(sleep 10; rm -r /run/mailstack-convert) >/dev/null 2>&1 &")
        arguments = ("-y", "mailstack.accounts.user", email, "present=false", "delete_mail=true")
        server.pyinfra(*arguments, data=sample_accounts.data()).check()
        assert server.exec(f"test -e /run/mailstack-convert || test -e {home}", check=False).returncode
