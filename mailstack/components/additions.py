"""Additions of components to the configuration of Postfix and Dovecot, merged in one place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack.components.declarations import DovecotAddition, PostfixAddition
from mailstack.components.merge import in_order, merged

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.endpoint import Endpoint
    from mailstack.facts.platform import Platform

PROTOCOLS = ("", "imap", "lmtp", "pop3")
"""Of Dovecot, those that may have plugins of their own; the empty name is for all of them."""

QUEUE = "/var/spool/postfix"
"""The root of Postfix's services in their chroot, and the base of relative paths for the others."""


def at(link: Endpoint) -> str:
    """Return the address of another component's service for Postfix: ``unix:PATH`` or ``inet:HOST:PORT``."""
    if link.is_socket:
        if not link.host.startswith(f"{QUEUE}/"):
            raise OperationValueError(
                f"link {link.host}: Postfix, in its chroot, can't reach this socket; allowed: one below "
                f"{QUEUE}, or an address and port"
            )
        return f"unix:{link.host.removeprefix(f'{QUEUE}/')}"
    host = f"[{link.host}]" if ":" in link.host else link.host
    return f"inet:{host}:{link.port}"


def postfix(site: Site, platform: Platform) -> PostfixAddition:
    """Return the additions of all components of a host to Postfix.

    Raises ``OperationValueError`` if two of them give one parameter, or one service, different values.
    """
    added = {each.name: each.postfix(site, platform) for each in site.components}
    services = {
        name: {f"{service.name}/{service.type}": service for service in addition.services}
        for name, addition in added.items()
    }
    return PostfixAddition(
        merged("Postfix parameter", {name: addition.parameters for name, addition in added.items()}),
        tuple(merged("service of master.cf", services).values()),
        in_order(addition.milters for addition in added.values()),
        in_order(addition.recipient_checks for addition in added.values()),
        in_order(addition.sender_transports for addition in added.values()),
        in_order(addition.tls_policies for addition in added.values()),
        in_order(addition.quota_checks for addition in added.values()),
    )


def dovecot(site: Site, platform: Platform) -> DovecotAddition:
    """Return the additions of all components of a host to Dovecot.

    Raises ``OperationValueError`` if two of them give one block or script different texts, or one has plugins
    for a protocol that Dovecot does not have here.
    """
    added = {each.name: each.dovecot(site, platform) for each in site.components}
    for name, addition in added.items():
        if unknown := sorted(set(addition.plugins) - set(PROTOCOLS)):
            raise OperationValueError(
                f"plugins of Dovecot: {name} has some for {', '.join(unknown)}; allowed: "
                f"{', '.join(PROTOCOLS[1:])}, or the empty name for all protocols"
            )
    protocols = in_order(addition.plugins for addition in added.values())
    return DovecotAddition(
        {
            protocol: in_order(addition.plugins.get(protocol, ()) for addition in added.values())
            for protocol in protocols
        },
        merged("block of Dovecot", {name: addition.blocks for name, addition in added.items()}),
        merged("Sieve script", {name: addition.scripts for name, addition in added.items()}),
        in_order(addition.before for addition in added.values()),
    )
