"""The settings of rspamd: signatures, checks of what comes in, and the spam filter."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mailstack import addresses
from mailstack.settings.errors import Allowed
from mailstack.settings.postfix_types import Networks
from mailstack.settings.types import (
    DomainName,
    ListOf,
    MailboxAddress,
    Messages,
    Model,
    each,
    matching,
    without_effect,
)


def _sender(text: str) -> str:
    return addresses.address_key(text) if "@" in text else addresses.domain_name(text)


Senders = Annotated[
    ListOf[str],
    each(_sender),
    Allowed("a list of addresses and of domains, which stand for those below them too"),
]


class RspamdSettings(Model):
    """Signatures and spam."""

    mail_rspamd: bool = Field(
        default=True,
        description="Whether rspamd signs the mail of this server's domains (DKIM, RFC 6376), checks mail "
        "from strangers (SPF, DKIM, DMARC, ARC), and filters spam. While it does not run, mail waits.",
    )
    mail_trusted_sealers: Annotated[
        ListOf[DomainName], Allowed("a list of domains, such as the `mail_hostname` of another server")
    ] = Field(
        default=(),
        description="Forwarders whose seals (ARC, RFC 8617) are believed: a message that passed DMARC there "
        "is not refused here. They could claim anything.",
    )
    mail_dmarc_policy: Literal["none", "quarantine", "reject"] = Field(
        default="quarantine",
        description="What receivers should do with mail in the name of a domain of this server, or of one "
        "below it, that it did not send (DMARC, RFC 7489): nothing, file it as spam, or refuse it.",
    )
    mail_dmarc_reports_to: MailboxAddress | None = Field(
        default=None,
        description="The address to which receivers report each day what came in the name of the domains. By "
        "default `postmaster` of each domain.",
    )
    mail_dmarc_reports: bool = Field(
        default=False,
        description="Whether the domains of senders that ask for it get a report each day of the mail that "
        "came in their name (DMARC, RFC 7489).",
    )
    mail_srs: bool = Field(
        default=True,
        description="Whether forwarded mail of other domains gets an envelope sender of this host (SRS), so "
        "that SPF passes at the next server. A bounce to it goes back to the original sender.",
    )
    mail_dkim_ed25519: bool = Field(
        default=True,
        description="Whether mail gets a second signature, by an Ed25519 key (RFC 8463). Receivers that do "
        "not know the algorithm go by the RSA signature.",
    )
    mail_spam_training: Literal["server", "user"] = Field(
        default="server",
        description="Whether a message that a user moves to or from Junk trains the filter for all users "
        "(`server`), or for that user alone.",
    )
    mail_spam_blocked_senders: Senders = Field(
        default=(),
        description="Senders whose mail is refused with 554, in the envelope or in `From`. Users of this "
        "server are not meant.",
    )
    mail_spam_allowed_senders: Senders = Field(
        default=(),
        description="Senders whose mail is not filtered, by the address in `From`, for which SPF or DKIM has "
        "to pass. A block wins.",
    )
    mail_spam_blocked_networks: Networks = Field(
        default=(), description="Networks from which mail is refused with 554, unless a user logs in."
    )
    mail_spam_allowed_networks: Networks = Field(
        default=(),
        description="Networks whose mail is not filtered, whatever its sender. They may not relay: see "
        "`mail_mynetworks`.",
    )
    mail_forbidden_attachments: Annotated[
        ListOf[Annotated[str, matching("[a-z0-9_-]{1,32}")]],
        Allowed("a list of extensions of file names, in lower case and without a dot, such as `exe`"),
    ] = Field(
        default=(),
        description="Mail with an attachment of this kind, also in an archive, is refused with 554.",
    )
    mail_encrypted_archives: bool = Field(
        default=True,
        description="Whether archives with a password are accepted. Otherwise such mail is refused with 554.",
    )
    mail_own_from_only: bool = Field(
        default=False,
        description="Whether a message of a user is refused with 554 if `From` has another address than the "
        "envelope sender, which is always one of the user's own. Then users can't resend the messages of "
        "others, or write in the name of another with `Sender`.",
    )
    mail_user_message_rate_limit: Messages = Field(
        default=300,
        description="Messages that a user may send in an hour, unless it has a `message_rate_limit` of its "
        "own; further ones get 451. All limits of users need `mail_rspamd`.",
    )
    mail_user_recipient_rate_limit: Messages = Field(
        default=1000, description="The same for recipients: a message to ten recipients counts as ten."
    )
    mail_user_message_daily_limit: Messages = Field(
        default=1000, description="Messages that a user may send in a day."
    )
    mail_user_recipient_daily_limit: Messages = Field(default=2000, description="The same for recipients.")

    @model_validator(mode="after")
    def _filter_runs(self) -> Self:
        names = [name for name in RspamdSettings.model_fields if name != "mail_srs"]
        without_effect(self, "mail_rspamd", names)
        return self
