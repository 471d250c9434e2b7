"""All settings: one frozen model, each field named as in the inventory.

``Settings(mail_hostname="mail.example.org", mail_domains=["example.org"])`` is a correct server. A misspelt
name or an impossible value raises ``SettingsError``, an ``OperationValueError``, before any host is touched.
``docs/settings.md`` is made from this model by ``python -m mailstack.settings.reference``.
"""

import datetime
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self, Unpack, cast

from pydantic import model_validator

from mailstack.settings.abuse import AbuseSettings
from mailstack.settings.accounts import AccountSettings, Alias, AppPassword, User
from mailstack.settings.acme import AcmeSettings
from mailstack.settings.backup import BackupSettings
from mailstack.settings.clamav import ClamavSettings
from mailstack.settings.database import DatabaseSettings
from mailstack.settings.dns import DnsSettings
from mailstack.settings.domains import AliasDomain, Domain, RelayDomain
from mailstack.settings.dovecot import DovecotSettings
from mailstack.settings.errors import SettingsError, nearest
from mailstack.settings.fail2ban import Fail2banSettings
from mailstack.settings.firewall import FirewallPort, FirewallSettings
from mailstack.settings.general import GeneralSettings
from mailstack.settings.metrics import MetricsSettings
from mailstack.settings.outgoing import OutgoingSettings
from mailstack.settings.postfix import PostfixSettings
from mailstack.settings.postfix_master import MasterService
from mailstack.settings.postfix_parameters import (
    bad_values,
    built_in,
    transport_parameters,
    transports,
    unknown_parameters,
)
from mailstack.settings.postfix_types import IP_VERSIONS, ip_version
from mailstack.settings.resolver import ResolverSettings
from mailstack.settings.rspamd import RspamdSettings
from mailstack.settings.sieve import SieveSettings
from mailstack.settings.tls import TlsSettings, check_certificate
from mailstack.settings.types import PLACEHOLDER, has_placeholder, without_effect
from mailstack.settings.verify import VerifySettings
from mailstack.settings.web import WebSettings

if TYPE_CHECKING:
    from pyinfra.api.host import HostData

    from mailstack.settings.given import GivenSettings

__all__ = [
    "Alias",
    "AliasDomain",
    "AppPassword",
    "Domain",
    "FirewallPort",
    "MasterService",
    "RelayDomain",
    "Settings",
    "SettingsError",
    "User",
]


class Settings(
    BackupSettings,
    FirewallSettings,
    MetricsSettings,
    VerifySettings,
    WebSettings,
    RspamdSettings,
    ClamavSettings,
    DnsSettings,
    ResolverSettings,
    SieveSettings,
    DovecotSettings,
    AbuseSettings,
    Fail2banSettings,
    OutgoingSettings,
    PostfixSettings,
    AcmeSettings,
    TlsSettings,
    DatabaseSettings,
    AccountSettings,
    GeneralSettings,
):
    """All settings of one mail server."""

    if TYPE_CHECKING:  # an inventory may give other types than the model stores: a list for a tuple

        def __init__(self, **data: Unpack[GivenSettings]) -> None: ...

    @classmethod
    def from_data(cls, data: "Mapping[str, object] | HostData") -> Self:
        """Return the settings among a host's data: every key that starts with ``mail_``.

        + data: ``host.data``, or a dictionary; other keys are ignored

        Raises ``SettingsError`` that lists every problem with the setting's name, and names the host if
        ``data`` is ``host.data``.
        """
        every, name = (
            (data, None) if isinstance(data, Mapping) else (data.dict(), data.host.name)  # type: ignore[no-untyped-call]
        )
        given = {key: value for key, value in every.items() if key.startswith("mail_")}
        try:
            return cls(**cast("GivenSettings", given))
        except SettingsError as error:
            raise SettingsError(error.problems, name) from None

    @model_validator(mode="before")
    @classmethod
    def _no_placeholders(cls, data: Mapping[str, object]) -> Mapping[str, object]:
        if found := [name for name, value in data.items() if has_placeholder(value)]:
            raise ValueError(f"{found[0]}: has the text {PLACEHOLDER!r}; allowed: any other")
        return data

    @model_validator(mode="after")
    def _hostname_covered(self) -> Self:
        if self.tls_certificate_pem is not None:
            check_certificate(
                self.tls_certificate_pem, self.mail_hostname, datetime.datetime.now(datetime.UTC)
            )
        return self

    @model_validator(mode="after")
    def _one_source_of_the_certificate(self) -> Self:
        if self.mail_acme and self.mail_tls_certificate is not None:
            raise ValueError("mail_acme: is impossible with mail_tls_certificate; allowed: one of both")
        if self.mail_acme and self.mail_acme_challenge == "http-01" and self.mail_web is False:
            raise ValueError("mail_acme_challenge: 'http-01' needs mail_web; allowed: 'dns-01'")
        if self.mail_acme_challenge == "dns-01" and self.mail_dns_server is None:
            raise ValueError("mail_acme_challenge: 'dns-01' needs mail_dns_server")
        return self

    @property
    def map_type(self) -> str:
        """``mail_map_type``, or its default."""
        return self.mail_map_type or f"proxy:{self.db_driver}"

    @model_validator(mode="after")
    def _socket_reachable(self) -> Self:
        driver = self.db_driver
        if self.map_type not in (driver, f"proxy:{driver}"):
            raise ValueError(
                f"mail_map_type: {self.map_type!r} is impossible with mail_db_engine "
                f"{self.mail_db_engine!r}; allowed: 'proxy:{driver}' or '{driver}'"
            )
        if self.map_type == driver and self.mail_db_auth == "peer":
            raise ValueError(
                f"mail_map_type: {driver!r} is impossible with mail_db_auth 'peer': smtpd(8) in its chroot "
                f"has no socket of the database; allowed: 'proxy:{driver}'"
            )
        return self

    @model_validator(mode="after")
    def _upgrade_role_can_connect(self) -> Self:
        missing = self.mail_db_dsn is not None and self.mail_db_upgrade_password is None
        if missing and self.mail_password_upgrade:
            raise ValueError(
                "mail_db_upgrade_password: is required when mail_db_dsn and mail_password_upgrade are set"
            )
        if self.mail_db_dsn is not None and self.mail_db_webmail_password is None and self.mail_webmail:
            raise ValueError(
                "mail_db_webmail_password: is required when mail_db_dsn and mail_webmail are set"
            )
        return self

    @model_validator(mode="after")
    def _reached_by_a_version_in_use(self) -> Self:
        protocols = self.mail_inet_protocols
        if self.mail_address is not None and ip_version(self.mail_address) not in IP_VERSIONS[protocols]:
            raise ValueError(
                f"mail_address: {self.mail_address!r} is impossible with mail_inet_protocols {protocols!r}; "
                "allowed: an address of that version of IP"
            )
        return self

    @model_validator(mode="after")
    def _one_class_a_domain(self) -> Self:
        """Check that each domain has one address class (ADDRESS_CLASS_README); else its mailboxes are 550."""
        local = {domain.domain_name for domain in self.mail_domains}
        others = {alias.alias_domain for alias in self.mail_alias_domains}
        if both := sorted(local & others):
            raise ValueError(f"mail_alias_domains: {both[0]!r} is one of mail_domains too")
        local |= others
        relayed = {domain.domain_name for domain in self.mail_relay_domains}
        if both := sorted(local & relayed):
            raise ValueError(f"mail_relay_domains: {both[0]!r} is one of mail_domains too")
        for item in self.mail_mydestination:
            for setting, names in (("mail_domains", local), ("mail_relay_domains", relayed)):
                if (name := self.expanded(item)) in names:
                    raise ValueError(
                        f"mail_mydestination: {item!r} is {name!r}, which is one of {setting} too; take it "
                        "out of one of them"
                    )
        return self

    @property
    def local_domains(self) -> tuple[str, ...]:
        """The domains of ``mail_mydestination``, without those in its tables."""
        names = (self.expanded(item) for item in self.mail_mydestination)
        return tuple(name for name in names if re.fullmatch("[a-z0-9.-]+", name))

    def expanded(self, item: str) -> str:
        """Return ``item`` with ``$myhostname`` and ``$mydomain`` replaced, in any of Postfix's spellings."""
        names = {"myhostname": self.mail_hostname, "mydomain": self.domain}
        return re.sub(r"[$][{(]?(\w+)[)}]?", lambda match: names.get(match[1], match[0]), item).lower()

    @model_validator(mode="after")
    def _one_next_hop(self) -> Self:
        for domain in self.mail_relay_domains:
            if domain.next_hop is not None and domain.domain_name in self.mail_transport:
                raise ValueError(
                    f"mail_transport: {domain.domain_name!r} has a next_hop in mail_relay_domains too"
                )
        return self

    @model_validator(mode="after")
    def _users_served(self) -> Self:
        for user in self.mail_users:
            if user.detail_folders and not self.mail_sieve:
                raise ValueError(f"mail_users: detail_folders of {user.email} needs mail_sieve")
            limits = [name for name in User.model_fields if name.endswith("_limit") and getattr(user, name)]
            if limits and not self.mail_rspamd:
                raise ValueError(f"mail_users: {limits[0]} of {user.email} needs mail_rspamd")
        return self

    @property
    def serves_web(self) -> bool:
        """Whether a mail host has a web server: by default with certificates that programs trust."""
        return self.mail_acme or self.mail_webmail if self.mail_web is None else self.mail_web

    @model_validator(mode="after")
    def _web_served(self) -> Self:
        if self.mail_webmail and not self.serves_web:
            raise ValueError("mail_webmail: needs mail_web; allowed: mail_web = True, or leave mail_web out")
        for name in ("mail_mta_sts", "mail_mta_sts_mx"):
            if not self.serves_web and getattr(self, name) != WebSettings.model_fields[name].default:
                raise ValueError(f"{name}: needs mail_web = True")
        return self

    @model_validator(mode="after")
    def _messages_scanned(self) -> Self:
        without_effect(self, "mail_rspamd", ["mail_antivirus"])
        return self

    @model_validator(mode="after")
    def _known_to_postfix(self) -> Self:
        known = transports(self)
        for pattern, target in self.mail_transport.items():
            transport = target.partition(":")[0]
            if transport and transport not in known:
                raise ValueError(
                    f"mail_transport: {pattern!r}: master.cf has no service {transport!r}"
                    + nearest(transport, known)
                )
        if unknown := unknown_parameters(self):
            names = built_in() | transport_parameters(known)
            setting = "mail_postfix_main" if unknown[0] in self.mail_postfix_main else "mail_postfix_master"
            raise ValueError(
                f"{setting}: Postfix has no parameter {unknown[0]!r}{nearest(unknown[0], names)}; allowed: a "
                "parameter of postconf(5), or a name that another value refers to as $name"
            )
        if wrong := bad_values(self):
            raise ValueError("; ".join(wrong))
        return self
