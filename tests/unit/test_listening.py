"""The addresses of daemons, by the settings and by the kernel's IP versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailstack.components import listening
from mailstack.components.postfix_services import ports
from mailstack.facts.platform import RELEASES
from mailstack.settings import Settings, SettingsError
from mailstack.settings.postfix_master import MasterService

DUAL = RELEASES[1]
ROUTED = replace(DUAL, ipv6_loopback=False)
IPV4 = replace(DUAL, ipv6=False, ipv6_loopback=False)


def settings(**more: Any) -> Settings:
    return Settings(mail_hostname="mail.example.org", **more)


@pytest.mark.parametrize(
    ("interfaces", "platform", "protocols", "listen"),
    [
        (["all"], DUAL, "all", ["*", "::"]),
        (["all"], DUAL, "ipv4", ["*"]),
        (["all"], DUAL, "ipv6", ["::"]),
        (["all"], ROUTED, "all", ["*", "::"]),
        (["all"], IPV4, "all", ["*"]),
        (["loopback-only"], DUAL, "all", ["127.0.0.1", "::1"]),
        (["loopback-only"], ROUTED, "all", ["127.0.0.1"]),
        (["loopback-only"], IPV4, "all", ["127.0.0.1"]),
        (["loopback-only"], DUAL, "ipv6", ["::1"]),
        (["192.0.2.2", "[2001:db8::2]"], DUAL, "all", ["192.0.2.2", "2001:db8::2"]),
        (["192.0.2.2", "[2001:db8::2]"], DUAL, "ipv6", ["2001:db8::2"]),
        (["192.0.2.2", "2001:db8::2"], IPV4, "all", ["192.0.2.2"]),
        (["$myhostname", "127.0.0.1"], DUAL, "all", ["mail.example.org", "127.0.0.1"]),
    ],
)
def test_dovecot_listens_where_postfix_does(
    interfaces: list[str], platform: Any, protocols: str, listen: list[str]
) -> None:
    given = settings(mail_inet_interfaces=interfaces, mail_inet_protocols=protocols)
    assert listening.problem(given, platform) is None
    assert listening.dovecot(given, platform) == listen


def test_postfix_hears_of_no_ipv6_that_the_kernel_has_not() -> None:
    given = settings(mail_inet_interfaces=["192.0.2.2", "2001:db8::2"])
    assert (listening.protocols(given, IPV4), listening.interfaces(given, IPV4)) == ("ipv4", ["192.0.2.2"])
    assert listening.protocols(given, DUAL) == "all"
    assert listening.interfaces(given, DUAL) == ["192.0.2.2", "2001:db8::2"]


@pytest.mark.parametrize(
    ("more", "platform", "said"),
    [
        ({"mail_inet_protocols": "ipv6"}, IPV4, "mail_inet_protocols = 'ipv6': the kernel"),
        ({"mail_inet_interfaces": ["2001:db8::2"]}, IPV4, "mail_inet_interfaces: 2001:db8::2: this host"),
        (
            {"mail_inet_interfaces": ["loopback-only"], "mail_inet_protocols": "ipv6"},
            ROUTED,
            "mail_inet_interfaces: loopback-only: this host",
        ),
    ],
)
def test_addresses_that_a_host_does_not_have(more: dict[str, Any], platform: Any, said: str) -> None:
    assert said in str(listening.problem(settings(**more), platform))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mail_inet_interfaces": ["2001:db8::2"], "mail_inet_protocols": "ipv4"}, "mail_inet_interfaces"),
        ({"mail_inet_interfaces": ["192.0.2.2"], "mail_inet_protocols": "ipv6"}, "mail_inet_interfaces"),
        ({"mail_address": "2001:db8::2", "mail_inet_protocols": "ipv4"}, "mail_address"),
    ],
)
def test_addresses_of_a_version_that_is_not_used(more: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=f"{said}: '.*' is impossible with mail_inet_protocols"):
        settings(**more)


def test_ports_of_services_with_an_address() -> None:
    names = ("smtp", "127.0.0.1:10025", "[::1]:submission", "unknown", "192.0.2.1:unknown")
    services = [MasterService(name=name, type="inet", command="smtpd") for name in names]
    assert ports(services) == ("25", "10025", "587")
