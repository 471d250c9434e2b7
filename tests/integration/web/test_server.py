"""The web server itself: what it tells, to whom it listens, beside whom it works, and its certificates."""

from __future__ import annotations

import plistlib
import re
import subprocess
from pathlib import Path

import pytest

from mailstack import Settings
from mailstack.components.web import ACME_ROOT, DOMAIN_TEMPLATE, DOMAINS, WEB
from mailstack.facts.platform import RELEASES
from tests.integration.conftest import Factory
from tests.integration.web.conftest import DATA
from tests.support import certificates, clients, deploys, sample_accounts, web
from tests.support.sample_accounts import HOSTNAME
from tests.support.sites import site, whole
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

PAGE = f"https://{HOSTNAME}/"
#: Another site of the host's administrator, for a name of its own, and as default.
SITE = """\
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name shop.example.org;
    location / { default_type text/plain; return 200 "the shop\\n"; }
}
"""
#: Of the server beside it.
ENFORCED = sample_accounts.data(**DATA, mail_mta_sts="enforce", mail_mta_sts_mx=["backup.example.net"])


@pytest.mark.parametrize("path", ["", "nothing", "mail.mobileconfig", "mail/config-v1.1.xml"])
def test_every_answer_has_the_headers_and_none_the_version(web_server: Target, path: str) -> None:
    headers = web.get(web_server, PAGE + path).headers
    assert headers["server"] == "nginx"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "script" not in policy


def test_no_name_shows_anything_else(web_server: Target) -> None:
    for path in ("setup.html", "mta-sts.txt", "autodiscover/settings.xml", "../../../../etc/passwd", ".git"):
        assert web.get(web_server, PAGE + path).status in (400, 404)
    for page in (web.get(web_server, f"https://{web_server.ip}/"), web.get(web_server, PAGE + "nothing")):
        assert "Welcome to nginx" not in page.text and "Debian" not in page.text
    assert "<b>y" not in web.get(web_server, PAGE, headers={"Host": "x<b>y.example"}).text
    # Debian's page, which it would show for names that it does not know
    assert web_server.exec("ls /etc/nginx/sites-enabled").stdout == ""


@pytest.mark.parametrize("ipv6", [False, True])
def test_it_answers_by_both_versions_of_ip(web_server: Target, ipv6: bool) -> None:
    assert web.get(web_server, PAGE, ipv6=ipv6).status == 200
    answer = web.get(web_server, f"http://{HOSTNAME}/x?y=z", ipv6=ipv6)
    assert (answer.status, answer.headers["location"]) == (301, f"https://{HOSTNAME}/x?y=z")


def test_a_certificate_authority_finds_its_challenge_and_no_directory(web_server: Target) -> None:
    directory = f"{ACME_ROOT}/.well-known/acme-challenge"
    web_server.exec(f"mkdir -p {directory} && echo token.thumbprint > {directory}/token")
    try:
        for name in (HOSTNAME, "autoconfig.example.org", "mta-sts.added.example"):
            url = f"http://{name}/.well-known/acme-challenge/"
            assert web.get(web_server, f"{url}token").text == "token.thumbprint\n"
            assert web.get(web_server, url).status == 403
            assert web.get(web_server, f"{url}other").status == 404
    finally:
        web_server.exec(f"rm -r {ACME_ROOT}/.well-known")


def handshake(server: Target, options: str) -> str:
    """Return what s_client says, on the host itself."""
    command = f"timeout 60 openssl s_client -connect 127.0.0.1:443 -servername {HOSTNAME} -brief {options}"
    return server.exec(f"{command} </dev/null 2>&1", check=False).stdout


def test_only_good_tls(web_server: Target) -> None:
    for version in ("-tls1", "-tls1_1"):
        assert "ESTABLISHED" not in handshake(web_server, f"{version} -cipher ALL:@SECLEVEL=0")
    assert "Ciphersuite: ECDHE-ECDSA-AES256-GCM-SHA384" in handshake(web_server, "-tls1_2")
    weak = "ALL:COMPLEMENTOFALL:!ECDHE+AESGCM:!ECDHE+CHACHA20:!ECDHE+AESCCM:@SECLEVEL=0"
    assert "ESTABLISHED" not in handshake(web_server, f"-tls1_2 -cipher {weak}")
    assert "Protocol version: TLSv1.3" in handshake(web_server, "-tls1_3")


def test_the_log_has_no_addresses_of_users(web_server: Target) -> None:
    query = "?emailaddress=somebody%40example.org"
    web.get(web_server, f"https://autoconfig.example.org/mail/config-v1.1.xml{query}")
    web.ask_as_outlook(web_server, f"{PAGE}autodiscover/autodiscover.xml", "somebody@example.org")
    found = web_server.exec(
        "grep -rl somebody /var/log/nginx; journalctl -u nginx | grep somebody", check=False
    )
    assert found.stdout == ""


def test_it_declares_what_it_has(web_server: Target, debian: int) -> None:
    here = site(Settings.from_data(sample_accounts.data(**DATA)))
    declared = {port.number for each in whole(here) for port in each.ports(here)}
    addresses = web_server.exec("ss -Hltn | awk '{print $4}'").stdout.split()
    for_others = [address for address in addresses if not address.startswith(("127.", "[::1]"))]
    assert {int(address.rpartition(":")[2]) for address in for_others} - {22} == declared
    (platform,) = [release for release in RELEASES if release.debian == debian]
    (probe,) = WEB.probes(here, platform)
    assert web_server.exec(probe.script, check=False).returncode == 0
    web_server.exec("systemctl stop nginx")
    assert web_server.exec(probe.script, check=False).returncode != 0
    web_server.exec("systemctl start nginx")
    assert web_server.exec(probe.script, check=False).returncode == 0


def test_a_second_run_changes_nothing(web_server: Target) -> None:
    deploys.assert_converged(web_server, sample_accounts.data(**DATA))


def test_a_killed_master_comes_back(web_server: Target) -> None:
    before = web_server.read("/run/nginx.pid")
    web_server.exec("kill -KILL $(cat /run/nginx.pid)")

    def answers() -> bool:
        try:
            return web.get(web_server, PAGE).status == 200 and web_server.read("/run/nginx.pid") != before
        except OSError:
            return False

    clients.eventually(answers, "it does not come back", 60)


def test_a_domain_may_have_a_certificate_of_its_own(web_server: Target, tmp_path: Path) -> None:
    """As the component `acme` installs one."""
    authority = certificates.Authority(tmp_path)
    names = ["mta-sts.example.com", "autoconfig.example.com", "autodiscover.example.com"]
    certificate, key = authority.issue(*names)
    directory = "/etc/ssl/mailstack/domains/example.com"
    web_server.exec(f"mkdir -p {directory}")
    web_server.write(f"{directory}/cert.pem", certificate.encode())
    web_server.write(f"{directory}/key.pem", key.encode())
    web_server.exec(
        f"chmod 600 {directory}/key.pem; sed s/@DOMAIN@/example.com/g {DOMAIN_TEMPLATE} > "
        f"{DOMAINS}/example.com.conf && nginx -t -q && systemctl reload nginx"
    )
    try:

        def served() -> bool:
            return web.get(web_server, f"https://{names[0]}/").certificate == authority.first(certificate)

        clients.eventually(served, "it has another certificate")
        for name in names:
            answer = web.get(
                web_server, f"https://{name}/mail/config-v1.1.xml", trusted=authority.certificate
            )
            assert "<domain>example.com</domain>" in answer.text
        # and others have the host's
        own = web.get(web_server, PAGE).certificate
        for name in ("autoconfig.example.org", "autoconfig.example-com"):  # a dot is a dot
            assert own == web.get(web_server, f"https://{name}/").certificate
        assert own != authority.first(certificate)
    finally:
        web_server.exec(f"rm -r {directory} {DOMAINS}/example.com.conf; systemctl reload nginx")


def test_an_authority_s_certificate_is_served_and_signs_the_profile(
    web_server: Target, tmp_path: Path
) -> None:
    authority = certificates.Authority(tmp_path)
    certificate, key = authority.issue(HOSTNAME, "autoconfig.example.org")
    data = sample_accounts.data(**DATA, mail_tls_certificate=certificate, mail_tls_key=key)
    deploys.run(web_server, data)
    try:
        # nginx follows by itself, whatever has put the certificate there
        served = authority.first(certificate)
        clients.eventually(lambda: web.get(web_server, PAGE).certificate == served, "it has another one")
        for name in (HOSTNAME, "autoconfig.example.org"):
            assert web.get(web_server, f"https://{name}/", trusted=authority.certificate).status == 200
        deploys.assert_converged(web_server, data)

        def signed() -> bytes:
            body = web.get(web_server, f"{PAGE}mail.mobileconfig").body
            return b"" if body.startswith(b"<?xml") else body

        text = verified(clients.eventually(signed, "the profile is not signed"), authority, tmp_path)
        assert plistlib.loads(text)["PayloadType"] == "Configuration"
    finally:
        web_server.exec("rm /etc/ssl/mailstack/cert.pem")  # else a valid one is kept
        deploys.run(web_server, sample_accounts.data(**DATA))
    clients.eventually(
        lambda: web.get(web_server, f"{PAGE}mail.mobileconfig").body.startswith(b"<?xml"),
        "it is still signed",
    )


def verified(signed: bytes, authority: certificates.Authority, directory: Path) -> bytes:
    """Return the text of a signed profile, if a device that knows the authority believes the signature."""
    root = directory / "root.pem"
    root.write_text(authority.certificate)
    command = ["openssl", "smime", "-verify", "-inform", "der", "-CAfile", str(root), "-purpose", "any"]
    return subprocess.run(command, input=signed, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def neighbour(with_web: str, module_factory: Factory) -> Target:
    """Return a server whose administrator has another site."""
    server = module_factory("web-neighbour", image=with_web)
    server.write("/etc/nginx/sites-available/default", SITE.encode())
    server.exec("ln -s ../sites-available/default /etc/nginx/sites-enabled/default; systemctl reload nginx")
    # a change, after which all files of mailstack are written
    deploys.run(server, ENFORCED)
    return server


def refused(server: Target) -> str:
    """Return the error of a run that has something to change, and may not."""
    run = server.pyinfra("-y", "deploy.py", data=sample_accounts.data(**DATA, mail_mta_sts="none"))
    assert run.returncode != 0
    policy = web.get(server, "https://mta-sts.example.org/.well-known/mta-sts.txt").text
    assert "mode: enforce" in policy
    return run.stderr


def test_sites_of_others_stay(neighbour: Target) -> None:
    def texts() -> list[str]:
        names = ("shop.example.org", "elsewhere.example")
        return [web.get(neighbour, f"http://{name}/").text for name in names]

    clients.eventually(lambda: texts() == ["the shop\n"] * 2, "the site has no answer")
    assert web.get(neighbour, f"http://{HOSTNAME}/").status == 301
    policy = web.get(neighbour, "https://mta-sts.example.org/.well-known/mta-sts.txt").text
    assert re.findall("^(?:mode|mx|max_age): (.*)$", policy, re.MULTILINE) == [
        "enforce",
        HOSTNAME,
        "backup.example.net",
        "604800",
    ]


def test_a_fault_in_another_site_stops_the_run_before_any_change(neighbour: Target) -> None:
    neighbour.exec("echo 'server { lisen 80; }' > /etc/nginx/sites-enabled/broken")
    assert 'unknown directive "lisen" in /etc/nginx/sites-enabled/broken:1' in refused(neighbour)
    neighbour.exec("rm /etc/nginx/sites-enabled/broken")


def test_a_configuration_without_mailstack_s_file_stops_the_run(neighbour: Target) -> None:
    neighbour.exec(
        "cp /etc/nginx/nginx.conf /root; sed -i 's:include /etc/nginx/conf.d/.*::' /etc/nginx/nginx.conf"
    )
    assert "nginx reads no file of /etc/nginx/conf.d" in refused(neighbour)
    neighbour.exec("cp /root/nginx.conf /etc/nginx")


def test_another_web_server_stops_the_run(neighbour: Target) -> None:
    listen = "push @it, IO::Socket::INET->new(LocalPort => 80, Listen => 1, ReuseAddr => 1); sleep 600"
    neighbour.exec(f"systemctl stop nginx; systemd-run --unit other perl -MIO::Socket::INET -e '{listen}'")
    clients.eventually(lambda: "LISTEN" in neighbour.exec("ss -Hltn sport = 80").stdout, "it does not listen")
    run = neighbour.pyinfra("-y", "deploy.py", data=sample_accounts.data(**DATA))
    assert run.returncode != 0
    # in a container root may not see whose socket it is
    assert re.search("mail_web: port 80 or 443 belongs to (perl|another server); allowed: False", run.stderr)
    neighbour.exec("systemctl stop other; systemctl start nginx")
