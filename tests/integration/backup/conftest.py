"""A server with backups, shared by the tests of a worker, and what it was when it was lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import KEEP
from tests.support import backups
from tests.support.backups import DATA, PASSWORD, REPOSITORY, Lost
from tests.support.numbered_traffic import watch
from tests.support.sample_accounts import ALICE, CAROL
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network


@pytest.fixture(scope="session")
def kept(network: Network, debian: int, deployed: str) -> Iterator[Target]:
    """Yield a server with mail and backups."""
    target = Target(f"{networks.WORKER_NAME}-backup-{debian}", debian, network)
    try:
        target.create(deployed)
        target.exec("touch /root/before")
        target.pyinfra("-y", "deploy.py", data=DATA, timeout=900).check()
        backups.fill(target)
        yield target
    finally:
        if not KEEP:
            target.remove()


@pytest.fixture(scope="session")
def lost(kept: Target) -> Lost:
    """Return what a server had whose backup was made while mail came, and was read and deleted."""
    quiet = backups.mailboxes(kept, CAROL, PASSWORD)
    with watch(kept, pause=0.1):
        before = backups.mailboxes(kept, ALICE)
        waits = backups.waiting(kept)
        backups.backup(kept)
        after = backups.mailboxes(kept, ALICE)
        kept.exec(["postsuper", "-d", waits])
    files = backups.sums(kept)
    password = kept.pyinfra("-y", "mailstack.backup.password", data=DATA).check().stdout.strip()
    kept.exec(f"tar -C {REPOSITORY} -cf /root/repository.tar .")
    return Lost(before, after, quiet, files, password, kept.read("/root/repository.tar"))
