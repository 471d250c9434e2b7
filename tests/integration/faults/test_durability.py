"""An accepted message is on the disk before the client hears so: Postfix's 250, and Dovecot's to Postfix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, faults, sample_accounts
from tests.support.sample_accounts import ALICE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql
_TRACE = "/var/tmp/trace"
#: Calls that put something on the disk or say something; `-y` prints the path of each file descriptor.
_CALLS = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,write,writev,pwrite64,sendto,sendmsg"


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, with strace(1)."""
    target = module_clone("durable")
    target.exec("apt-get install -qy --no-install-recommends strace", timeout=300)
    return target


@contextmanager
def traced(host: Target) -> Iterator[None]:
    """Trace what the processes do that Postfix and Dovecot start while the block runs."""
    masters = " ".join(f"-p {faults.master(daemon)}" for daemon in ("postfix", "dovecot"))
    host.exec(f"systemd-run -q --unit trace -- strace -f -y -s 80 -e trace={_CALLS} -o {_TRACE} {masters}")
    clients.eventually(lambda: host.exec(f"test -e {_TRACE}", check=False).returncode == 0, "no trace")
    # processes from before are not traced
    host.exec("postfix reload 2>&1; doveadm reload; sleep 1")
    try:
        yield
    finally:
        host.exec("systemctl stop trace")


def trace_of_a_message(host: Target) -> list[str]:
    """Return what was traced as a message came in and was delivered, in the order of its end."""
    with traced(host):
        message_id = clients.send(host, clients.message(STRANGER, ALICE))
        assert clients.received(host, ALICE, message_id)
    return host.read(_TRACE).decode(errors="replace").splitlines()


def first(trace: list[str], pattern: str, before: int | None = None) -> int:
    """Return the place of the first line that matches, before another place."""
    places = [place for place, line in enumerate(trace[:before]) if re.search(pattern, line)]
    assert places, f"nothing is {pattern} in\n" + "\n".join(trace[:before])
    return places[0]


def assert_on_disk(trace: list[str]) -> None:
    """Assert that the files, and the directories that name them, are on the disk before both answers."""
    said = first(trace, r'"250 2\.0\.0 Ok: queued as ')
    (queue_id,) = re.findall(r"queued as (\w+)", trace[said])
    first(trace, rf"fsync\(\d+</var/spool/postfix/incoming/{queue_id}>\) += 0", said)
    saved = first(trace, r'"250 2\.0\.0 <[^>]*> \S+ Saved')
    renamed = first(trace, r"rename\(.*/var/vmail/.* = 0", saved)
    first(trace, r"f(data)?sync\(\d+</var/vmail/[^>]*>\) += 0", renamed)
    first(trace[renamed:], r"f(data)?sync\(\d+</var/vmail/[^>]*>\) += 0", saved - renamed)


def test_what_is_accepted_is_on_the_disk(host: Target) -> None:
    assert_on_disk(trace_of_a_message(host))


def test_without_fsync_it_would_not_be(host: Target) -> None:
    deploys.run(host, sample_accounts.data(mail_dovecot_extra="mail_fsync = never"))
    try:
        with pytest.raises(AssertionError, match="nothing is f"):
            assert_on_disk(trace_of_a_message(host))
    finally:
        deploys.run(host, sample_accounts.data())
