"""The settings of checks."""

from typing import Annotated

from pydantic import Field

from mailstack.settings.errors import Allowed
from mailstack.settings.types import ListOf, Model

_Port = Annotated[int, Field(ge=1, le=65535)]


class VerifySettings(Model):
    """Checks of the host."""

    mail_verify: bool = Field(
        default=False,
        description="Whether a deploy of the whole server ends with all checks of `mailstack.verify`, and "
        "fails if one of them does. See `docs/operations.md`.",
    )
    mail_verify_ports: Annotated[ListOf[_Port], Allowed("a list of ports, 1 to 65535")] = Field(
        default=(),
        description="Ports of other programs of the host that may be open to other hosts. For "
        "`mailstack.verify`, any further open TCP port is a fault.",
    )
