"""The IP versions that a host's daemons use, and the addresses on which they listen. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.settings.postfix_types import IP_VERSIONS, ip_version

if TYPE_CHECKING:
    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings

_EVERYWHERE = {4: "*", 6: "::"}
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def problem(settings: Settings, platform: Platform) -> str | None:
    """Return an error if no daemon could listen because the kernel has no IPv6, or ``None``."""
    if not versions(settings, platform):
        return "mail_inet_protocols = 'ipv6': the kernel of this host has no IPv6; allowed: 'all' or 'ipv4'"
    if not dovecot(settings, platform):
        given = ", ".join(settings.mail_inet_interfaces)
        return f"mail_inet_interfaces: {given}: this host has no such IPv6 address; allowed: an IPv4 address"
    return None


def protocols(settings: Settings, platform: Platform) -> str:
    """Return Postfix's ``inet_protocols``.

    Without IPv6 in the kernel, ``all`` works too, but each process of Postfix logs a warning when it starts.
    """
    return settings.mail_inet_protocols if 6 in versions(settings, platform) else "ipv4"


def interfaces(settings: Settings, platform: Platform) -> list[str]:
    """Return Postfix's ``inet_interfaces``: those of the settings with a usable IP version."""
    usable = versions(settings, platform)
    return [name for name in settings.mail_inet_interfaces if ip_version(name) in (None, *usable)]


def dovecot(settings: Settings, platform: Platform) -> list[str]:
    """Return Dovecot's ``listen``, without addresses that the kernel lacks, as Dovecot would not start."""
    usable = versions(settings, platform)
    if settings.mail_inet_interfaces == ("all",):
        return [_EVERYWHERE[version] for version in usable]
    if settings.mail_inet_interfaces == ("loopback-only",):
        return [_LOOPBACK[version] for version in usable if version == 4 or platform.ipv6_loopback]
    return [settings.expanded(name).strip("[]") for name in interfaces(settings, platform)]


def versions(settings: Settings, platform: Platform) -> list[int]:
    """Return the versions of IP in use on this host."""
    admitted = IP_VERSIONS[settings.mail_inet_protocols]
    return [version for version in admitted if version == 4 or platform.ipv6]
