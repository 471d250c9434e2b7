"""An accepted message is on the disk before the client hears so, and how often the disk is asked for that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, faults, sample_accounts
from tests.support.sample_accounts import ALICE, STRANGER
from tests.targets.containers import Target

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True),
]
_TRACE = "/var/tmp/trace"
MANY = 10
#: Calls that put something on the disk, and those that say something.
_SYNC, _START = ("fsync", "fdatasync"), ("execve",)
_PUT, _SAY = (*_SYNC, "rename", "renameat", "renameat2"), ("write", "writev", "sendto")
_UNFINISHED, _RESUMED = re.compile(r"(.*) <unfinished \.\.\.>"), re.compile(r"<\.\.\. \w+ resumed>(.*)")


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, with strace(1)."""
    target = module_clone("durable", ptrace=True)
    target.exec("apt-get install -qy --no-install-recommends strace", timeout=300)
    return target


@contextmanager
def traced(host: Target) -> Iterator[None]:
    """Trace what Postfix and Dovecot start while the block runs; not their processes from before."""
    masters = " ".join(f"-p {faults.master(daemon)}" for daemon in ("postfix", "dovecot"))
    options = f"-f -y -s 80 -e trace={','.join(_PUT + _SAY + _START)} -o {_TRACE} {masters}"
    host.exec(f"systemctl reset-failed trace; rm -f {_TRACE}", check=False)
    host.exec(f"systemd-run -q --unit trace -- strace {options}")
    files = " ".join(f"/proc/$(echo {faults.master(each)})/status" for each in ("postfix", "dovecot"))
    traced = f"cat {files} | grep -c 'TracerPid:.*[1-9]'"
    clients.eventually(lambda: host.exec(traced, check=False).stdout == "2\n", "no trace")
    host.exec("postfix reload 2>&1; doveadm reload; sleep 5")
    try:
        yield
    finally:
        host.exec("systemctl stop trace")


def trace_of_a_message(host: Target) -> list[str]:
    """Return the calls as a message came in and was delivered."""
    with traced(host):
        message_id = clients.send(host, clients.message(STRANGER, ALICE))
        assert clients.received(host, ALICE, message_id)
    return list(calls(host.read(_TRACE).decode(errors="replace").splitlines()))


def calls(lines: list[str]) -> Iterator[str]:
    """Yield the calls in the order in which they ended; those that say something as they began."""
    begun: dict[str, str] = {}
    for line in lines:
        process, _, call = line.partition(" ")
        call = call.strip()
        if unfinished := _UNFINISHED.match(call):
            begun[process] = unfinished[1]
            if call.startswith(_SAY):
                yield unfinished[1]
        elif resumed := _RESUMED.match(call):
            whole = begun.pop(process, "") + resumed[1]
            if not whole.startswith(_SAY):
                yield whole
        else:
            yield call


def first(trace: list[str], pattern: str, before: int | None = None) -> int:
    """Return the place of the first line that matches, before another place."""
    places = [place for place, line in enumerate(trace[:before]) if re.search(pattern, line)]
    seen = [line for line in trace[:before] if line.startswith(_PUT) or '"250' in line]
    assert places, "\n".join([f"nothing is {pattern} in", *seen])
    return places[0]


def assert_on_disk(trace: list[str]) -> None:
    """Assert that the files, and the directories that name them, are on the disk before both answers."""
    said = first(trace, r'"250 2\.0\.0 Ok: queued as ')
    (queue_id,) = re.findall(r"queued as (\w+)", trace[said])
    first(trace, rf"fsync\(\d+</var/spool/postfix/incoming/{queue_id}>\) += 0", said)
    saved = first(trace, r'"250 2\.0\.0 <[^>]*> \S+ Saved')
    # the format of new users, sdbox, has a file for each message, with a temporary name at first
    renamed = first(trace, r'rename\(.*/u\.\d+"\) += 0', saved)
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


def test_what_a_message_costs(host: Target) -> None:
    """One message after the other, on a server that has its processes already.

    Postfix waits for the disk once, for the file in its queue. Dovecot waits for the message, its directory
    and the index.
    """
    with traced(host):
        # on a busy machine more messages are on their way at once, and need more processes
        for _ in range(5):
            found = send_and_count(host)
            if found["execve"] <= MANY // 5:
                break
    assert found["fsync"] == MANY, found
    assert 2 * MANY <= found["fdatasync"] <= 3 * MANY, found
    assert found["execve"] <= MANY // 5, found


def send_and_count(host: Target) -> Counter[str]:
    """Send messages, and count the traced calls until the queue is empty."""
    before = len(host.read(_TRACE).splitlines())
    host.exec(f"smtp-source -s 1 -m {MANY} -f {STRANGER} -t {ALICE} 127.0.0.1:25")
    clients.wait_for_empty_queue(host)
    trace = host.read(_TRACE).decode(errors="replace").splitlines()[before:]
    return Counter(line.split(maxsplit=1)[1].partition("(")[0] for line in trace if " <... " not in line)
