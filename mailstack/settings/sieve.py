"""The settings of Sieve and ManageSieve."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import Model, Text, without_effect

Bytes = Annotated[int, Field(ge=1024, le=2**31 - 1), Allowed("bytes, 1024 to 2147483647")]


class SieveSettings(Model):
    """Sieve."""

    mail_sieve: bool = Field(
        default=True,
        description="Whether Sieve (RFC 5228) filters mail at delivery, and users manage their scripts by "
        "ManageSieve (RFC 5804), on port 4190.",
    )
    mail_sieve_before: Text = Field(
        default="",
        description="A Sieve script that runs before each user's own. It is checked before it is installed.",
    )
    mail_sieve_after: Text = Field(
        default="",
        description="A Sieve script that runs after each user's own, unless the user's script filed, "
        "discarded or redirected the message.",
    )
    mail_sieve_max_actions: Annotated[int, Field(ge=1, le=1000), Allowed("1 to 1000")] = Field(
        default=32, description="The number of actions that a script may perform on a message."
    )
    mail_sieve_max_redirects: Annotated[
        int, Field(ge=0, le=100), Allowed("0 to 100; 0 forbids `redirect`")
    ] = Field(default=4, description="The number of these that may be `redirect`.")
    mail_sieve_max_script_size: Bytes = Field(
        default=1024 * 1024, description="The largest size of a script, in bytes."
    )
    mail_sieve_max_scripts: Annotated[int, Field(ge=0, le=100_000), Allowed("0 for no limit, to 100000")] = (
        Field(default=50, description="The number of scripts that a user may keep.")
    )
    mail_sieve_max_storage: Bytes = Field(
        default=10 * 1024 * 1024,
        description="The largest total size of all scripts of a user, in bytes.",
    )

    @model_validator(mode="after")
    def _scripts_run(self) -> Self:
        for name in ("mail_sieve_before", "mail_sieve_after"):
            if getattr(self, name) and not self.mail_sieve:
                raise ValueError(f"{name}: no script runs with mail_sieve false; allowed: mail_sieve true")
        without_effect(self, "mail_sieve", SieveSettings.model_fields)
        return self
