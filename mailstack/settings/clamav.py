"""The settings of the virus scanner."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import Model, without_effect


class ClamavSettings(Model):
    """Viruses."""

    mail_antivirus: bool = Field(
        default=False,
        description="Whether ClamAV scans mail, of users too, and what contains a virus is refused. It takes "
        "some 1.3 GiB of memory. Needs `mail_rspamd`.",
    )
    mail_antivirus_unavailable: Annotated[
        Literal["wait", "pass"], Allowed("'wait' (451, the sender tries again) or 'pass' (unscanned)")
    ] = Field(
        default="wait",
        description="What happens to mail while ClamAV does not answer: at first, until it has signatures, "
        "and for half a minute whenever it reads new ones.",
    )

    @model_validator(mode="after")
    def _scanner_runs(self) -> Self:
        without_effect(self, "mail_antivirus", ClamavSettings.model_fields)
        return self
