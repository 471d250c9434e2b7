"""The settings of the web server: where mail programs find their settings, and the policy of MTA-STS."""

from typing import Annotated, Literal

from pydantic import Field

from mailstack.settings.errors import Allowed
from mailstack.settings.types import DomainName, ListOf, Model


class WebSettings(Model):
    """The web server, and webmail."""

    mail_web: bool | None = Field(
        default=None,
        description="Whether a mail host has a small web server (nginx, ports 80 and 443), from which mail "
        "programs take their settings and other servers the policy of MTA-STS. Without a certificate that "
        "they trust, neither reads it; so by default it is on with `mail_acme`, and with `mail_webmail`. See "
        "`docs/web.md`.",
    )
    mail_webmail: bool = Field(
        default=False,
        description="Whether users read and write mail in a browser, at `https://MAIL_HOSTNAME/webmail/` "
        "(Roundcube), and change filters, passwords and app passwords. See `docs/webmail.md`.",
    )
    mail_mta_sts: Literal["enforce", "testing", "none"] = Field(
        default="testing",
        description="The policy of MTA-STS (RFC 8461) for the domains of this server: whether other servers "
        "send no mail without TLS and a valid certificate (`enforce`), send it anyway and report the fault "
        "(`testing`), or are told that there is no policy any more (`none`).",
    )
    mail_mta_sts_mx: Annotated[
        ListOf[DomainName], Allowed("a list of host names, such as the name of a backup MX")
    ] = Field(
        default=(),
        description="Further MX hosts of these domains. Beside `mail_hostname` the policy names them, as "
        "`enforce` forbids mail to any other.",
    )
