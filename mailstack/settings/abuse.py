"""The settings against abuse, each named after its ``main.cf`` parameter with ``mail_`` in front."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.postfix_types import DnsLists, RestrictionList
from mailstack.settings.types import Model, without_effect

Rate = Annotated[int, Field(ge=0), Allowed("a number for each minute; 0 for no limit")]
Errors = Annotated[int, Field(ge=1), Allowed("a number, 1 or more")]
Seconds = Annotated[int, Field(ge=1, le=60), Allowed("seconds, 1 to 60")]


class AbuseSettings(Model):
    """Against abuse."""

    mail_smtpd_helo_restrictions: Annotated[
        RestrictionList, Allowed("a list of restrictions of postconf(5), read from left to right")
    ] = Field(
        default=("permit_mynetworks", "reject_invalid_helo_hostname", "reject_non_fqdn_helo_hostname"),
        description="Restrictions on the HELO name of a client on port 25. Ports 587 and 465 have none.",
    )
    mail_smtpd_client_connection_rate_limit: Rate = Field(
        default=600,
        description="Connections that one client may make to one service in a minute; further ones get 421. "
        "`mail_mynetworks` is exempt from all limits for clients.",
    )
    mail_smtpd_client_connection_count_limit: Annotated[
        int, Field(ge=0), Allowed("a number; 0 for no limit")
    ] = Field(default=50, description="Connections that one client may have at once.")
    mail_smtpd_client_message_rate_limit: Rate = Field(
        default=1200, description="Messages that one client may send in a minute; further ones get 450."
    )
    mail_smtpd_client_recipient_rate_limit: Rate = Field(
        default=6000, description="Recipients that one client may name in a minute; further ones get 450."
    )
    mail_smtpd_client_auth_rate_limit: Rate = Field(
        default=120, description="Logins that one client may try in a minute; further ones get 450."
    )
    mail_smtpd_soft_error_limit: Errors = Field(
        default=10, description="Errors in one session after which each reply is delayed by a second."
    )
    mail_smtpd_hard_error_limit: Errors = Field(
        default=20, description="Errors in one session after which Postfix ends it with 421."
    )
    mail_hide_client_address: bool = Field(
        default=True,
        description="Whether `Received` omits the host name and IP address of a client that logged in.",
    )
    mail_postscreen: bool = Field(
        default=False,
        description="Whether postscreen(8) answers on port 25. It makes a new client wait for the greeting, "
        "and refuses a client that speaks first.",
    )
    mail_postscreen_greet_wait: Seconds = Field(
        default=6, description="Time that a new client waits for the greeting, in seconds."
    )
    mail_postscreen_dnsbl_sites: DnsLists = Field(
        default=(),
        description="DNS lists that postscreen asks about a new client; needs `mail_postscreen`. A list that "
        "does not answer has no effect.",
    )
    mail_postscreen_dnsbl_threshold: Annotated[int, Field(ge=1), Allowed("a number, 1 or more")] = Field(
        default=1, description="The sum of the lists' weights at which a client is refused."
    )
    mail_postscreen_deep_tests: bool = Field(
        default=False,
        description="Whether postscreen also tests the SMTP dialogue of a new client; needs "
        "`mail_postscreen`. A client that passes must connect again, so its first mail is delayed.",
    )

    @model_validator(mode="after")
    def _possible_limits(self) -> Self:
        if self.mail_smtpd_soft_error_limit > self.mail_smtpd_hard_error_limit:
            raise ValueError("mail_smtpd_soft_error_limit: is more than mail_smtpd_hard_error_limit")
        names = [name for name in AbuseSettings.model_fields if name.startswith("mail_postscreen")]
        without_effect(self, "mail_postscreen", names)
        return self
