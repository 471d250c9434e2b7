"""What the web server serves and declares, by the settings."""

from __future__ import annotations

import plistlib
import re
import string
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from mailstack import Settings
from mailstack.addresses import MAILBOX_LOCAL_PART
from mailstack.components import web_pages
from mailstack.components.component import site_of
from mailstack.components.web import WEB, policy_id, problem
from mailstack.facts.platform import RELEASES, Platform
from mailstack.facts.port_owners import WEB_SERVERS
from mailstack.files import File
from mailstack.operations.packages import _services
from mailstack.settings import SettingsError
from mailstack.templates import render
from mailstack.topology import Node, Topology
from tests.support.certificates import Authority, self_signed
from tests.support.sites import site, whole

ROOT = "/usr/local/share/mailstack/web"
SITE = "/etc/nginx/conf.d/mailstack.conf"
ONE_VERSION = Platform("debian 13", "2.4", "3.10", "17", ipv6=False)


def settings(**more: Any) -> Settings:
    return Settings(mail_hostname="mail.example.org", mail_web=True, **more)


def written(platform: Platform = RELEASES[1], **more: Any) -> dict[str, str]:
    """Return the files, by path."""
    entries = WEB.files(site(settings(**more)), platform)
    return {entry.path: entry.content for entry in entries if isinstance(entry, File) and entry.content}


def test_it_is_off_by_default() -> None:
    off = site(Settings(mail_hostname="mail.example.org"))
    assert "web" not in [each.name for each in whole(off)]
    assert "web" in [each.name for each in whole(site(settings()))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mail_mta_sts": "enforce"}, "mail_mta_sts: needs mail_web = True"),
        ({"mail_mta_sts_mx": ["mx.example.net"]}, "mail_mta_sts_mx: needs mail_web = True"),
        (
            {"mail_web": True, "mail_mta_sts": "on"},
            "mail_mta_sts = 'on': must be 'enforce', 'testing' or 'none'",
        ),
        (
            {"mail_web": True, "mail_mta_sts_mx": ["*"]},
            "mail_mta_sts_mx.*allowed: a list of host names, such as the name of a backup MX",
        ),
        ({"mail_web": "yes"}, "mail_web = 'yes': must be true or false"),
    ],
)
def test_impossible_settings_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings(mail_hostname="mail.example.org", **given)


def test_the_id_changes_with_the_policy_alone() -> None:
    ids = {policy_id(settings(mail_mta_sts=mode)) for mode in ("enforce", "testing", "none")}
    ids |= {policy_id(settings(mail_mta_sts_mx=["mx.example.net"]))}
    assert len(ids) == 4
    # RFC 8461, 3.1
    assert all(re.fullmatch("[a-zA-Z0-9]{1,32}", each) for each in ids)
    assert policy_id(settings()) == policy_id(settings(mail_pop3=True))


def test_a_policy_of_none_names_no_host() -> None:
    assert web_pages.mta_sts(settings(mail_mta_sts="none")) == "version: STSv1\nmode: none\nmax_age: 86400\n"


def test_the_policy_names_each_mx_once() -> None:
    policy = web_pages.mta_sts(
        settings(mail_mta_sts="enforce", mail_mta_sts_mx=["mail.example.org", "b.example"])
    )
    assert policy == "version: STSv1\nmode: enforce\nmx: mail.example.org\nmx: b.example\nmax_age: 604800\n"


def test_records_of_a_domain() -> None:
    here = site(settings())
    names = ["mta-sts.example.net", "autoconfig.example.net", "autodiscover.example.net"]
    assert WEB.certificate_names(here, "example.net") == names
    assert WEB.records(here, "example.net") == [
        *((name, "CNAME", "mail.example.org.") for name in names),
        ("_mta-sts.example.net", "TXT", f'"v=STSv1; id={policy_id(here.settings)};"'),
        ("_autodiscover._tcp.example.net", "SRV", "0 1 443 mail.example.org."),
    ]


@pytest.mark.parametrize(
    ("names", "having"),
    [(("mx1.example.org", "mx2.example.org"), [True, False]), (("mail.example.org",) * 2, [True, True])],
)
def test_of_several_mail_hosts_a_domain_has_the_names_of_one(
    names: Sequence[str], having: list[bool]
) -> None:
    """A CNAME leads to one host, whose policy of MTA-STS the other would replace."""
    nodes = [
        Node(name, ("mx", "imap"), f"192.0.2.{number}", hostname=hostname)
        for number, (name, hostname) in enumerate(zip(("mx1", "mx2"), names, strict=True), 1)
    ]
    topology = Topology(nodes[0], (Node("db", ("db",), "192.0.2.9"), *nodes))
    for node, has in zip(nodes, having, strict=True):
        here = site_of(Settings(mail_hostname=str(node.hostname), mail_web=True), topology.of(node))
        assert bool(WEB.certificate_names(here, "example.net")) == has
        assert bool(WEB.records(here, "example.net")) == has


def test_it_listens_to_the_versions_of_ip_in_use() -> None:
    def listens(platform: Platform = RELEASES[1], **more: Any) -> set[str]:
        return set(re.findall(r"listen (.*);", written(platform, **more)[SITE]))

    assert listens() == {"80", "[::]:80", "443 ssl", "[::]:443 ssl"}
    assert listens(mail_inet_protocols="ipv4") == {"80", "443 ssl"}
    assert listens(mail_inet_protocols="ipv6") == {"[::]:80", "[::]:443 ssl"}
    assert listens(ONE_VERSION) == {"80", "443 ssl"}


def test_it_has_the_second_certificate_too() -> None:
    acme: dict[str, Any] = {"mail_acme": True, "mail_acme_email": "admin@example.net"}

    def files(**more: Any) -> tuple[list[str], list[str]]:
        there = written(**acme, **more)
        used = re.findall(r"ssl_certificate(?:_key)? /etc/ssl/mailstack/(.*);", there[SITE])
        watched = there["/usr/local/lib/systemd/system/mailstack-web.path"]
        return used, re.findall(r"PathChanged=/etc/ssl/mailstack/(.*)", watched)

    # of the server of the host, and of that of domains without certificates of their own
    assert files() == (["cert.pem", "key.pem"] * 2, ["cert.pem"])
    both = ["cert.pem", "key.pem", "rsa-cert.pem", "rsa-key.pem"]
    assert files(mail_acme_rsa=True) == (both * 2, ["cert.pem", "rsa-cert.pem"])


def test_programs_get_the_protocols_that_are_served() -> None:
    for pop3 in (False, True):
        files = written(mail_pop3=pop3)
        config = ElementTree.fromstring(files[f"{ROOT}/config-v1.1.xml"])
        assert (config.find("emailProvider/incomingServer[@type='pop3']") is not None) == pop3
        assert ("<Type>POP3</Type>" in files[f"{ROOT}/autodiscover/settings.xml"]) == pop3
        assert ("POP3" in files[f"{ROOT}/setup.html"]) == pop3


def test_a_profile_is_known_again_by_a_device() -> None:
    def profile(**more: Any) -> Any:
        return plistlib.loads(written(**more)[f"{ROOT}/mail.mobileconfig"].encode())

    assert profile()["PayloadUUID"] == profile(mail_pop3=True)["PayloadUUID"]


def test_a_domain_is_named_where_the_request_names_none() -> None:
    def default(**more: Any) -> str:
        found = re.search(r"^    default (\S+);", written(**more)[SITE], re.MULTILINE)
        return found[1] if found else ""

    assert default() == "example.org"
    assert default(mail_domains=["example.net", "example.com"]) == "example.net"
    assert default(mail_domains=["example.net", "example.org"]) == "example.org"


def test_the_page_has_the_style_that_its_policy_admits() -> None:
    page, style = web_pages.setup(settings())
    policy = written()["/etc/nginx/mailstack/https.conf"]
    assert f"style-src '{style}'" in policy
    assert (
        "<script" not in page
        and "style=" not in page
        and "http://" not in page.replace("http://www.w3.org", "")
    )


def test_outlook_s_question_may_have_every_address_of_a_mailbox() -> None:
    (pattern,) = re.findall(r'"~(<EMailAddress>.*)" \$mailstack_asked;', written()[SITE])
    question = pattern.replace("(?<", "(?P<")  # Python's way to write it
    for letter in string.printable:
        address = f"a{letter}b@example.org"
        for text in (escape(address), address):
            found = re.search(question, f"<EMailAddress>{text}</EMailAddress>")
            # as it goes into the answer
            if found:
                assert ElementTree.fromstring(f"<a>{found[1]}</a>").text == address
            elif re.fullmatch(MAILBOX_LOCAL_PART, f"a{letter}b"):
                assert text != escape(address), letter


def test_another_server_at_its_ports_is_named() -> None:
    assert problem(()) is None and problem(("nginx",)) is None
    said = problem(("apache2", "nginx"))
    assert said == "mail_web: port 80 or 443 belongs to apache2; allowed: False, or nginx alone on them"


@pytest.mark.parametrize(
    ("table", "address", "state", "counts"),
    [
        ("tcp", "00000000:0050", "0A", True),
        ("tcp6", "00000000000000000000000000000000:01BB", "0A", True),
        ("tcp", "0100007F:0050", "0A", True),
        ("tcp", "00000000:0050", "01", False),
        ("tcp", "00000000:1F90", "0A", False),
    ],
)
def test_who_has_its_ports(tmp_path: Path, table: str, address: str, state: str, counts: bool) -> None:
    for name in ("tcp", "udp", "tcp6", "udp6"):
        line = f"   0: {address} 00000000:0000 {state} 0:0 00:0 0 0 0 4711 1\n" if name == table else ""
        (tmp_path / name).write_text("  sl  local_address\n" + line)
    (tmp_path / "17" / "fd").mkdir(parents=True)
    (tmp_path / "17" / "fd" / "3").symlink_to("socket:[4711]")
    (tmp_path / "17" / "comm").write_text("apache2\n")
    ask = WEB_SERVERS.ask([]).replace("/proc/net/", f"{tmp_path}/").replace("/proc/", f"{tmp_path}/")
    # of the field with the number of the process
    ask = ask.replace("cut -d / -f 3", f"cut -d / -f {len(tmp_path.parts) + 1}")
    done = subprocess.run(["sh", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == ("apache2\n" if counts else "")


def test_debian_s_configuration_never_runs() -> None:
    assert _services(["nginx"]) == "nginx:nginx"


def sign(directory: Path, certificate: str | Path, key: str | Path) -> bytes:
    """Return the profile as it is served with this certificate."""
    profile, served = directory / "profile", directory / "served"
    profile.write_text("the profile\n")
    names = {"profile": profile, "served": served, "certificate": certificate, "key": key}
    subprocess.run(["sh"], input=render("web/sign-profile", **names), text=True, check=True)
    assert sorted(path.name for path in directory.glob("served*")) == ["served"]
    return served.read_bytes()


def test_the_profile_is_signed_if_that_verifies_something(tmp_path: Path) -> None:
    assert sign(tmp_path, *self_signed(tmp_path)) == b"the profile\n"
    authority = Authority(tmp_path)
    (tmp_path / "chain").write_text(authority.issue("mail.example.org")[0])
    signed = sign(tmp_path, tmp_path / "chain", tmp_path / "issued.key")
    (tmp_path / "signed").write_bytes(signed)
    verify = [
        "openssl",
        "smime",
        "-verify",
        "-inform",
        "der",
        "-purpose",
        "any",
        "-in",
        str(tmp_path / "signed"),
    ]
    root = ["-CAfile", str(tmp_path / "authority.pem")]
    assert subprocess.run([*verify, *root], capture_output=True, check=True).stdout == b"the profile\n"
    # one that is not the certificate's key
    assert sign(tmp_path, tmp_path / "chain", tmp_path / "authority.key") == b"the profile\n"
