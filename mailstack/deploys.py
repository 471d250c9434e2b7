"""The type of a component's ``deploy``, for pyinfra and for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Unpack, cast

from pyinfra.api.deploy import deploy as pyinfra_deploy

if TYPE_CHECKING:
    from pyinfra.api.arguments import ConnectorArguments

    from mailstack.settings import Settings

    class GlobalArguments(ConnectorArguments, total=False):
        """The arguments that pyinfra takes for every deploy (its documentation: Global Arguments)."""

        name: str
        _ignore_errors: bool
        _continue_on_error: bool
        _if: list[Callable[[], bool]] | Callable[[], bool] | None
        _parallel: int
        _run_once: bool
        _serial: bool


class Deploy(Protocol):
    """Converge the current host: ``deploy(settings)``, with pyinfra's global arguments if wanted."""

    def __call__(self, settings: Settings, **global_arguments: Unpack[GlobalArguments]) -> None:
        """See the component."""


def deploy(title: str, documentation: str | None = None) -> Callable[[Callable[[Settings], None]], Deploy]:
    """Make a pyinfra deploy of a function. pyinfra's own type takes no settings by position.

    + title: the title in pyinfra's output
    + documentation: the deploy's docstring, by default the function's
    """

    def decorate(function: Callable[[Settings], None]) -> Deploy:
        function.__doc__ = documentation or function.__doc__
        return cast("Deploy", pyinfra_deploy(title)(function))

    return decorate
