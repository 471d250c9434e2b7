"""The command ``mailstack.verify``, and the same at the end of a deploy."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Unpack

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack.accounts.arguments import arguments_checked
from mailstack.operation import naming_the_host, only_looks, operation
from mailstack.operations.sql import deployed_with
from mailstack.run import answer, is_executing, leave_out
from mailstack.settings import Settings
from mailstack.settings.errors import nearest
from mailstack.verify.printed import as_json, as_text, failed, summary
from mailstack.verify.running import verified

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments

FORMATS = {"table": as_text, "json": as_json}


@arguments_checked("mailstack", "Verify")
@only_looks
def verify(*, format: str = "table", **pyinfras: Unpack[GlobalArguments]) -> None:
    """Prove that a host works, and print it on standard output; fail if a check fails.

    + format: ``table`` or ``json``

    It changes nothing that stays. The accounts that it needs exist only meanwhile, even if it is killed.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.verify
        pyinfra -y INVENTORY mailstack.verify format=json
    """
    check_format(format)
    with naming_the_host():
        found = verified(deployed_with() or Settings.from_data(host.data))
        answer(FORMATS[format](found))
    if wrong := failed(found):
        leave_out(f"{host.name}: {_count(len(wrong))} failed: see above")


def check_format(format: str) -> None:
    """Raise ``OperationValueError`` for an unknown format."""
    if format not in FORMATS:
        close = nearest(str(format), FORMATS)
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}{close}")


def at_the_end(settings: Settings) -> None:
    """Prove at the end of a deploy that the host works; the run fails if it does not."""
    _at_the_end(settings=settings, name="Verify")


@operation
def _at_the_end(settings: Settings) -> Generator[PyinfraCommand]:
    if is_executing():  # before that, the services may still be missing
        found = verified(settings)
        if wrong := failed(found):
            for check in wrong:
                text = f"{check['title']}: {check['text']}; {check['advice']}"
                host.log_styled(text, fg="red", log_func=logger.error)
            raise OperationError(f"{_count(len(wrong))} failed: see above, and mailstack.verify")
        host.log(f"verified: {summary(found)}")
    host.noop("the host is only looked at")
    yield from ()


def _count(number: int) -> str:
    return "1 check" if number == 1 else f"{number} checks"
