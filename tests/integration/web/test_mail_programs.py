"""Mail programs find their settings, and what they find works; other servers find the policy of MTA-STS."""

from __future__ import annotations

import imaplib
import plistlib
import poplib
import re
import socket
import string
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from mailstack import Settings
from mailstack.addresses import MAILBOX_LOCAL_PART
from mailstack.components.web import WEB, policy_id
from tests.integration.web.conftest import DATA
from tests.support import clients, sample_accounts, web
from tests.support.sample_accounts import ALICE, HOSTNAME
from tests.support.sites import site
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

#: What autoconfig says, and the port.
WAYS = [
    ("imap", 993, "SSL"),
    ("imap", 143, "STARTTLS"),
    ("pop3", 995, "SSL"),
    ("pop3", 110, "STARTTLS"),
    ("smtp", 465, "SSL"),
    ("smtp", 587, "STARTTLS"),
]

#: All that the local part of a mailbox may have.
ALL_LETTERS = "".join(each for each in string.printable if re.fullmatch(MAILBOX_LOCAL_PART, f"a{each}"))


def log_in(server: Target, protocol: str, port: int, security: str, user: str) -> None:
    """Log in as a program with these settings does; an exception if that fails."""
    password, context = sample_accounts.PASSWORDS[user], clients.tls()
    if protocol == "smtp":
        with clients.smtp(server, port, starttls=security == "STARTTLS") as session:
            clients.login(session, user, password)
    elif protocol == "imap":
        if security == "SSL":
            imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(server.ip, port, ssl_context=context)
        else:
            imap = imaplib.IMAP4(server.ip, port)
            imap.starttls(context)
        imap.login(user, password)
        imap.logout()
    else:
        if security == "SSL":
            pop: poplib.POP3 = poplib.POP3_SSL(server.ip, port, context=context)
        else:
            pop = poplib.POP3(server.ip, port)
            pop.stls(context)
        pop.user(user)
        pop.pass_(password)
        pop.quit()


def ways(root: ElementTree.Element, user: str) -> list[tuple[str, int, str]]:
    """Return the ways of a configuration of Thunderbird's, all of them to this host and for the address."""
    found = []
    for each in (*root.iter("incomingServer"), *root.iter("outgoingServer")):
        assert each.findtext("hostname") == HOSTNAME
        assert each.findtext("authentication") == "password-cleartext"
        assert (each.findtext("username") or "").replace("%EMAILADDRESS%", user) == user
        found.append(
            (each.attrib["type"], int(each.findtext("port") or 0), each.findtext("socketType") or "")
        )
    return found


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        (
            "https://autoconfig.example.org/mail/config-v1.1.xml?emailaddress=alice%40example.org",
            "example.org",
        ),
        ("https://example.org/.well-known/autoconfig/mail/config-v1.1.xml", "example.org"),
        # a domain that came into the database by SQL, or will
        (
            "https://autoconfig.added.example/mail/config-v1.1.xml?emailaddress=x%40added.example",
            "added.example",
        ),
        (f"https://{HOSTNAME}/.well-known/autoconfig/mail/config-v1.1.xml", "example.org"),
    ],
)
def test_thunderbird_finds_settings(web_server: Target, url: str, domain: str) -> None:
    answer = web.get(web_server, url, headers=web.THUNDERBIRD)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    root = ElementTree.fromstring(answer.text)
    assert (root.tag, root.attrib["version"]) == ("clientConfig", "1.1")
    assert root.findtext("emailProvider/domain") == domain
    assert ways(root, ALICE) == WAYS
    # before it asks by https, Thunderbird may ask by http
    redirect = web.get(web_server, url.replace("https:", "http:"), headers=web.THUNDERBIRD)
    assert (redirect.status, redirect.headers["location"]) == (301, url)


@pytest.mark.parametrize(("protocol", "port", "security"), WAYS)
def test_a_user_logs_in_with_these_settings(
    web_server: Target, protocol: str, port: int, security: str
) -> None:
    log_in(web_server, protocol, port, security, ALICE)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/autodiscover/autodiscover.xml",
        "https://autodiscover.example.org/autodiscover/autodiscover.xml",
        "https://autodiscover.example.org/Autodiscover/Autodiscover.xml",
        "https://autodiscover.example.org/AUTODISCOVER/AUTODISCOVER.XML",
        # which the SRV record names
        f"https://{HOSTNAME}/autodiscover/autodiscover.xml",
    ],
)
@pytest.mark.parametrize("address", [ALICE, "o+filter_1%x@sub.added.example", f"{ALL_LETTERS}@example.org"])
def test_outlook_finds_settings(web_server: Target, url: str, address: str) -> None:
    answer = web.ask_as_outlook(web_server, url, escape(address))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert "outlook/responseschema/2006a" in answer.text
    account = web.without_namespaces(answer.text).find("Response/Account")
    assert account is not None
    assert (account.findtext("AccountType"), account.findtext("Action")) == ("email", "settings")
    found = {}
    for each in account.iter("Protocol"):
        assert (each.findtext("Server"), each.findtext("LoginName")) == (HOSTNAME, address)
        assert (each.findtext("SSL"), each.findtext("Encryption")) == ("on", "SSL")
        found[each.findtext("Type")] = each.findtext("Port")
    assert found == {"IMAP": "993", "POP3": "995", "SMTP": "465"}


def test_outlook_is_sent_to_https_by_the_redirect_that_it_follows(web_server: Target) -> None:
    url = "http://autodiscover.example.org/autodiscover/autodiscover.xml"
    answer = web.get(web_server, url, headers=web.OUTLOOK)
    assert (answer.status, answer.headers["location"]) == (302, url.replace("http:", "https:"))


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/x?y=z"])
def test_a_request_without_a_host_is_sent_to_the_server_s_own_name(web_server: Target, path: str) -> None:
    """As HTTP/1.0 has none."""
    with socket.create_connection((web_server.ip, 80), clients.TIMEOUT) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = connection.makefile("rb").read().decode()
    assert f"\r\nLocation: https://{HOSTNAME}{path}\r\n" in answer


@pytest.mark.parametrize(
    ("address", "schema"),
    [
        (ALICE, web.TELEPHONE_SCHEMA),
        ("", web.OUTLOOK_SCHEMA),
        ("alice", web.OUTLOOK_SCHEMA),
        ("<b>@example.org", web.OUTLOOK_SCHEMA),
        ("&lt;b&gt;@example.org", web.OUTLOOK_SCHEMA),
        ("a&b@example.org", web.OUTLOOK_SCHEMA),
    ],
)
def test_a_question_without_an_answer_gets_an_error(web_server: Target, address: str, schema: str) -> None:
    url = "https://autodiscover.example.org/autodiscover/autodiscover.xml"
    answer = web.ask_as_outlook(web_server, url, address, schema)
    assert answer.status == 200
    assert web.without_namespaces(answer.text).findtext("Response/Error/ErrorCode") == "600"
    assert "example.org" not in answer.text


def test_a_question_that_is_too_long_or_by_get_is_none(web_server: Target) -> None:
    url = "https://autodiscover.example.org/autodiscover/autodiscover.xml"
    long = web.ask_as_outlook(web_server, url, "a" * 10_000 + "@example.org")
    assert long.status == 413
    plain = web.get(web_server, url)
    assert web.without_namespaces(plain.text).findtext("Response/Error/ErrorCode") == "600"
    # what the answers are made of
    for name in ("settings.xml", "refused.xml", "question"):
        assert web.get(web_server, f"https://autodiscover.example.org/autodiscover/{name}").status == 404


def test_apple_devices_take_a_profile(web_server: Target) -> None:
    answer = web.get(web_server, "https://autoconfig.example.org/mail.mobileconfig")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-apple-aspen-config")
    profile = plistlib.loads(answer.body)
    (account,) = profile["PayloadContent"]
    assert account["PayloadType"] == "com.apple.mail.managed"
    assert account["EmailAccountType"] == "EmailTypeIMAP"
    for way, port in (("Incoming", 993), ("Outgoing", 465)):
        assert account[f"{way}MailServerHostName"] == HOSTNAME
        assert account[f"{way}MailServerPortNumber"] == port
        assert account[f"{way}MailServerUseSSL"] is True
        assert account[f"{way}MailServerAuthentication"] == "EmailAuthPassword"
    assert profile["PayloadIdentifier"] != account["PayloadIdentifier"]
    assert profile["PayloadUUID"] != account["PayloadUUID"]
    # the device asks for these
    assert not {"EmailAddress", "IncomingMailServerUsername", "IncomingPassword"} & account.keys()


def test_other_servers_find_the_policy_and_its_id(web_server: Target) -> None:
    answer = web.get(web_server, "https://mta-sts.example.org/.well-known/mta-sts.txt")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    policy = [tuple(line.split(": ")) for line in answer.text.splitlines()]
    assert policy == [("version", "STSv1"), ("mode", "testing"), ("mx", HOSTNAME), ("max_age", "86400")]
    settings = Settings.from_data(sample_accounts.data(**DATA))
    records = {record.name: record.data for record in WEB.records(site(settings), "example.org")}
    assert records["_mta-sts.example.org"] == f'"v=STSv1; id={policy_id(settings)};"'
