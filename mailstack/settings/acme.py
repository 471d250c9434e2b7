"""The settings of certificates from a CA, by ACME (RFC 8555)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import Model, matching, without_effect

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class AcmeSettings(Model):
    """Certificates from a CA."""

    mail_acme: bool = Field(
        default=False,
        description="Whether the host gets its certificates from a CA by ACME (RFC 8555), with certbot, and "
        "renews them: for `mail_hostname`, and for the names of each mail domain. True agrees to the terms "
        "of that CA, and needs `mail_acme_email`. See `docs/certificates.md`.",
    )
    mail_acme_email: (
        Annotated[
            str,
            matching(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+"),
            Allowed("an address such as `admin@example.org`"),
        ]
        | None
    ) = Field(
        default=None,
        description="The address at which the CA reaches you. Best one that does not need this server.",
    )
    mail_acme_server: Annotated[
        str,
        matching(r"https://[A-Za-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9._/-]*"),
        Allowed(
            "the URL of a directory of ACME, such as `https://acme-staging-v02.api.letsencrypt.org/directory`"
        ),
    ] = Field(default=LETS_ENCRYPT, description="The CA. By default Let's Encrypt.")
    mail_acme_challenge: Literal["http-01", "dns-01"] = Field(
        default="http-01",
        description="How the CA finds out that the names are yours: by a file on port 80 (`http-01`), or by "
        "a record in the DNS (`dns-01`), which needs `mail_dns_server` and its key.",
    )
    mail_acme_propagation: Annotated[int, Field(ge=0, le=3600), Allowed("seconds, up to 3600")] = Field(
        default=60,
        description="With `dns-01`, the seconds until all name servers have a record.",
    )
    mail_acme_rsa: bool = Field(
        default=False,
        description="Whether there is a certificate with an RSA key beside that with ECDSA, for mail "
        "programs and servers of before about 2015. Each client gets the one that it knows.",
    )

    @model_validator(mode="after")
    def _acme_complete(self) -> Self:
        without_effect(self, "mail_acme", AcmeSettings.model_fields)
        if self.mail_acme and self.mail_acme_email is None:
            raise ValueError("mail_acme_email: is required with mail_acme = True")
        if self.mail_acme_propagation != 60 and self.mail_acme_challenge != "dns-01":
            raise ValueError("mail_acme_propagation: needs mail_acme_challenge = 'dns-01'")
        return self
