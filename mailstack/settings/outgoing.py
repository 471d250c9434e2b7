"""The settings of TLS on the way to other servers, beside ``mail_smtp_tls_policy``."""

from pydantic import Field

from mailstack.settings.types import MailboxAddress, Model


class OutgoingSettings(Model):
    """TLS to other servers."""

    mail_smtp_mta_sts: bool = Field(
        default=True,
        description="Whether mail to other servers goes by the policies that their domains publish "
        "(MTA-STS, RFC 8461): a trusted certificate, or mail waits. `mail_smtp_tls_policy` and DANE win. It "
        "needs `mail_resolver`, and is not asked with `mail_relayhost`. See `docs/outgoing-tls.md`.",
    )
    mail_smtp_tls_reports: bool = Field(
        default=False,
        description="Whether domains that ask for it get a report each day of how this server reached theirs "
        "by TLS (TLSRPT, RFC 8460). It needs Debian 13.",
    )
    mail_tls_reports_to: MailboxAddress | None = Field(
        default=None,
        description="The address to which other servers report each day how they reached this one by TLS "
        "(TLSRPT, RFC 8460). By default `postmaster` of each domain.",
    )
