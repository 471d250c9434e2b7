"""The command ``mailstack.metrics.files``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from pyinfra.api.exceptions import OperationError

from mailstack.accounts.arguments import arguments_checked
from mailstack.operation import needs_no_host

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments

FILES = ("mailstack-alerts.yml", "mailstack-dashboard.json", "mailstack-scrape.yml")
"""Beside this module."""


@arguments_checked("mailstack.metrics", "Metrics")
@needs_no_host
def files(directory: str, **pyinfras: Unpack[GlobalArguments]) -> None:
    """Write the files for Prometheus and Grafana into a directory of this machine, and print their paths.

    + directory: the directory, which is made if it is missing

    No host is changed. Files of these names are replaced.

    **Example:**

    .. code:: shell

        pyinfra -y @local mailstack.metrics.files monitoring
    """
    target = Path(str(directory)).expanduser()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (target / name).write_bytes(Path(__file__).with_name(name).read_bytes())
    except OSError as error:
        raise OperationError(f"directory = {str(target)!r}: {error.strerror}") from None
    print("".join(f"{target / name}\n" for name in FILES), end="")
