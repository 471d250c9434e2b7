"""A refused run: it gives the reason in one line, and the host stays unchanged."""

from __future__ import annotations

from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

#: Prints the files, packages and listening sockets of a host.
LOOK = (
    "find /etc /usr /var/lib /root -xdev ! -path '*/systemd/*' ! -path '/var/lib/postgresql/*' "
    "-printf '%p %y %m %u %g %s %T@ %l\\n' | sort; "
    "dpkg-query -W -f '${Package} ${db:Status-Status}\\n'; ss -Hltn | sort"
)


def refused(host: Target, run: PyinfraRun, said: str) -> None:
    """Assert that the run failed with one line that gives the reason."""
    assert run.returncode == 1
    assert run.stderr.count(said) == 1, run.stderr
    for word in ("Traceback", "exception", "bug report", "Starting operation: Mail server | Make users"):
        assert word not in run.stderr
