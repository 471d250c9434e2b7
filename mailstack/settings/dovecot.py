"""The settings of Dovecot."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mailstack.settings.errors import Allowed
from mailstack.settings.types import HostPath, Model, SystemId, Text


class DovecotSettings(Model):
    """Dovecot"""

    mail_pop3: bool = Field(default=False, description="Whether POP3 is offered beside IMAP.")
    mail_home_root: HostPath = Field(
        default="/var/vmail", description="The directory with the home directories of all mailboxes."
    )
    mail_vmail_uid: SystemId = Field(default=5000, description="The user id of `vmail`, which owns all mail.")
    mail_vmail_gid: SystemId = Field(default=5000, description="The group id of `vmail`.")
    mail_max_userip_connections: Annotated[int, Field(ge=1, le=1_000_000), Allowed("a number, 1 or more")] = (
        Field(
            default=20,
            description="How many connections one user may have at once from one address, for each of IMAP "
            "and POP3. One program may use five, and a household has one address.",
        )
    )
    mail_last_login_minutes: Annotated[
        int, Field(ge=0, le=525_600), Allowed("minutes, up to 525600; 0 for not at all")
    ] = Field(
        default=60,
        description="Logins are recorded in the table `mail_last_login`, for each user and service not more "
        "often than this.",
    )
    mail_password_upgrade: bool = Field(
        default=False,
        description="Whether a good login replaces a stored hash of an older scheme by one of today's, "
        "ARGON2ID. There is no way back, and other programs that verify these hashes must know it too: so "
        "it is off.",
    )
    mail_dovecot_extra: Text = Field(
        default="", description="Text for the end of `dovecot.conf`, in the syntax of the host's Dovecot."
    )
