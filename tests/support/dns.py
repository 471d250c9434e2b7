"""The DNS of a test: one server with all the names that there are, and hosts that ask it alone."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import struct
import time
from collections.abc import Iterable

from mailstack.components.declarations import Record
from mailstack.facts.dkim import DkimKey
from tests.support import clients
from tests.targets import images
from tests.targets.containers import Target
from tests.targets.networks import Network

#: What /etc/resolv.conf of the hosts says.
DEAD = "nameserver 192.0.2.1"
#: A domain without signatures (DNSSEC), and one whose signatures are missing.
UNSIGNED, BOGUS = "unsigned.example", "bogus.example"
#: The key by which the server takes updates, as settings; the recipe of its image has it too.
UPDATES = {
    "mail_dns_key_name": "tests",
    "mail_dns_key_secret": "dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIG9jdGV0cyE=",
}
#: For these resolvers answer by themselves (RFC 6303).
_RESERVED = ("2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")

_ZONE = "/var/lib/knot/root.zone"
_PRINTED = "/var/lib/knot/printed.zone"
_serials = itertools.count(int(time.time()))


def server(name: str, network: Network, *, keep: bool = False) -> Target:
    """Return the server; as yet it has no names.

    `keep` reuses a running server.
    """
    target = Target(name, 13, network, hostname="dns.example")
    return target if keep and target.running() else target.create(images.dns_image())


def serve(dns: Target, records: Iterable[Record], printed: str = "") -> None:
    """Make the server have these records, and no others; an answer is remembered for a second at most.

    + printed: lines of a zone file that it has too, as they are
    """
    lines = [f". 1 SOA dns.example. root.example. {next(_serials)} 60 60 600 1", ". 1 NS dns.example."]
    lines += [f"{name} 1 NS dns.example." for name in (UNSIGNED, BOGUS)]
    lines.append(f"{BOGUS} 1 DS 12345 13 2 {'ab' * 32}")
    served = [*host("dns.example", dns.ip), *records]
    lines += [f"{record.name}. 1 {record.type} {record.data}" for record in served]
    text = "".join(f"{line}\n" for line in lines)
    if printed:
        dns.write(_PRINTED, printed.encode())
        text += f"$INCLUDE {_PRINTED}\n"
    dns.write(_ZONE, text.encode())
    dns.exec("knotc -b zone-reload .")


def use(target: Target, dns: Target) -> None:
    """Make the resolver of a host take that server for the root, as an administrator of a test network does.

    Nobody answers at what /etc/resolv.conf names (RFC 5737). Docker's own would answer for containers, and
    ask the world. It is a mount, which can be written and not replaced.
    """
    key = clients.eventually(lambda: dns.exec("keymgr . ds", check=False).stdout.split("\n")[0], "no key", 60)
    lines = [
        'root-hints: "/etc/unbound/tests.hints"',
        f'trust-anchor: "{key}"',
        # a slow machine would get answers of before
        "serve-expired: no",
        # it would give up after 1.6 seconds, by the times it has measured; a loaded machine may need more
        "infra-cache-min-rtt: 1000",
        *(f'local-zone: "{zone}" nodefault' for zone in _RESERVED),
    ]
    target.write("/etc/unbound/tests.hints", f". 60 NS dns.example.\ndns.example. 60 A {dns.ip}\n".encode())
    directory = "/etc/unbound/unbound.conf.d"
    target.write(
        f"{directory}/tests.conf", "".join(["server:\n", *(f"  {line}\n" for line in lines)]).encode()
    )
    target.exec(
        f": > {directory}/root-auto-trust-anchor-file.conf; echo '{DEAD}' > /etc/resolv.conf; "
        "systemctl restart unbound postfix; systemctl try-restart rspamd || true",
        timeout=200,  # rspamd compiles patterns if it was never up
    )
    # its unit waits a minute for it and goes on: on a busy machine, mail would get 451 4.7.1
    answers = '[ "$(systemctl is-active rspamd)" = inactive ] || timeout 10 rspamadm control stat >/dev/null'
    clients.eventually(
        lambda: target.exec(answers, check=False).returncode == 0, "rspamd does not answer", 180
    )


def ask(target: Target, name: str, kind: int = 15) -> tuple[int, bool] | None:
    """Ask the resolver of a host, by default for MX; return the code of its answer, and AD."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!6H", 0, 0x0120, 1, 0, 0, 0) + labels + struct.pack("!x2H", kind, 1)
    message = base64.b64encode(struct.pack("!H", len(question)) + question).decode()
    talk = "exec 3<>/dev/tcp/127.0.0.1/53; base64 -d <<<$0 >&3; head -c 6 <&3 | base64"
    done = target.exec(["timeout", "30", "bash", "-c", talk, message], check=False)
    head = base64.b64decode(done.stdout)
    return (head[5] & 15, bool(head[5] & 32)) if len(head) == 6 else None


def host(name: str, *addresses: str) -> list[Record]:
    """Return the records of a host: its addresses, and its name by these."""
    found = [ipaddress.ip_address(address) for address in addresses]
    forward = [Record(name, "A" if each.version == 4 else "AAAA", str(each)) for each in found]
    return forward + [Record(each.reverse_pointer, "PTR", f"{name}.") for each in found]


def keys(target: Target, domain: str) -> list[DkimKey]:
    """Return a domain's DKIM keys, once the host has made them."""
    directory = f"/var/lib/rspamd/dkim/{domain}"

    def made() -> list[str]:
        return target.exec(f"cd {directory} && ls *.txt", check=False).stdout.split()

    files = clients.eventually(made, f"no key for {domain}", 180)
    texts = [target.exec(f"cat {directory}/{file}").stdout.strip() for file in files]
    names = [file.removesuffix(".txt") for file in files]
    return [DkimKey(domain, name, text, signs=True) for name, text in zip(names, texts, strict=True)]
