"""Every text of a settings file: refused with a reason, or one line without a control character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from mailstack.settings import Settings, SettingsError
from tests.support.hostile import changed, check_each

Data = dict[str, Any]


class Place(NamedTuple):
    """Where a text goes: a function that makes settings of it, and texts that are accepted there."""

    data: Callable[[str], Data]
    seeds: tuple[str, ...]


def alone(name: str, *seeds: str, **others: Any) -> dict[str, Place]:
    return {name: Place(lambda text: {name: text} | others, seeds)}


def listed(name: str, *seeds: str, **others: Any) -> dict[str, Place]:
    return {name: Place(lambda text: {name: [text]} | others, seeds)}


def keys(name: str, value: Any, *seeds: str, **others: Any) -> dict[str, Place]:
    return {f"{name}, key": Place(lambda text: {name: {text: value}} | others, seeds)}


def values(name: str, key: str, *seeds: str, **others: Any) -> dict[str, Place]:
    return {f"{name}, value": Place(lambda text: {name: {key: text}} | others, seeds)}


def inner(setting: str, field: str, *seeds: str, **others: Any) -> dict[str, Place]:
    """Return the place of a field of the models in a list."""
    return {f"{setting}.{field}": Place(lambda text: {setting: [others | {field: text}]}, seeds)}


def inner_list(setting: str, field: str, *seeds: str, **others: Any) -> dict[str, Place]:
    return {f"{setting}.{field}": Place(lambda text: {setting: [others | {field: [text]}]}, seeds)}


ADDRESSES = ("192.0.2.7", "2001:db8::7", "fe80::1%eth0")
NETWORKS = ("192.0.2.0/24", "[2001:db8::]/32", "[fe80::1%eth0]/128", "192.0.2.7")
PLAIN_NETWORKS = ("192.0.2.0/24", "2001:db8::/32", "fe80::1%eth0/128", "192.0.2.7")
HOPS = ("[192.0.2.8]:26", "mx.example.net:submission", "[ipv6:2001:db8::8]", "[fe80::1%eth0]", "a.example")
USER = {"email": "anna@example.org"}
ACME = {"mail_acme": True, "mail_acme_email": "a@example.org", "mail_web": True}
UPDATES = {"mail_dns_server": "192.0.2.53", "mail_dns_key_name": "mail", "mail_dns_key_secret": "YQ=="}
S3 = {"mail_backup_repository": "s3:https://s3.example.net/mail", "mail_backup_s3_secret": "x"}
S3 |= {"mail_backup_s3_key_id": "id"}
SFTP = {"mail_backup_repository": "sftp:a@b.example:/x", "mail_backup_ssh_host_key": "ssh-ed25519 AAAA"}
ELSEWHERE = {"mail_db_lookup_password": "x", "mail_db_dsn": "host=db.example.org user=mail"}
RELAYED = {"mail_relayhost": "[a.example]", "mail_relayhost_user": "u", "mail_relayhost_password": "p"}

PLACES: dict[str, Place] = {
    **alone("mail_hostname", "mail.example.org", "m\u00fcller.example"),
    **alone("mail_domain", "example.org"),
    **alone("mail_db_primary", "db1.example.org"),
    **alone("mail_address", *ADDRESSES),
    **alone("mail_postmaster", "root", "o'hara#$&=?^_{|}~@example.org"),
    **listed("mail_domains", "example.org"),
    **inner("mail_domains", "domain_name", "example.org"),
    **inner("mail_users", "email", "anna@example.org", "o'hara#$&=?^_{|}~@example.org"),
    **inner("mail_users", "initial_password", "secret", **USER),
    **inner("mail_users", "password_hash", "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$aGFzaA", **USER),
    **inner("mail_users", "home_directory", "/srv/mail/anna", **USER),
    **inner_list("mail_users", "senders", "boss@example.org", "@example.com", **USER),
    **inner_list("mail_users", "app_passwords", "phone", **USER),
    "mail_users.app_passwords.password": Place(
        lambda text: {"mail_users": [USER | {"app_passwords": [{"name": "phone", "password": text}]}]},
        ("abcdefghijklmnopqrstuvwxyz",),
    ),
    **inner(
        "mail_aliases",
        "source_email",
        "sales@example.org",
        "@example.org",
        "abuse@*",
        destinations=["a@b.de"],
    ),
    **inner_list("mail_aliases", "destinations", "Anna!%/`+x@example.org", source_email="a@example.org"),
    **inner("mail_alias_domains", "alias_domain", "example.net", domain_name="example.org"),
    **inner("mail_alias_domains", "domain_name", "example.org", alias_domain="example.net"),
    **inner("mail_relay_domains", "domain_name", "a.example"),
    **inner_list("mail_relay_domains", "recipients", "x@a.example", domain_name="a.example"),
    **inner("mail_relay_domains", "next_hop", *HOPS, domain_name="a.example"),
    **alone("mail_backup_repository", "/srv/backup", "s3:https://s3.example.net/mail", **S3),
    **alone("mail_backup_repository, sftp", "sftp:a@b.example:/x"),
    **alone("mail_backup_password", "secret", mail_backup_repository="/srv/backup"),
    **{
        "mail_backup_ssh_host_key": Place(
            lambda text: SFTP | {"mail_backup_ssh_host_key": text}, ("ssh-rsa AAA=",)
        )
    },
    **{"mail_backup_s3_key_id": Place(lambda text: S3 | {"mail_backup_s3_key_id": text}, ("key",))},
    **{"mail_backup_s3_secret": Place(lambda text: S3 | {"mail_backup_s3_secret": text}, ("secret",))},
    **listed("mail_firewall_ports", "8080", "60000-61000/udp", mail_firewall=True),
    "mail_firewall_ports.port": Place(
        lambda text: {"mail_firewall": True, "mail_firewall_ports": [{"port": text}]}, ("8080",)
    ),
    **{
        "mail_firewall_ports.clients": Place(
            lambda text: {"mail_firewall": True, "mail_firewall_ports": [{"port": 80, "clients": [text]}]},
            PLAIN_NETWORKS,
        )
    },
    **listed("mail_firewall_ssh_clients", *PLAIN_NETWORKS, mail_firewall=True),
    **listed("mail_metrics_clients", *ADDRESSES, mail_metrics=True),
    **listed("mail_mta_sts_mx", "backup.example.net", mail_web=True),
    **alone("mail_dmarc_reports_to", "dmarc@example.org"),
    **listed("mail_trusted_sealers", "mx.example.net"),
    **listed("mail_spam_blocked_senders", "a!#$%&'*+/=?^_`{|}~@example.net", "example.net"),
    **listed("mail_spam_allowed_senders", "a!#$%&'*+/=?^_`{|}~@example.net", "example.net"),
    **listed("mail_spam_blocked_networks", *NETWORKS),
    **listed("mail_spam_allowed_networks", *NETWORKS),
    **listed("mail_forbidden_attachments", "exe"),
    **listed("mail_dns_addresses", *ADDRESSES),
    **listed(
        "mail_spf_mechanisms",
        "include:spf.example.net",
        "ip4:192.0.2.7",
        "ip6:fe80::1%eth0",
        "exists:%{i}.a.example",
    ),
    **alone("mail_dns_resolver", *ADDRESSES),
    **{"mail_dns_server": Place(lambda text: UPDATES | {"mail_dns_server": text}, ADDRESSES)},
    **{"mail_dns_key_name": Place(lambda text: UPDATES | {"mail_dns_key_name": text}, ("mail.example.org",))},
    **{"mail_dns_key_secret": Place(lambda text: UPDATES | {"mail_dns_key_secret": text}, ("bm90IGFueQ==",))},
    **listed("mail_resolver_forwarders", *ADDRESSES),
    **keys("mail_autoexpunge", "30d", "Trash", "Gr\u00fc\u00dfe aus Rom"),
    **values("mail_autoexpunge", "Trash", "30d"),
    **alone("mail_home_root", "/var/vmail"),
    **alone("mail_quota_warning_subject", "Your mailbox is {percent} % full"),
    **listed("mail_smtpd_helo_restrictions", "permit_mynetworks", "check_helo_access hash:/etc/postfix/x"),
    **listed("mail_postscreen_dnsbl_sites", "bl.example.net=127.0.0.[2..11]*2", mail_postscreen=True),
    **listed("mail_fail2ban_spared", *PLAIN_NETWORKS),
    **alone("mail_tls_reports_to", "tls@example.org"),
    **alone("mail_myorigin", "$mydomain", "/etc/mailname", "example.org"),
    **listed("mail_mydestination", "$myhostname", "localhost", "hash:/etc/postfix/x"),
    **listed("mail_inet_interfaces", "all", *ADDRESSES, "[2001:db8::7]"),
    **listed("mail_mynetworks", *NETWORKS),
    **listed("mail_trusted_forwarders", *NETWORKS),
    **listed("mail_smtpd_relay_restrictions", "permit_mynetworks, reject", "reject_unauth_destination"),
    **listed("mail_virtual_mailbox_domains", "hash:/etc/postfix/x", "inline:{ a.example=x }"),
    **listed("mail_virtual_mailbox_maps", "proxy:pgsql:/etc/postfix/x"),
    **listed("mail_virtual_alias_maps", "pipemap:{hash:/x, static:y}"),
    **{"mail_relayhost": Place(lambda text: RELAYED | {"mail_relayhost": text}, HOPS)},
    **{"mail_relayhost_user": Place(lambda text: RELAYED | {"mail_relayhost_user": text}, ("us",))},
    **{
        "mail_relayhost_password": Place(
            lambda text: RELAYED | {"mail_relayhost_password": text}, ("secret",)
        )
    },
    **keys("mail_sender_relayhosts", "[a.example]", "anna@example.org", "#x@example.org", "@example.org"),
    **values("mail_sender_relayhosts", "a@example.org", *HOPS),
    **{
        "mail_sender_relayhosts.user": Place(
            lambda text: {
                "mail_sender_relayhosts": {"a@b.de": {"host": "[a.example]", "user": text, "password": "p"}}
            },
            ("us",),
        ),
        "mail_sender_relayhosts.password": Place(
            lambda text: {
                "mail_sender_relayhosts": {"a@b.de": {"host": "[a.example]", "user": "u", "password": text}}
            },
            ("secret",),
        ),
    },
    **keys("mail_smtp_tls_policy", "secure", "example.net", ".example.net", "[mx.example.net]:25"),
    **values("mail_smtp_tls_policy", "example.net", "secure match=nexthop", "may"),
    **keys(
        "mail_transport",
        "smtp:",
        "slow.example",
        ".slow.example",
        "anna@slow.example",
        "#x@slow.example",
        "*",
    ),
    **values("mail_transport", "slow.example", "smtp:[192.0.2.7]:26", "error:5.7.1 not here"),
    **keys("mail_virtual", "root", "anna@example.org", "#x@example.org", "@example.org"),
    **values("mail_virtual", "anna@example.org", "root", "#B!%/`+x@example.com"),
    **keys("mail_local_aliases", "root", "log", "abuse"),
    **values(
        "mail_local_aliases",
        "log",
        "|/usr/bin/logger -t mail",
        "/var/log/x y",
        ":include:/etc/list",
        "a@b.de",
    ),
    **keys("mail_postfix_main", "3d", "maximal_queue_lifetime"),
    **values("mail_postfix_main", "smtpd_banner", "$myhostname ESMTP"),
    **inner("mail_postfix_master", "name", "slow", "[::1]:2525", type="unix", command="smtp"),
    **inner(
        "mail_postfix_master",
        "command",
        "smtp",
        "pipe flags=R user=x argv=/bin/x ${recipient}",
        name="x",
        type="unix",
    ),
    **inner("mail_postfix_master", "wakeup", "60?", name="x", type="unix", command="smtp"),
    "mail_postfix_master.options": Place(
        lambda text: {
            "mail_postfix_master": [
                {"name": "x", "type": "unix", "command": "smtp", "options": {"smtp_helo_name": text}}
            ]
        },
        ("mail.example.org", "a b {c}"),
    ),
    **alone("mail_acme_email", "a@example.org"),
    **{"mail_acme_email": Place(lambda text: ACME | {"mail_acme_email": text}, ("a@example.org",))},
    **alone("mail_acme_server", "https://ca.example:14000/dir", **ACME),
    **alone("mail_tls_certificate", "host:/etc/x/cert.pem", mail_tls_key="host:/etc/x/key.pem"),
    **alone("mail_tls_key", "host:/etc/x/key.pem", mail_tls_certificate="host:/etc/x/cert.pem"),
    **{
        f"mail_db_{name}": Place(lambda text, name=name: {f"mail_db_{name}": text}, ("mail_x1",))  # type: ignore[misc]
        for name in ("name", "owner", "lookup_role", "upgrade_role", "webmail_role")
    },
    **alone("mail_db_host", "db.example.org", *ADDRESSES),
    **{
        f"mail_db_{name}_password": Place(
            lambda text, name=name: {f"mail_db_{name}_password": text},  # type: ignore[misc]
            ("secret",),
        )
        for name in ("owner", "lookup", "upgrade", "webmail")
    },
    **{
        "mail_db_dsn": Place(
            lambda text: ELSEWHERE | {"mail_db_dsn": text}, ("host=db.example.org user=mail password='a b'",)
        )
    },
    **listed(
        "mail_db_hba",
        "local mail monitor peer",
        "hostssl mail monitor 192.0.2.0/24 scram-sha-256",
        "host mail monitor 192.0.2.0 255.255.255.0 md5 a=b",
        "host mail x fe80::1%eth0/128 md5",
    ),
}
PLACES["mail_backup_repository, sftp"] = Place(
    lambda text: SFTP | {"mail_backup_repository": text}, ("sftp:a@b.example:/x",)
)

#: Text with lines of its own, in a language of its own: docs/settings.md says so.
TEXTS = {"mail_dovecot_extra", "mail_quota_warning_text", "mail_sieve_after", "mail_sieve_before"}


def given_settings(data: Data) -> Settings | None:
    """Return the settings, or nothing if they were refused, with a message on one line."""
    try:
        return Settings.from_data({"mail_hostname": "mail.example.org"} | data)
    except SettingsError as error:
        assert str(error)
        assert "\n" not in str(error)
        return None


def texts_in(value: object) -> Iterator[str]:
    """Yield all texts in settings, those of dictionaries' keys too."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if name not in TEXTS:
                yield from texts_in(getattr(value, name))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts_in(key)
            yield from texts_in(each)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from texts_in(each)


def has_text(annotation: object) -> bool:
    """Return whether values of this type may be or contain any text."""
    if isinstance(annotation, type):
        return issubclass(annotation, (str, SecretStr, BaseModel))
    arguments = get_args(annotation)
    return annotation is not None and any(has_text(part) for part in arguments if not isinstance(part, str))


def test_every_setting_with_text_has_a_place() -> None:
    expected = {name for name, field in Settings.model_fields.items() if has_text(field.annotation)}
    assert {re.split("[.,]", name)[0] for name in PLACES} == expected - TEXTS


@pytest.mark.parametrize("name", PLACES)
def test_the_seeds_are_accepted(name: str) -> None:
    data, seeds = PLACES[name]
    assert [
        seed for seed in seeds if "%eth0" not in seed and "#x" not in seed and not given_settings(data(seed))
    ] == []


@pytest.mark.parametrize("name", PLACES)
def test_accepted_text_is_one_line(name: str) -> None:
    place = PLACES[name]

    def check(text: str) -> None:
        settings = given_settings(place.data(text))
        for each in texts_in(settings):
            assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", each), (text, each)
            assert "@mailstack-secret:" not in each
            each.encode()

    check_each(changed(*place.seeds), check)


SECRET = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}


@pytest.mark.parametrize("name", sorted(each for each in PLACES if re.split("[.,]", each)[0] in SECRET))
def test_an_error_has_no_secret(name: str) -> None:
    place = PLACES[name]

    def check(text: str) -> None:
        try:
            Settings.from_data({"mail_hostname": "mail.example.org"} | place.data(f"hunter2{text}\n"))
        except SettingsError as error:
            if re.search("password|secret|key$|dsn", name):
                assert "hunter2" not in str(error)

    check_each(changed(*place.seeds), check)


#: Values of any type, also in one another.
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | changed("x", "a@example.org")
    | st.binary(max_size=4),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(changed("email", "port"), each, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_value_of_any_type_is_accepted_or_refused(name: str) -> None:
    check_each(ANYTHING, lambda value: given_settings({name: value}))
