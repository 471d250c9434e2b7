"""The settings of Dovecot."""

from __future__ import annotations

from pydantic import Field

from mailstack.settings.types import HostPath, Model, SystemId, Text


class DovecotSettings(Model):
    """Dovecot"""

    mail_pop3: bool = Field(default=False, description="Whether POP3 is offered beside IMAP.")
    mail_home_root: HostPath = Field(
        default="/var/vmail", description="The directory with the home directories of all mailboxes."
    )
    mail_vmail_uid: SystemId = Field(default=5000, description="The user id of `vmail`, which owns all mail.")
    mail_vmail_gid: SystemId = Field(default=5000, description="The group id of `vmail`.")
    mail_dovecot_extra: Text = Field(
        default="", description="Text for the end of `dovecot.conf`, in the syntax of the host's Dovecot."
    )
