"""What a run deploys on a host, in however many deploys: complete once operations are executed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mailstack.run import current_host

if TYPE_CHECKING:
    from pyinfra.api.host import Host


_deployed: WeakKeyDictionary[Host, set[str]] = WeakKeyDictionary()


def deployed_here() -> set[str]:
    """Return the names of the components that this run deploys on the current host, which may still grow."""
    return _deployed.setdefault(current_host(), set())
