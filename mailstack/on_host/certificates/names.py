"""What the DNS says of the names in a certificate, before the CA is asked."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from .files import FailureError, run


def own_addresses() -> set[str]:
    """Return the addresses of this host, without those that only it can use."""
    listed = json.loads(run("ip", "-json", "address").stdout or "[]")
    found = [ipaddress.ip_address(each["local"]) for link in listed for each in link.get("addr_info", [])]
    return {str(address) for address in found if not address.is_loopback and not address.is_link_local}


class Names:
    """What the DNS says of names, asked once."""

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        import dns.resolver

        self._resolver = dns.resolver.Resolver(configure=False)
        if configuration["resolver"]:
            self._resolver.nameservers = [configuration["resolver"]]
        else:
            with contextlib.suppress(dns.resolver.NoResolverConfiguration):  # then it gives no answer
                self._resolver.read_resolv_conf("/etc/resolv.conf")
        self._resolver.lifetime = 10
        self._resolver.cache = dns.resolver.Cache()
        self._by_http = configuration["challenge"] == "http-01"
        self._hostname = configuration["hostname"]
        self._given = set(configuration["addresses"])
        self._unanswered = 0

    def addresses(self, name: str) -> set[str]:
        """Return the addresses of a name. Raises ``FailureError`` if the DNS does not answer."""
        import dns.exception
        import dns.resolver

        if self._unanswered > 1:
            raise FailureError("the DNS gives no answer")  # others would wait as long, one after the other
        found: set[str] = set()
        for kind in ("A", "AAAA"):
            try:
                found |= {each.address for each in self._resolver.resolve(f"{name}.", kind)}
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                continue
            except dns.exception.DNSException as error:
                self._unanswered += isinstance(error, dns.exception.Timeout)
                raise FailureError(f"the DNS gives no answer ({type(error).__name__})") from None
        return found

    def problem(self, name: str) -> str | None:
        """Return why the CA could not find this host by that name, or ``None``."""
        try:
            found = self.addresses(name)
            if not found:
                return "has no address in the DNS"
            if foreign := sorted(found - self._reached_by()) if self._by_http else []:
                return f"has the address {foreign[0]}, which is not one of this host"
        except FailureError as failure:
            return str(failure)
        return None

    def _reached_by(self) -> set[str]:
        """Return the addresses by which others reach this host, which a router may translate.

        In a version of IP in which all of its own are private, only the name of the host tells.
        """
        own = own_addresses()
        if self._given:
            return own | self._given
        found = {ipaddress.ip_address(each) for each in own}
        translated = {each.version for each in found} - {each.version for each in found if each.is_global}
        if not translated:
            return own
        of_host = self.addresses(self._hostname)
        return own | {each for each in of_host if ipaddress.ip_address(each).version in translated}
