"""A deploy with one operation, which looks at nothing and changes nothing: what pyinfra costs by itself."""

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host


@operation()
def nothing() -> Generator[StringCommand]:
    """Nothing."""
    host.noop("nothing to do")
    yield from ()


nothing(name="Do nothing")
