"""One empty operation, or `operations` of them: the cost of pyinfra itself."""

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host


@operation()
def nothing() -> Generator[StringCommand]:
    """Do nothing."""
    host.noop("nothing to do")
    yield from ()


for number in range(host.data.get("operations", 1)):
    nothing(name=f"Do nothing, {number}")
