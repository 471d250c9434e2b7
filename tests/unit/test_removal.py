"""What a removal takes from a host is read off the declarations."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components.component import registered, site_of
from mailstack.facts.platform import RELEASES, Platform
from mailstack.removal.commands import is_directory
from mailstack.removal.plan import Line, is_on, removal, text
from mailstack.topology import Node, Topology
from tests.support.sites import site, whole

HOSTNAME = "mail.example.org"
both = pytest.mark.parametrize("platform", RELEASES, ids=lambda release: f"debian{release.debian}")


def lines(name: str, platform: Platform, **settings: Any) -> list[Line]:
    """Return the plan of a removal from a server with these settings."""
    return removal(name, site(Settings(mail_hostname=HOSTNAME, **settings)), platform).lines(platform)


@both
def test_all_has_the_declared_packages_units_and_state(platform: Platform) -> None:
    here = site(Settings(mail_hostname=HOSTNAME, mail_webmail=True, mail_backup_repository="/srv/backup"))
    planned = set(removal("all", here, platform).lines(platform))
    for component in whole(here):
        assert {Line("package", each) for each in component.packages(here, platform)} <= planned
        names = {each.name.removesuffix(".service") for each in component.units(here, platform)}
        ended = {line.value.removesuffix(".service") for line in planned if line.kind in ("unit", "service")}
        assert names <= ended
        paths = {each.path for each in component.state(here) if each.holds != "database"}
        assert paths <= {line.value.split("\t")[1] for line in planned if line.kind == "state"}
    assert Line("database", "mail") in planned and Line("role", "mailadmin") in planned
    assert Line("spared", "/srv/backup") in planned


@both
def test_every_component_but_the_core_has_a_switch(platform: Platform) -> None:
    settings: dict[str, Any] = {each.switch[0]: False for each in registered() if each.switch}
    settings["mail_backup_repository"] = None
    off = site(Settings(mail_hostname=HOSTNAME, **settings))
    for component in registered():
        if component.switch:
            assert not is_on(component, off, platform), component.name
            lone: dict[str, Any] = {"mail_rspamd": True, component.switch[0]: component.switch[1]}
            if component.name == "acme":
                lone["mail_acme_email"] = "admin@example.org"
            if component.name == "tls_reports" and platform.debian == 12:
                continue
            assert is_on(component, site(Settings(mail_hostname=HOSTNAME, **lone)), platform), component.name
    without = {each.name for each in whole(off) if is_on(each, off, platform)}
    assert without == {"postgresql", "passwords", "tls", "dovecot", "postfix"}


@both
def test_a_component_alone_leaves_what_others_have(platform: Platform) -> None:
    planned = lines("rspamd", platform, mail_rspamd=False)
    packages = {line.value for line in planned if line.kind == "package"}
    assert packages == {"rspamd", "redis-server", "redis-tools"}
    assert Line("unit", "mailstack-dkim.service") in planned
    assert Line("file", "/etc/redis/redis-mailstack.conf") in planned
    assert not [line for line in planned if line.kind in ("user", "database")]
    assert Line("stays", "/var/lib/mailstack/secrets") in planned
    assert Line("needed", "postfix") in planned
    assert not [line for line in lines("all", platform) if line.kind in ("stays", "needed")]
    assert {line.value for line in planned if line.kind == "state"} == {
        "secrets\t/var/lib/rspamd/dkim\t",
        "training\t/var/lib/redis/mailstack.rdb\t",
    }


@both
def test_a_web_server_that_is_left_keeps_what_it_shares_with_webmail(platform: Platform) -> None:
    planned = lines("webmail", platform, mail_webmail=False)  # which had switched it on
    assert Line("tree", "/etc/nginx/mailstack") in planned
    left = {line.value for line in planned if line.kind == "left"}
    assert {"/etc/nginx/mailstack/http.conf", "/etc/nginx/mailstack/https.conf"} <= left
    served = lines("webmail", platform, mail_web=True)
    assert Line("tree", "/etc/nginx/mailstack") not in served
    assert not [line for line in lines("all", platform) if line.kind == "left"]


@both
def test_the_password_of_backups_is_state_of_their_component_alone(platform: Platform) -> None:
    password = "secrets\t/var/lib/mailstack/secrets/backup-password\t"
    assert [line.value for line in lines("backup", platform) if line.kind == "state"] == [password]
    db, mail = Node("db", ("db",), "192.0.2.1"), Node(HOSTNAME, ("mx", "imap"), "192.0.2.2")
    elsewhere = site_of(Settings(mail_hostname=HOSTNAME), Topology(mail, (db, mail)))
    planned = removal("backup", elsewhere, platform).lines(platform)
    assert [line.value for line in planned if line.kind == "state"] == [password]
    whole = {line.value for line in lines("all", platform) if line.kind == "state"}
    assert "secrets\t/var/lib/mailstack/secrets\t" in whole


@both
def test_what_the_settings_ask_for_is_refused(platform: Platform) -> None:
    with pytest.raises(OperationValueError, match=r"bring it back; allowed: with mail_webmail = False"):
        lines("webmail", platform, mail_webmail=True)
    with pytest.raises(OperationValueError, match="allowed: with mail_backup_repository = None"):
        lines("backup", platform, mail_backup_repository="/srv/backup")
    with pytest.raises(OperationValueError, match=r"'web'.*webmail need it"):
        lines("web", platform, mail_webmail=True)
    with pytest.raises(OperationValueError, match=r"'dovecot': every mail server has it.*allowed: all"):
        lines("dovecot", platform)
    with pytest.raises(OperationValueError, match=r"did you mean 'webmail'.*allowed: .*resolver.*, all"):
        lines("webmial", platform)


@both
def test_keys_of_a_package_that_the_host_had_are_not_of_a_component_that_is_off(platform: Platform) -> None:
    planned = lines("all", platform, mail_rspamd=False, mail_srs=False)
    unsure = {line.value for line in planned if line.kind == "state_of"}
    assert {
        "rspamd\tsecrets\t/var/lib/rspamd/dkim\t",
        "postsrsd\tsecrets\t/etc/postsrsd.secret\t",
    } <= unsure
    sure = {line.value.split("\t")[1] for line in planned if line.kind == "state"}
    assert "/var/lib/mailstack/secrets" in sure and not sure & {each.split("\t")[2] for each in unsure}
    both_on = lines("all", platform, mail_rspamd=True, mail_srs=True)
    assert not [line for line in both_on if line.kind == "state_of"]


def test_only_directories_that_deploys_name_are_removed_whole() -> None:
    planned = lines("all", RELEASES[0], mail_home_root="/srv/mailstack/mail", mail_webmail=True)
    trees = {line.value for line in planned if line.kind == "tree"}
    assert {"/etc/mailstack", "/usr/local/lib/mailstack", "/etc/nginx/mailstack"} <= trees
    assert not [tree for tree in trees if tree.startswith("/srv") or tree == "/var/lib/mailstack"]


def test_units_that_start_others_end_first() -> None:
    ordered = text([Line("file", "/a"), Line("unit", "mailstack-x"), Line("unit", "mailstack-x.timer")])
    assert ordered == "unit\tmailstack-x.timer\nfile\t/a\nunit\tmailstack-x\n"


@pytest.mark.parametrize("to", ["relative", "/a/../b", "/with space", "/a/"])
def test_an_archive_needs_a_directory(to: str) -> None:
    assert not is_directory(to)
    assert is_directory("/srv/archive")


def test_mail_is_of_its_system_user() -> None:
    planned = lines("all", RELEASES[0], mail_home_root="/srv/mail")
    assert Line("state", "mail\t/srv/mail\tvmail") in planned
    assert Line("state", "queue\t/var/spool/postfix\t") in planned


def test_what_the_settings_have_stays_as_it_is() -> None:
    here = site(Settings(mail_hostname=HOSTNAME, mail_backup_repository="/srv/backup"))
    everything = removal("all", here, RELEASES[0]).full.settings
    assert everything.mail_backup_repository == "/srv/backup"
    assert everything.mail_webmail


def test_a_database_on_another_host_is_not_dropped() -> None:
    db, mail = Node("db", ("db",), "192.0.2.1"), Node(HOSTNAME, ("mx", "imap"), "192.0.2.2")
    for here in (db, mail):
        its = site_of(Settings(mail_hostname=HOSTNAME), Topology(here, (db, mail)))
        planned = removal("all", its, RELEASES[0]).lines(RELEASES[0])
        assert (Line("database", "mail") in planned) == (here == db)
        assert (Line("package", "dovecot-imapd") in planned) == (here == mail)
