"""Requests as mail programs and other mail servers make them: by name, with SNI and the header Host."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from xml.etree import ElementTree

from tests.support import clients, sample_accounts
from tests.targets.containers import Target

THUNDERBIRD = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.5.0"}
OUTLOOK = {
    "Content-Type": "text/xml; charset=utf-8",
    "User-Agent": "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
    "X-MapiHttpCapability": "1",
    "Accept": "*/*",
}
#: What Outlook asks ([MS-OXDSCLI], 3.1.5.3), and what a telephone that wants Exchange ActiveSync does.
QUESTION = (
    '<?xml version="1.0" encoding="utf-8"?>\r\n<Autodiscover xmlns="http://schemas.microsoft.com/exchange/'
    'autodiscover/outlook/requestschema/2006"><Request><EMailAddress>{}</EMailAddress>'
    "<AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/{}"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)
OUTLOOK_SCHEMA, TELEPHONE_SCHEMA = "outlook/responseschema/2006a", "mobilesync/responseschema/2006"


class Answer(NamedTuple):
    """An answer of the web server, with its certificate in PEM."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    certificate: str = ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def get(
    target: Target,
    url: str,
    *,
    method: str = "GET",
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    trusted: str | None = None,
    ipv6: bool = False,
) -> Answer:
    """Return the answer of `target` for a URL, whose name no DNS need have.

    + trusted: PEM certificates; the one of the server then has to be from these, and for the name
    """
    scheme, _, rest = url.partition("://")
    name, slash, path = rest.partition("/")
    address = target.ip6 if ipv6 else target.ip
    port = {"http": 80, "https": 443}[scheme]
    connection = http.client.HTTPConnection(name, port, timeout=clients.TIMEOUT)
    connection.sock = socket.create_connection((address, port), clients.TIMEOUT)
    certificate = ""
    if scheme == "https":
        secure = clients.tls(trusted).wrap_socket(connection.sock, server_hostname=name)
        der = secure.getpeercert(binary_form=True)
        assert der
        certificate = ssl.DER_cert_to_PEM_cert(der)
        connection.sock = secure
    try:
        connection.request(method, slash + path, body, dict(headers or {}))
        answer = connection.getresponse()
        found = {key.lower(): value for key, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read(), certificate)
    finally:
        connection.close()


def ask_as_outlook(
    target: Target, url: str, address: str = sample_accounts.ALICE, schema: str = OUTLOOK_SCHEMA
) -> Answer:
    """Return the answer to Outlook's question."""
    return get(target, url, method="POST", body=QUESTION.format(address, schema), headers=OUTLOOK)


def without_namespaces(text: str) -> ElementTree.Element:
    """Return XML with the plain names of its elements."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
