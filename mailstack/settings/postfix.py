"""The settings of Postfix, each named after its ``main.cf`` parameter with ``mail_`` in front."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mailstack.settings.engines import MapType
from mailstack.settings.errors import Allowed
from mailstack.settings.postfix_master import MasterService, Parameters
from mailstack.settings.postfix_relays import SenderRelays
from mailstack.settings.postfix_types import (
    IP_VERSIONS,
    Interfaces,
    Items,
    LocalAliases,
    Networks,
    Origin,
    RelayHost,
    RelayUser,
    Restrictions,
    Tables,
    TlsPolicies,
    Transports,
    Virtual,
    ip_version,
)
from mailstack.settings.types import ListOf, Model, Password, as_model, no_duplicates


def _check_services(services: tuple[MasterService, ...]) -> tuple[MasterService, ...]:
    no_duplicates("the service", [f"{service.name} {service.type}" for service in services])
    return services


class PostfixSettings(Model):
    """Postfix."""

    mail_myorigin: Origin = Field(
        default="$myhostname", description="The domain that mail from the host itself appears to come from."
    )
    mail_mydestination: Items = Field(
        default=("$myhostname", "localhost"),
        description="The domains whose addresses are system users. Never one of `mail_domains`.",
    )
    mail_inet_interfaces: Interfaces = Field(
        default=("all",), description="The addresses that Postfix and Dovecot listen on."
    )
    mail_inet_protocols: Literal["all", "ipv4", "ipv6"] = Field(
        default="all",
        description="The IP versions that Postfix uses, and on which all daemons listen. `all` omits a "
        "version that the kernel lacks.",
    )
    mail_mynetworks: Networks = Field(
        default=("127.0.0.0/8", "[::1]/128"), description="Networks that may relay mail without logging in."
    )
    mail_trusted_forwarders: Networks = Field(
        default=(),
        description="Hosts that may use this server's domains as envelope sender without logging in, because "
        "they forward its users' mail back to it. They may not relay.",
    )
    mail_smtpd_relay_restrictions: Restrictions = Field(
        default=("permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination"),
        description="Which clients may relay. `defer_unauth_destination` answers with 4xx, so clients retry "
        "for days.",
    )
    mail_virtual_mailbox_domains: Tables | None = Field(
        default=None,
        description="Tables of the domains that have mailboxes. Without it, those of the database.",
    )
    mail_virtual_mailbox_maps: Tables | None = Field(
        default=None, description="Tables of the mailboxes. Without it, those of the database."
    )
    mail_virtual_alias_maps: Tables | None = Field(
        default=None, description="Tables of the aliases. Without it, `mail_virtual`, then the database."
    )
    mail_map_type: MapType | None = Field(
        default=None,
        description="How Postfix queries the database; without it `proxy:pgsql`, or `proxy:mysql` for "
        "MariaDB. With `pgsql` or `mysql` every process has its own connection, and under load they exhaust "
        "the server's limit.",
    )
    mail_message_size_limit: Annotated[
        int, Field(ge=65536, le=2**31 - 1), Allowed("bytes, 65536 (RFC 5321 4.5.3.1.7) to 2147483647")
    ] = Field(
        default=52428800,
        description="The largest message, in bytes, with its envelope and the headers that Postfix adds.",
    )
    mail_relayhost: RelayHost = Field(
        default="", description="The server that takes all mail to other servers. Brackets: no MX lookup."
    )
    mail_relayhost_user: RelayUser | None = Field(
        default=None, description="The login name at `mail_relayhost`."
    )
    mail_relayhost_password: Password | None = Field(default=None, description="The password of that login.")
    mail_sender_relayhosts: SenderRelays = Field(
        default={},
        description="Relay hosts for the mail of some senders to other servers, each with its own login. "
        "With a password, mail goes over TLS or stays in the queue.",
    )
    mail_smtp_tls_policy: TlsPolicies = Field(
        default={},
        description="TLS security level required per destination. `may`: TLS if the destination offers it. "
        "`encrypt`: TLS is required. `verify`, `secure`: also a certificate that the host trusts. `dane`: "
        "the certificate that the destination's DNS has, if it is signed and has one. Other destinations "
        "get `dane` with `mail_resolver`, else `may`; with `mail_relayhost`, that host gets `may`.",
    )
    mail_transport: Transports = Field(
        default={},
        description="The static table transport(5): transport and next hop of a domain or an address.",
    )
    mail_virtual: Virtual = Field(
        default={}, description="The static table virtual(5), asked before the database."
    )
    mail_local_aliases: LocalAliases = Field(
        default={},
        description="Entries of `/etc/aliases`, aliases(5), for mail to the host's system users. They "
        "override existing entries of the same name. Without an entry for `postmaster`, its mail goes to "
        "`root`.",
    )
    mail_postfix_main: Parameters = Field(
        default={},
        description="Further parameters of `main.cf`, checked against those that Postfix has. They override "
        "settings with a name of their own.",
    )
    mail_postfix_master: Annotated[
        ListOf[Annotated[MasterService, as_model(MasterService)]],
        AfterValidator(_check_services),
        Allowed("a list of dictionaries (see MasterService)"),
    ] = Field(
        default=(),
        description="Services of `master.cf`. A service with the name and type of a built-in one replaces "
        "it.",
    )

    @model_validator(mode="after")
    def _listens_somewhere(self) -> Self:
        admitted = (None, *IP_VERSIONS[self.mail_inet_protocols])
        if not any(ip_version(interface) in admitted for interface in self.mail_inet_interfaces):
            raise ValueError(
                f"mail_inet_interfaces: {self.mail_inet_interfaces[0]!r} is impossible with "
                f"mail_inet_protocols {self.mail_inet_protocols!r}; allowed: an address of that version of IP"
            )
        return self

    @model_validator(mode="after")
    def _possible_relayhost(self) -> Self:
        credentials = (self.mail_relayhost_user, self.mail_relayhost_password)
        if (credentials[0] is None) != (credentials[1] is None):
            raise ValueError("mail_relayhost_user and mail_relayhost_password: give both or neither")
        if credentials[0] is not None and not self.mail_relayhost:
            raise ValueError("mail_relayhost_user: needs a mail_relayhost")
        return self
