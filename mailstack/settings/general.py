"""Settings of the host itself."""

from pydantic import Field

from mailstack.settings.types import DomainName, IpAddress, LocalNameOrAddress, Model


class GeneralSettings(Model):
    """General."""

    mail_hostname: DomainName = Field(
        description="The server's own name, which its clients and its MX record use (Postfix `myhostname`)."
    )
    mail_domain: DomainName | None = Field(
        default=None, description="Postfix `mydomain`. Without it, `mail_hostname` without its first label."
    )
    mail_address: IpAddress | None = Field(
        None,
        description="The address by which the other hosts of the inventory reach this one. Required if the "
        "database (group `db`) and the mail server (groups `mx` and `imap`) are on two hosts.",
    )
    mail_postmaster: LocalNameOrAddress = Field(
        default="root", description="The recipient of mail to `postmaster` at every domain."
    )
    mail_hardening: bool = Field(
        default=False,
        description="Whether systemd takes rights from services that they do not need. See "
        "`docs/hardening.md`.",
    )

    @property
    def domain(self) -> str:
        """``mydomain``: as given, or derived from ``mail_hostname`` (that itself if it has two labels)."""
        parent = self.mail_hostname.partition(".")[2]
        return self.mail_domain or (parent if "." in parent else self.mail_hostname)
