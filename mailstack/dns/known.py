"""Read what only the mail hosts and their database know of the DNS records.

If a server has several mail hosts, each has DKIM keys, addresses and a certificate of its own. A domain has
the keys of all, and a host's name what belongs to the hosts of that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationError

from mailstack import hosts
from mailstack.dns.domains import domains_of
from mailstack.dns.records import Known
from mailstack.facts.addresses import HOST_ADDRESSES, public
from mailstack.facts.dkim import RETIRED_KEYS, DkimKey, DkimKeys
from mailstack.facts.reading import read
from mailstack.facts.tlsa import TlsaRecords
from mailstack.operation import warn_once

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.settings import Settings
    from mailstack.topology import Node


def known_to(site: Site, named: Sequence[str]) -> Known:
    """Return what the reached mail hosts of this server know.

    + named: domains that are looked at too, although they may not be in the database yet

    Raises ``OperationError`` if the database is away, or another mail host can't be asked.
    """
    settings = site.settings
    database = read(domains_of(site))
    if database is None:
        raise OperationError(
            "the mail database does not answer; first deploy the mail server, or start its database server"
        )
    relayed = {*database.relayed, *(each.domain_name for each in settings.mail_relay_domains)}
    declared = [each.domain_name for each in settings.mail_domains]
    declared += [each.alias_domain for each in settings.mail_alias_domains]
    own = sorted({*database.local, *declared, *(set(named) - {settings.mail_hostname} - relayed)})
    mail_hosts = {node: None if node == site.here else hosts.host_of(node) for node in _reached(site)}
    named_alike = [mail_hosts[node] for node in _named_alike(site) if node in mail_hosts]
    addresses = settings.mail_dns_addresses or dict.fromkeys(
        each for host in named_alike for each in public(read(HOST_ADDRESSES, host))
    )
    tlsa = {
        key.data
        for host in named_alike
        for name, key in read(TlsaRecords.of(), host).items()
        if _is_used(name, settings)
    }
    found = {node.name: read(DkimKeys.of(), host) for node, host in mail_hosts.items()}
    retired = {name for host in mail_hosts.values() for name in read(RETIRED_KEYS, host)}
    return Known(
        own,
        sorted(relayed),
        tuple(addresses),
        together(found),
        sorted(tlsa),
        sorted(retired.difference(*found.values())),
        _other_names(site),
    )


def unreached(site: Site) -> list[str]:
    """Return the names of the server's mail hosts that are not in the run: what they know is missing."""
    several = site.backends.mail_hosts if site.backends else ()
    reached = _reached(site)
    return [node.name for node in several if node not in reached]


def unreached_of_name(site: Site) -> list[str]:
    """Return the names of the mail hosts not in the run to which the current one's own name leads too."""
    reached = _reached(site)
    return [node.name for node in _named_alike(site) if node not in reached]


def together(found: Mapping[str, Mapping[str, DkimKey]]) -> dict[str, DkimKey]:
    """Return the keys of several hosts by the names of their records, without those that differ.

    + found: the keys of each host, by its name
    """
    first: dict[str, str] = {}
    differ: dict[str, None] = {}
    for host, keys in found.items():
        for name, key in keys.items():
            other = first.setdefault(name, host)
            if key.data != found[other][name].data:
                differ[name] = None
                warn_once(
                    f"{name} is one key on {other} and another on {host}, so that it is left alone: "
                    "mailstack.dkim.publish makes keys of different names, to switch to once the DNS has them"
                )
    return {name: found[host][name] for name, host in first.items() if name not in differ}


def _reached(site: Site) -> list[Node]:
    """Return the mail hosts of the server that are in the run; the current one is."""
    if site.backends is None:
        return [site.here]
    reached = {site.here.name, *site.topology.reached}
    return [node for node in site.backends.mail_hosts if node.name in reached]


def _named_alike(site: Site) -> list[Node]:
    """Return the hosts to which the name of the current one leads: of several with one name, those in mx."""
    if site.backends is None:
        return [site.here]
    alike = [node for node in site.backends.mail_hosts if node.hostname == site.here.hostname]
    return [node for node in alike if node.has_role("mx")] or alike


def _other_names(site: Site) -> list[str]:
    """Return the names of the server's mail hosts without that of the current one."""
    several = site.backends.mail_hosts if site.backends else ()
    found = {str(node.hostname).lower() for node in several if node.hostname}
    return sorted(found - {site.settings.mail_hostname})


def _is_used(key: str, settings: Settings) -> bool:
    """Return whether a key of ``TlsaRecords`` belongs into the DNS: files of other settings may be there."""
    if key.endswith("-rsa") and not settings.mail_acme_rsa:
        return False
    return not key.startswith("next") or settings.mail_tls_certificate is None
