"""What components declare, and how that is put together; no host is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components import additions, component
from mailstack.components.component import Component, Site, with_required
from mailstack.components.converge import groups
from mailstack.components.declarations import DovecotAddition, PostfixAddition
from mailstack.components.dovecot import DOVECOT
from mailstack.components.mail_server import COMPONENTS
from mailstack.components.postfix import POSTFIX
from mailstack.endpoint import Endpoint
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import Directory, Entry, File, Place
from mailstack.settings.postfix_master import MasterService
from tests.support.sites import files, site, whole

SETTINGS = Settings(mail_hostname="mail.example.org", mail_rspamd=False, mail_srs=False, mail_resolver=False)


class Filter(Component):
    """A milter, for a directory of its own."""

    name = "filter"
    title = "Filter"
    reloads = ("filter",)
    parameters: Mapping[str, str] = {"milter_protocol": "6"}
    entries: Sequence[Entry] = (File("/etc/filter.conf", "a"),)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        return self.entries

    def links(self, site: Site) -> Mapping[str, Endpoint]:
        """See ``Component``."""
        return {"filter": Endpoint("/var/spool/postfix/filter/milter.sock")}

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """See ``Component``."""
        service = MasterService(name="tally", type="unix", command="spawn")
        return PostfixAddition(self.parameters, [service], ["filter"], ["check_policy_service unix:x"])

    def dovecot(self, site: Site, platform: Platform) -> DovecotAddition:
        """See ``Component``."""
        plugins = {"": ["notify"], "imap": ["imap_sieve"], "lmtp": ["mail_filter"]}
        return DovecotAddition(plugins, {"filter": "filter_learns = yes"})


@pytest.fixture
def with_filter(monkeypatch: pytest.MonkeyPatch) -> Filter:
    """Register one more component beside those of a mail server."""
    added = Filter()
    monkeypatch.setattr(component, "_KNOWN", {**component._KNOWN, added.name: added})
    return added


def text(of: Component, platform: Platform, path: str, settings: Settings = SETTINGS) -> str:
    """Return one file of a component."""
    (file,) = [entry for entry in files(of, settings, platform) if entry.path == path]
    assert isinstance(file, File)
    return file.content or ""


@pytest.mark.parametrize("platform", RELEASES)
def test_a_component_adds_to_postfix(with_filter: Filter, platform: Platform) -> None:
    main = text(POSTFIX, platform, "/etc/postfix/main.cf")
    assert "smtpd_milters = unix:filter/milter.sock\nnon_smtpd_milters = $smtpd_milters\n" in main
    assert "milter_default_action = tempfail\n" in main
    assert "milter_protocol = 6\n" in main
    checks = main.partition("smtpd_recipient_restrictions =")[2].partition("smtpd_data")[0]
    assert checks.rstrip().endswith("check_policy_service unix:x")
    assert "\nknown_recipient =\n  check_policy_service unix:x\n  permit\n" in main
    assert "tally" in text(POSTFIX, platform, "/etc/postfix/master.cf")
    overridden = Settings(
        mail_hostname="mail.example.org", mail_rspamd=False, mail_postfix_main={"milter_protocol": "4"}
    )
    main = text(POSTFIX, platform, "/etc/postfix/main.cf", overridden)
    assert "milter_protocol = 4\n" in main
    assert "milter_protocol = 6" not in main


def test_a_component_adds_to_dovecot(with_filter: Filter) -> None:
    old, new = (text(DOVECOT, platform, "/etc/dovecot/dovecot.conf") for platform in RELEASES)
    assert "mail_plugins = quota zlib listescape notify\n" in old
    assert "mail_plugins = $mail_plugins imap_quota imap_zlib imap_sieve\n" in old
    assert "  notify = yes\n" in new
    assert "    imap_sieve = yes\n" in new
    assert "\nfilter_learns = yes\n" in old
    assert "\nfilter_learns = yes\n" in new
    old, new = (text(DOVECOT, platform, "/etc/dovecot/sieve.conf") for platform in RELEASES)
    assert "mail_plugins = $mail_plugins sieve mail_filter\n" in old
    assert "    mail_filter = yes\n" in new


def test_without_additions_there_is_no_milter() -> None:
    assert "milter" not in text(POSTFIX, RELEASES[1], "/etc/postfix/main.cf")


def test_two_that_disagree_are_named(with_filter: Filter, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Filter()
    other.name, other.parameters = "other", {"milter_protocol": "2"}
    monkeypatch.setattr(component, "_KNOWN", {**component._KNOWN, other.name: other})
    said = "Postfix parameter milter_protocol: filter wants '6' and other wants '2'; allowed: one of them"
    with pytest.raises(OperationValueError, match=said):
        additions.postfix(site(SETTINGS), RELEASES[1])


def test_a_parameter_of_postfix_itself_is_not_added(with_filter: Filter) -> None:
    with_filter.parameters = {"milter_default_action": "accept", "biff": "yes"}
    said = "Postfix parameter biff, milter_default_action: set by the component postfix, and added by another"
    with pytest.raises(OperationValueError, match=said):
        text(POSTFIX, RELEASES[1], "/etc/postfix/main.cf")


def added(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    """Register one more filter, named other, with these declarations."""
    other = Filter()
    other.name = "other"
    for name, value in values.items():
        monkeypatch.setattr(other, name, value)
    monkeypatch.setattr(component, "_KNOWN", {**component._KNOWN, other.name: other})


def test_two_offers_of_one_link_are_named(with_filter: Filter, monkeypatch: pytest.MonkeyPatch) -> None:
    added(monkeypatch, links=lambda _: {"filter": Endpoint("192.0.2.1", 24)}, parameters={})
    with pytest.raises(OperationValueError, match=r"link filter: filter wants Endpoint.* and other"):
        files(POSTFIX, SETTINGS, RELEASES[1])


def test_a_service_of_postfix_itself_is_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    service = MasterService(name="smtp", type="inet", command="smtpd")
    added(monkeypatch, postfix=lambda *_: PostfixAddition(services=[service]))
    with pytest.raises(OperationValueError, match=r"service of master\.cf smtp/inet: of the component"):
        files(POSTFIX, SETTINGS, RELEASES[1])


def test_plugins_reach_every_protocol_or_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = {"lmtp": ["lmtp_x"], "pop3": ["pop3_x"]}
    added(monkeypatch, dovecot=lambda *_: DovecotAddition(plugins))
    settings = Settings(mail_hostname="mail.example.org", mail_sieve=False, mail_pop3=True)
    old, new = (text(DOVECOT, platform, "/etc/dovecot/dovecot.conf", settings) for platform in RELEASES)
    assert "mail_plugins = $mail_plugins lmtp_x\n" in old and "mail_plugins = $mail_plugins pop3_x\n" in old
    assert "    lmtp_x = yes\n" in new and "    pop3_x = yes\n" in new
    plugins["imaps"] = ["x"]
    with pytest.raises(OperationValueError, match="plugins of Dovecot: other has some for imaps; allowed"):
        files(DOVECOT, SETTINGS, RELEASES[1])


def test_a_name_is_of_one_component() -> None:
    other = Filter()
    other.name = "dovecot"
    with pytest.raises(ValueError, match=r"dovecot: mailstack\.components\.dovecot has a component"):
        component.register(other)


def test_what_nobody_offers_is_named() -> None:
    with pytest.raises(
        OperationValueError, match="no component offers milk; there are: lmtp, quota-status, sasl"
    ):
        site(SETTINGS).link("milk")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (Endpoint("/var/spool/postfix/private/auth"), "unix:private/auth"),
        (Endpoint("/var/spool/postfix/filter/milter.sock"), "unix:filter/milter.sock"),
        (Endpoint("192.0.2.9", 24), "inet:192.0.2.9:24"),
        (Endpoint("2001:db8::9", 24), "inet:[2001:db8::9]:24"),
    ],
)
def test_a_link_is_a_socket_or_an_address(link: Endpoint, said: str) -> None:
    assert additions.at(link) == said


def test_a_socket_outside_of_the_chroot_is_refused() -> None:
    with pytest.raises(
        OperationValueError, match="link /run/milter: Postfix, in its chroot, can't reach this"
    ):
        additions.at(Endpoint("/run/milter"))


def test_what_is_required_comes_first_and_once() -> None:
    names = [each.name for each in whole(site(SETTINGS))]
    expected = ["passwords", "postgresql", "tls", "dovecot", "postfix"]
    expected += ["webmail", "firewall", "fail2ban", "metrics", "backup"]
    assert names == expected
    assert [each.name for each in with_required([POSTFIX], site(SETTINGS))] == ["tls", "passwords", "postfix"]


def in_groups(*several: Sequence[Entry]) -> list[list[Entry]]:
    """Return the files to write for components that declare these, a list for each."""
    components = []
    for number, entries in enumerate(several):
        each = Filter()
        each.name, each.entries = f"c{number}", entries
        components.append(each)
    return [list(group.entries) for group in groups(site(SETTINGS), RELEASES[1], components).values()]


def test_a_path_of_two_components_is_written_once() -> None:
    one, other = File("/etc/one", "1"), File("/etc/other", "2")
    assert in_groups([one, other], [one]) == [[one, other], []]


def test_a_place_gives_way_to_the_directory_of_its_owner() -> None:
    place, directory = Place("/run/x"), Directory("/run/x", "postfix")
    assert in_groups([place], [directory]) == [[], [directory]]
    assert in_groups([directory], [place]) == [[directory], []]


def test_two_contents_at_one_path_are_refused() -> None:
    said = "/etc/one: c0 and c1 declare different files there"
    with pytest.raises(OperationValueError, match=said):
        in_groups([File("/etc/one", "1")], [File("/etc/one", "2")])


def test_state_has_all_that_a_deploy_could_not_make_again() -> None:
    here = site(SETTINGS)
    state = {entry.path: entry.holds for each in whole(here) for entry in each.state(here)}
    assert state == {
        "/var/lib/mailstack/secrets": "secrets",
        "mail": "database",
        "/etc/ssl/mailstack": "secrets",
        "/var/vmail": "mail",
        "/var/spool/postfix": "queue",
        "/var/mail": "mail",
    }


def test_the_filter_has_state_too() -> None:
    here = site(Settings(mail_hostname="mail.example.org"))
    state = {entry.path for each in whole(here) for entry in each.state(here)}
    assert state > {"/etc/postsrsd.secret", "/var/lib/rspamd/dkim", "/var/lib/redis/mailstack.rdb"}


def test_records_of_a_domain() -> None:
    here = site(Settings(mail_hostname="mail.example.org", mail_pop3=True))
    records = [record for each in whole(here) for record in each.records(here, "example.net")]
    assert ("example.net", "MX", "10 mail.example.org.") in records
    assert ("example.net", "TXT", '"v=spf1 mx -all"') in records
    assert ("_submissions._tcp.example.net", "SRV", "0 1 465 mail.example.org.") in records
    assert ("_imaps._tcp.example.net", "SRV", "0 1 993 mail.example.org.") in records
    assert ("_imap._tcp.example.net", "SRV", "0 0 0 .") in records
    assert ("_pop3s._tcp.example.net", "SRV", "10 1 995 mail.example.org.") in records
    policy = '"v=DMARC1; p=quarantine; sp=quarantine; rua=mailto:postmaster@example.net"'
    assert ("_dmarc.example.net", "TXT", policy) in records


def test_records_follow_the_settings() -> None:
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_spf_mechanisms=["include:spf.letters.example", "ip4:192.0.2.7"],
        mail_spf_all="~all",
        mail_dmarc_policy="reject",
        mail_dmarc_reports_to="reports@example.org",
    )
    here = site(settings)
    records = [record for each in whole(here) for record in each.records(here, "example.net")]
    assert ("example.net", "TXT", '"v=spf1 mx include:spf.letters.example ip4:192.0.2.7 ~all"') in records
    policy = '"v=DMARC1; p=reject; sp=reject; rua=mailto:reports@example.org"'
    assert ("_dmarc.example.net", "TXT", policy) in records
    # RFC 7489, 7.1: without it, receivers send no reports there
    assert ("example.net._report._dmarc.example.org", "TXT", '"v=DMARC1"') in records


def test_an_address_is_written_in_a_uri() -> None:
    here = site(Settings(mail_hostname="mail.example.org", mail_dmarc_reports_to="a&b=c#d@example.net"))
    records = [record for each in whole(here) for record in each.records(here, "example.net")]
    dmarc = {record.name: record.data for record in records}["_dmarc.example.net"]
    assert dmarc.endswith('; rua=mailto:a%26b%3Dc%23d@example.net"')


def test_records_of_the_host() -> None:
    here = site(SETTINGS)
    records = [record for each in whole(here) for record in each.host_records(here)]
    assert records == [("mail.example.org", "TXT", '"v=spf1 a -all"')]


def test_each_database_server_is_for_its_engine() -> None:
    with pytest.raises(OperationValueError, match="the component mariadb is for 'mysql'"):
        next(each for each in COMPONENTS if each.name == "mariadb").check(site(SETTINGS))


def test_a_database_server_lets_its_clients_in() -> None:
    here = site(SETTINGS, clients=["192.0.2.7"])
    ports = {each.name: list(each.ports(here)) for each in whole(here)}
    assert [(port.number, port.clients) for port in ports["postgresql"]] == [(5432, ("192.0.2.7",))]
    assert [port.name for port in ports["postfix"]] == ["smtp", "submission", "submissions"]
    assert whole(site(SETTINGS))[1].ports(site(SETTINGS)) == []
