"""The peer as the server of other domains, which publish how it is reached: DANE, MTA-STS, or neither."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailstack.components.declarations import Record
from tests.support import clients, dns, sample_accounts
from tests.support.sample_accounts import ALICE
from tests.support.trust import Protected, letter
from tests.targets.containers import Target

#: Its name in the DNS, and in a certificate of `CA`.
SERVER = "peer.example"
CA = "/root/ca"
#: What the peer has in its image, signed by itself, and what `CA` signed.
SELF_SIGNED, SIGNED = "/etc/postfix/cert.pem /etc/postfix/key.pem", f"{CA}/cert.pem {CA}/key.pem"
#: The TLSA record of no certificate.
WRONG = f"3 1 1 {'ab' * 32}"
_WEB = "/root/web.py"


@dataclass(frozen=True)
class Receiver:
    """A sender, the server of mailstack, and the peer as the server of others."""

    protected: Protected
    peer: Target

    @property
    def sender(self) -> Target:
        """The server that sends."""
        return self.protected.server

    def publish(
        self,
        *domains: str,
        tlsa: Iterable[str] = (),
        policies: Mapping[str, str] | None = None,
        more: Iterable[Record] = (),
        keep: bool = False,
    ) -> None:
        """Publish these domains, all served by the peer; from now on the sender knows nothing else.

        + more: further records
        + keep: keep the mail that waits
        + tlsa: the records of the peer's port 25
        + policies: MTA-STS, by domain: lines of the policy, divided by spaces
        """
        records = [Record(domain, "MX", f"10 {SERVER}.") for domain in domains]
        records += [Record(f"_25._tcp.{SERVER}", "TLSA", data) for data in tlsa]
        records += [*dns.host(SERVER, self.peer.ip), *more]
        for domain, policy in (policies or {}).items():
            records.append(Record(f"_mta-sts.{domain}", "TXT", f'"v=STSv1; id={abs(hash(policy))};"'))
            records.append(Record(f"mta-sts.{domain}", "A", self.peer.ip))
            text = "".join(f"{line}\r\n" for line in ["version: STSv1", *policy.split(","), "max_age: 86400"])
            self.peer.write(f"{CA}/mta-sts.{domain}.txt", text.encode())
        self.protected.serve("example.org", "example.com", more=records)
        names = shlex.quote(", ".join([sample_accounts.REMOTE, *domains]))
        self.peer.exec(f"postconf -e virtual_mailbox_domains={names}; postfix reload")
        self.sender.exec("unbound-control flush_zone .")
        if not keep:
            self.sender.exec("postsuper -d ALL")

    def use(self, certificate: str, level: str = "may") -> None:
        """Make the peer use a certificate with its key, or with level `none` no TLS."""
        file, key = certificate.split()
        self.peer.exec(
            f"postconf -e smtpd_tls_cert_file={file} smtpd_tls_key_file={key} "
            f"smtpd_tls_security_level={level}; postfix reload"
        )

    def tlsa(self, certificate: str) -> str:
        """Return the TLSA record of a certificate: its key."""
        file = certificate.split()[0]
        spki = f"openssl x509 -in {file} -noout -pubkey | openssl pkey -pubin -outform DER"
        return f"3 1 1 {self.peer.exec(f'{spki} | sha256sum').stdout.split()[0]}"

    def send(self, domain: str) -> str:
        """Send a letter to somebody there; return its Message-ID."""
        mail = letter(ALICE, f"anna@{domain}")
        return clients.send(self.sender, mail, sender=ALICE, port=587, user=ALICE)

    def arrives(self, message_id: str) -> bytes:
        """Return the letter, once the peer has it; what was deferred is tried again.

        Each process of Postfix keeps a TLSA record as long as its TTL says.
        """
        return clients.flush_to_peer(self.sender, self.peer, message_id)

    def waits(self, domain: str) -> str:
        """Return the reason why mail to this domain waits."""
        found = clients.eventually(
            lambda: [
                line
                for line in clients.queue(self.sender)
                if f"@{domain}: " in line and "on its way" not in line
            ],
            f"nothing waits for {domain}",
            60,
        )
        return found[0]

    def connections(self, domain: str, message_id: str) -> list[str]:
        """Return the log lines of Postfix on TLS with the peer since a message was queued."""
        lines = clients.log(self.sender, rf"{message_id}|TLS connection established to {SERVER}")
        start = next(number for number, line in enumerate(lines) if message_id in line)
        return [line for line in lines[start:] if "TLS connection" in line]

    def prepare(self, *domains: str) -> None:
        """Make a CA that the sender trusts, with certificates of it, and a web server for the policies."""
        names = ",".join(f"DNS:{name}" for name in [SERVER, *(f"mta-sts.{domain}" for domain in domains)])
        self.peer.exec(
            f"""set -e; mkdir -p {CA}; cd {CA}
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=CA of the tests' -keyout ca.key -out ca.pem \\
  -addext keyUsage=critical,keyCertSign
openssl req -newkey rsa:2048 -nodes -subj /CN={SERVER} -keyout key.pem -out request
printf 'subjectAltName={names}\\nauthorityKeyIdentifier=keyid\\n' > names
openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \\
  -extfile names -out cert.pem"""
        )
        self.peer.write(_WEB, _WEB_SERVER.encode())
        self.peer.exec(f"systemd-run --quiet --collect --unit=policies python3 {_WEB}")
        self.sender.write("/usr/local/share/ca-certificates/tests.crt", self.peer.read(f"{CA}/ca.pem"))
        self.sender.exec("update-ca-certificates && systemctl restart postfix-mta-sts-resolver postfix")

    def forget(self) -> None:
        """Leave both as they were."""
        self.peer.exec("systemctl stop policies", check=False)
        self.use(SELF_SIGNED)
        self.publish(tlsa=())
        self.sender.exec("rm -f /usr/local/share/ca-certificates/tests.crt; update-ca-certificates --fresh")


_WEB_SERVER = f"""
import http.server, pathlib, ssl

class Policies(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = pathlib.Path("{CA}", self.headers["Host"].partition(":")[0] + ".txt")
        found = self.path == "/.well-known/mta-sts.txt" and file.exists()
        text = file.read_bytes() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

server = http.server.ThreadingHTTPServer(("0.0.0.0", 443), Policies)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("{CA}/cert.pem", "{CA}/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
