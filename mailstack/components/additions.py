"""Additions of components to the configuration of Postfix and Dovecot, merged in one place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from pyinfra.api.exceptions import OperationValueError

from mailstack.components.declarations import DovecotAddition, PostfixAddition

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.endpoint import Endpoint
    from mailstack.facts.platform import Platform

V = TypeVar("V")


QUEUE = "/var/spool/postfix"
"""The root of Postfix's services in their chroot, and the base of relative paths for the others."""


def at(link: Endpoint) -> str:
    """Return the address of another component's service for Postfix: ``unix:PATH`` or ``inet:HOST:PORT``."""
    if link.is_socket:
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
        _merged("Postfix parameter", {name: addition.parameters for name, addition in added.items()}),
        tuple(_merged("service of master.cf", services).values()),
        _in_order(addition.milters for addition in added.values()),
        _in_order(addition.recipient_checks for addition in added.values()),
    )


def dovecot(site: Site, platform: Platform) -> DovecotAddition:
    """Return the additions of all components of a host to Dovecot.

    Raises ``OperationValueError`` if two of them give one block different texts.
    """
    added = {each.name: each.dovecot(site, platform) for each in site.components}
    protocols = _in_order(addition.plugins for addition in added.values())
    return DovecotAddition(
        {
            protocol: _in_order(addition.plugins.get(protocol, ()) for addition in added.values())
            for protocol in protocols
        },
        _merged("block of Dovecot", {name: addition.blocks for name, addition in added.items()}),
    )


def _in_order(several: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in several for name in names))


def _merged(kind: str, by_component: Mapping[str, Mapping[str, V]]) -> dict[str, V]:
    merged: dict[str, V] = {}
    owners: dict[str, str] = {}
    for component, key, value in _each(by_component):
        if merged.setdefault(key, value) != value:
            raise OperationValueError(
                f"{kind} {key}: {owners[key]} wants {merged[key]!r} and {component} wants {value!r}; "
                "allowed: one of them"
            )
        owners.setdefault(key, component)
    return merged


def _each(by_component: Mapping[str, Mapping[str, V]]) -> Iterator[tuple[str, str, V]]:
    for component, values in by_component.items():
        yield from ((component, key, value) for key, value in values.items())
