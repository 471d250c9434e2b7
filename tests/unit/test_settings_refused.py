"""Refused settings, and the messages."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.settings import Settings


def message(**values: Any) -> str:
    with pytest.raises(OperationValueError) as caught:
        Settings(**({"mail_hostname": "mail.example.org"} | values))
    return str(caught.value)


MISSPELT = [
    ("mail_hostnam", "mail_hostname"),
    ("mail_host_name", "mail_hostname"),
    ("mail_domain_s", "mail_domains"),
    ("mail_user", "mail_users"),
    ("mail_alias", "mail_aliases"),
    ("mail_account_policy", "mail_accounts_policy"),
    ("mail_db_owner_pasword", "mail_db_owner_password"),
    ("mail_database_name", "mail_db_name"),
    ("mail_db_lookup_pasword", "mail_db_lookup_password"),
    ("mail_tls_cert", "mail_tls_key"),
    ("mail_tls_certifcate", "mail_tls_certificate"),
    ("mail_my_networks", "mail_mynetworks"),
    ("mail_mynetwork", "mail_mynetworks"),
    ("mail_relay_host", "mail_relayhost"),
    ("mail_smtp_relay_restrictions", "mail_smtpd_relay_restrictions"),
    ("mail_postfix_main_cf", "mail_postfix_main"),
    ("mail_vmail_uuid", "mail_vmail_uid"),
    ("mail_pop", "mail_pop3"),
    ("mail_seive", "mail_sieve"),
    ("mail_sieve_max_redirect", "mail_sieve_max_redirects"),
]


@pytest.mark.parametrize("name, right", MISSPELT)
def test_a_misspelt_name_is_answered_with_the_nearest_right_one(name: str, right: str) -> None:
    said = message(**{name: "hunter2"})
    assert said == f"{name}: there is no such setting; did you mean {right!r}?"


IMPOSSIBLE: list[tuple[str, object, str]] = [
    ("mail_sieve", "yes", "must be true or false"),
    ("mail_sieve_before", ["keep;"], "must be text"),
    ("mail_sieve_after", "keep;\0", "not of the right form"),
    ("mail_sieve_max_redirects", -1, "allowed: 0 to 100"),
    ("mail_sieve_max_actions", 0, "allowed: 1 to 1000"),
    ("mail_sieve_max_script_size", "1M", "must be a whole number"),
    ("mail_sieve_max_storage", 100, "allowed: bytes, 1024 to"),
    ("mail_resolver", 1, "must be true or false"),
    ("mail_resolver_forwarders", "192.0.2.53", "must be a list"),
    ("mail_resolver_forwarders", ["ns.example.org"], "'ns.example.org'"),
    ("mail_resolver_forwarders", ["127.0.0.1"], "not 127.0.0.1, which is its own"),
    ("mail_resolver_forwarders", ["::"], "allowed: a list of IP addresses of resolvers"),
    ("mail_resolver_forwarders", ["192.0.2.53@5353"], "allowed: a list of IP addresses of resolvers"),
    ("mail_dns_addresses", ["mail.example.org"], "allowed: a list of IP addresses"),
    ("mail_dns_addresses", ["192.0.2.1", "127.0.0.1"], "'127.0.0.1': is no address by which others reach"),
    ("mail_dns_addresses", ["0.0.0.0"], "is no address by which others reach a host"),
    ("mail_dns_addresses", ["fe80::1"], "is no address by which others reach a host"),
    ("mail_dns_addresses", ["224.0.0.1"], "is no address by which others reach a host"),
    ("mail_spf_mechanisms", ["spf.letters.example"], "'spf.letters.example': is no term of SPF"),
    ("mail_spf_mechanisms", ["-all"], "'-all': is none of a, mx, ip4, ip6, include, exists"),
    ("mail_spf_mechanisms", ["redirect=example.net"], "is none of a, mx, ip4"),
    ("mail_spf_mechanisms", ["ip4:999.1.1.1"], "'ip4:999.1.1.1': has no IPv4 address"),
    ("mail_spf_mechanisms", ["a:example.net", "a/99"], "'a/99': has the prefix /99; allowed: 0 to 32"),
    ("mail_spf_mechanisms", ["ip6:fe80"], "has no IPv6 address"),
    ("mail_spf_all", "?all", "'-all'"),
    ("mail_dmarc_policy", "strict", "'quarantine'"),
    ("mail_dns_server", "ns1.example.org", "allowed: an IPv4 or IPv6 address"),
    ("mail_dns_key_name", "a key", "allowed: the name of a key"),
    ("mail_dns_key_secret", "hunter2!", "allowed: base64"),
    ("mail_hostname", "mail", "at least two labels"),
    ("mail_hostname", "mail_1.example.org", "not a domain name"),
    ("mail_hostname", "192.0.2.1", "not a domain name"),
    ("mail_hostname", None, "must be text"),
    ("mail_domain", "-example.org", "not a domain name"),
    ("mail_postmaster", "post master", "not the name of a local account"),
    ("mail_domains", "example.org", "must be a list"),
    ("mail_domains", ["example"], "at least two labels"),
    ("mail_domains", [{"domain": "example.org"}], "mail_domains[0].domain: there is no such setting"),
    ("mail_domains", [{"domain_name": "example.org", "active": "yes"}], "must be true or false"),
    ("mail_domains", ["example.org", "EXAMPLE.org"], "'example.org' is there twice"),
    ("mail_domains", ["mail.example.org"], "mail_mydestination: '$myhostname'"),
    ("mail_domains", [7], "must be a dictionary"),
    ("mail_accounts_policy", "delete", "'add-only' or 'authoritative'"),
    ("mail_accounts_delete_mail", 1, "must be true or false"),
    ("mail_db_name", "Mail", "lower-case SQL name"),
    ("mail_db_name", "mail; DROP TABLE x", "lower-case SQL name"),
    ("mail_db_owner", "postgres", "not `postgres`"),
    ("mail_db_name", "all", "no word of pg_hba.conf"),
    ("mail_db_name", "replication", "no word of pg_hba.conf"),
    ("mail_db_lookup_role", "all", "no word of pg_hba.conf"),
    ("mail_db_owner", "pg_owner", "not beginning with `pg_`"),
    ("mail_db_owner", "maillookup", "they must differ"),
    ("mail_db_auth", "trust", "'password' or 'peer'"),
    ("mail_db_host", "db host", "neither a host name nor an IP address"),
    ("mail_db_host", "192.0.2.300", "neither a host name nor an IP address"),
    ("mail_db_port", "5432", "must be a whole number"),
    ("mail_db_port", 0, "1 to 65535"),
    ("mail_db_port", True, "must be a whole number"),
    ("mail_db_hba", ["local mail all trust"], "not a line of pg_hba.conf"),
    ("mail_db_hba", ["host mail all scram-sha-256"], "not a line of pg_hba.conf"),
    ("mail_tls_min_protocol", "TLSv1.1", "'TLSv1.2' or 'TLSv1.3'"),
    ("mail_myorigin", "$ myhostname", "`$myhostname`, `$mydomain`"),
    ("mail_mydestination", ["localhost, example.org"], "a single word, without commas"),
    ("mail_inet_interfaces", ["all", "192.0.2.1"], "must stand alone"),
    ("mail_inet_interfaces", [], "must not be empty"),
    ("mail_inet_interfaces", ["eth0"], "'eth0': not an IP address"),
    ("mail_inet_protocols", "ipv5", "'all', 'ipv4' or 'ipv6'"),
    ("mail_mynetworks", "127.0.0.0/8", "must be a list"),
    ("mail_mynetworks", ["0.0.0.0/0"], "makes an open relay"),
    ("mail_mynetworks", ["0.0.0.0/1", "128.0.0.0/1"], "makes an open relay"),
    ("mail_mynetworks", ["[::]/0"], "makes an open relay"),
    ("mail_mynetworks", ["192.0.2.1/24"], "an address within 192.0.2.0/24"),
    ("mail_spam_allowed_networks", ["mail.example.net"], "a name is none"),
    ("mail_spam_blocked_networks", ["0.0.0.0/0"], "strangers"),
    ("mail_mynetworks", ["2001:db8::/32"], "wants IPv6 in brackets"),
    ("mail_mynetworks", ["[192.0.2.0]/24"], "wants IPv6 in brackets"),
    ("mail_smtpd_relay_restrictions", ["permit_mynetworks"], "Postfix relays for everybody"),
    ("mail_smtpd_relay_restrictions", ["permit", "reject"], "Postfix relays for everybody"),
    ("mail_virtual_mailbox_maps", ["hsah:/etc/postfix/x"], "did you mean 'hash'?"),
    ("mail_virtual_alias_maps", ["proxy:pgsq:/etc/postfix/x"], "did you mean 'pgsql'?"),
    ("mail_map_type", "pqsql", "'proxy:pgsql', 'pgsql', 'proxy:mysql' or 'mysql'"),
    ("mail_message_size_limit", "50M", "must be a whole number"),
    ("mail_message_size_limit", 0, "65536"),
    ("mail_relayhost", "smtp.example.net:99999", "[host]:port"),
    ("mail_relayhost", "192.0.2.1:25", "not a domain name"),
    ("mail_relayhost", "[smtp example net]", "not a domain name"),
    ("mail_transport", {"example.net": "smtp"}, "is not transport:nexthop"),
    ("mail_transport", {"example.net": "smpt:[192.0.2.1]"}, "no service 'smpt'; did you mean 'smtp'?"),
    ("mail_transport", {"exa mple.net": "smtp:"}, "not a pattern of transport(5)"),
    ("mail_virtual", {"anna": "root"}, "'anna': not an address: the @ is missing"),
    ("mail_virtual", {"anna@example.org": []}, "must not be empty"),
    ("mail_local_aliases", {"anna@example.org": "root"}, "not the name of a local account"),
    ("mail_local_aliases", {"root": 'x"y'}, "not the name of a local account"),
    ("mail_local_aliases", {"root": "|\nmallory: /bin/x"}, "not the name of a local account"),
    ("mail_postfix_main", {"smtpd_banr": "x"}, "'smtpd_banr'; did you mean 'smtpd_banner'?"),
    ("mail_postfix_main", {"smtpd_banner": "x\nmynetworks = 0.0.0.0/0"}, "one line of text"),
    ("mail_postfix_main", {"smtpd_banner": 1.5}, "mail_postfix_main.smtpd_banner = 1.5: must be text"),
    ("mail_postfix_main", {"smtpd banner": "x"}, "the key 'smtpd banner'"),
    (
        "mail_postfix_main",
        {"slow_destination_rate_delay": "1s"},
        "no parameter 'slow_destination_rate_delay'",
    ),
    ("mail_postfix_main", ["smtpd_banner"], "must be a dictionary"),
    ("mail_postfix_master", [{"name": "x", "type": "tcp", "command": "smtpd"}], "'inet', 'unix'"),
    ("mail_postfix_master", [{"name": "x", "type": "unix"}], "mail_postfix_master[0].command: is required"),
    ("mail_postfix_master", [{"name": "x", "type": "unix", "comand": "pipe"}], "did you mean 'command'?"),
    ("mail_postfix_master", [{"name": "x", "type": "unix", "command": "pipe\nx"}], "one line of text"),
    (
        "mail_postfix_master",
        [{"name": "x", "type": "unix", "command": "lmtp", "options": {"smtp_hello_nam": "y"}}],
        "mail_postfix_master: Postfix has no parameter 'smtp_hello_nam'; did you mean 'smtp_helo_name'?",
    ),
    ("mail_postfix_master", [{"name": "x", "type": "inet", "command": "smtpd", "private": True}], "private"),
    (
        "mail_postfix_master",
        [{"name": "x", "type": "unix", "command": "lmtp"}] * 2,
        "'x unix' is there twice",
    ),
    ("mail_pop3", "no", "must be true or false"),
    ("mail_home_root", "/", "an absolute path"),
    ("mail_home_root", "var/vmail", "an absolute path"),
    ("mail_home_root", "/var/../etc", "an absolute path without `..`"),
    ("mail_home_root", "/var/%u", "an absolute path"),
    ("mail_vmail_uid", 0, "500 to 65533"),
    ("mail_vmail_gid", 65534, "500 to 65533"),
    ("mail_dovecot_extra", "a\0b", "not of the right form"),
]


@pytest.mark.parametrize("name, value, said", IMPOSSIBLE)
def test_an_impossible_value_is_refused_with_a_reason(name: str, value: object, said: str) -> None:
    found = message(**{name: value})
    assert said in found
    assert "mail_" in found


def test_a_message_names_setting_value_and_allowed_values() -> None:
    assert message(mail_db_port=70000) == (
        "mail_db_port = 70000: must be less than or equal to 65535; allowed: a TCP port, 1 to 65535"
    )


def test_all_problems_are_reported_at_once() -> None:
    said = message(mail_db_port=0, mail_inet_protocols="ipv5", mail_hostnam="x")
    assert all(name in said for name in ("mail_db_port", "mail_inet_protocols", "mail_hostnam:"))


TOGETHER: list[tuple[dict[str, object], str]] = [
    ({"mail_db_auth": "peer", "mail_map_type": "pgsql"}, "mail_map_type: 'pgsql' is impossible"),
    ({"mail_db_auth": "peer", "mail_db_host": "192.0.2.1"}, "without mail_db_host"),
    ({"mail_db_engine": "mysql", "mail_db_hba": ["host a b all reject"]}, "mail_db_hba: is for PostgreSQL"),
    (
        {
            "mail_db_engine": "mysql",
            "mail_db_dsn": "postgresql://admin@db/",
            "mail_db_lookup_password": "p",
        },
        "mail_db_dsn: is for PostgreSQL",
    ),
    ({"mail_db_engine": "mysql", "mail_db_host": "192.0.2.1"}, "mail_db_host: is for PostgreSQL"),
    (
        {
            "mail_db_dsn": "postgresql://admin@db/",
            "mail_db_lookup_password": "p",
            "mail_db_hba": ["hostssl mail reports 192.0.2.7/32 scram-sha-256"],
        },
        "mail_db_hba: no pg_hba.conf is written",
    ),
    ({"mail_db_engine": "mysql", "mail_map_type": "pgsql"}, "allowed: 'proxy:mysql' or 'mysql'"),
    ({"mail_map_type": "mysql"}, "allowed: 'proxy:pgsql' or 'pgsql'"),
    (
        {"mail_db_engine": "mysql", "mail_db_auth": "peer", "mail_map_type": "mysql"},
        "mail_map_type: 'mysql' is impossible",
    ),
    ({"mail_db_engine": "mysql", "mail_db_name": "mysql"}, "mail_db_name: 'mysql' is taken"),
    ({"mail_db_engine": "mysql", "mail_db_lookup_role": "postfix"}, "'postfix' is taken in MariaDB"),
    ({"mail_relayhost_user": "u", "mail_relayhost": "[r.example.net]"}, "give both or neither"),
    ({"mail_relayhost_user": "u", "mail_relayhost_password": "p"}, "needs a mail_relayhost"),
    (
        {"mail_relay_domains": ["a.example"], "mail_domains": ["a.example"]},
        "'a.example' is one of mail_domains",
    ),
    (
        {"mail_relay_domains": ["a.example"], "mail_alias_domains": {"a.example": "example.net"}},
        "mail_relay_domains: 'a.example' is one of mail_domains too",
    ),
    (
        {
            "mail_relay_domains": [{"domain_name": "a.example", "next_hop": "[b.example]"}],
            "mail_transport": {"a.example": "smtp:[c.example]"},
        },
        "mail_transport: 'a.example' has a next_hop in mail_relay_domains too",
    ),
    ({"mail_transport": {"x.example": "sender-relay:[b.example]"}}, "no service 'sender-relay'"),
    ({"mail_mydestination": ["$mydomain"], "mail_domains": ["example.org"]}, "'$mydomain' is 'example.org'"),
    ({"mail_mydestination": ["${mydomain}"], "mail_domains": ["example.org"]}, "is 'example.org'"),
    (
        {"mail_sieve": False, "mail_sieve_max_redirects": 0},
        "mail_sieve_max_redirects: needs mail_sieve = True",
    ),
    ({"mail_postscreen_greet_wait": 3}, "mail_postscreen_greet_wait: needs mail_postscreen = True"),
    ({"mail_resolver": False, "mail_resolver_forwarders": ["192.0.2.53"]}, "needs mail_resolver = True"),
    ({"mail_dns_server": "192.0.2.53"}, "mail_dns_key_name: is required with mail_dns_server"),
    ({"mail_dns_server": "192.0.2.53", "mail_dns_key_name": "a"}, "mail_dns_key_secret: is required with"),
    ({"mail_rspamd": False, "mail_srs": False, "mail_dmarc_policy": "reject"}, "needs mail_rspamd = True"),
    ({"mail_antivirus_unavailable": "pass"}, "mail_antivirus_unavailable: needs mail_antivirus = True"),
    ({"mail_rspamd": False, "mail_antivirus": True}, "mail_antivirus: needs mail_rspamd = True"),
    (
        {"mail_rspamd": False, "mail_trusted_sealers": ["a.example"]},
        "mail_trusted_sealers: needs mail_rspamd",
    ),
    ({"mail_rspamd": False, "mail_dkim_ed25519": False}, "mail_dkim_ed25519: needs mail_rspamd = True"),
    ({"mail_rspamd": False, "mail_user_message_daily_limit": 0}, "_daily_limit: needs mail_rspamd = True"),
    (
        {
            "mail_rspamd": False,
            "mail_users": [{"email": "a@example.org", "recipient_rate_limit": 5000}],
        },
        "mail_users: recipient_rate_limit of a@example.org needs mail_rspamd",
    ),
    ({"mail_sieve": False, "mail_sieve_before": "keep;"}, "mail_sieve_before: no script runs"),
    (
        {"mail_sieve": False, "mail_users": [{"email": "a@example.org", "detail_folders": True}]},
        "detail_folders of a@example.org needs mail_sieve",
    ),
    (
        {
            "mail_domains": ["example.org"],
            "mail_users": [{"email": "a@exmaple.org"}],
            "mail_accounts_policy": "authoritative",
        },
        "a@exmaple.org: there is no domain exmaple.org in mail_domains; did you mean 'example.org'",
    ),
    (
        {"mail_aliases": {"b@example.org": "a@example.net"}, "mail_accounts_policy": "authoritative"},
        "mail_aliases: b@example.org: there is no domain example.org in mail_domains",
    ),
    (
        {"mail_alias_domains": {"b.example": "example.org"}, "mail_accounts_policy": "authoritative"},
        "mail_alias_domains: b.example: there is no domain example.org in mail_domains",
    ),
    (
        {
            "mail_domains": [{"domain_name": "example.org", "quota_mb": 100}],
            "mail_users": [{"email": f"{name}@example.org", "quota_mb": 60} for name in "ab"],
        },
        "users in example.org add up to 120 MiB, more than the 100 of the domain (quota_mb in mail_domains)",
    ),
    (
        {
            "mail_domains": [{"domain_name": "example.org", "quota_messages": 100}],
            "mail_users": [{"email": "a@example.org", "quota_messages": 0}],
        },
        "the domain example.org has a quota of 100 messages, so every user in it needs one",
    ),
    ({"mail_db_dsn": "postgresql://admin@db.example.net/"}, "mail_db_lookup_password: is required"),
    (
        {"mail_db_dsn": "host=db user=mailadmin password=hunter2", "mail_db_lookup_password": "p"},
        "mail_db_dsn: its user 'mailadmin' is mail_db_owner too; they must differ",
    ),
    (
        {
            "mail_db_dsn": "postgresql://admin@db.example.net/",
            "mail_db_lookup_password": "p",
            "mail_password_upgrade": True,
        },
        "mail_db_upgrade_password: is required",
    ),
    (
        {"mail_db_dsn": "host=db%{x} user=admin", "mail_db_lookup_password": "p"},
        "mail_db_dsn: the host must be one name or address",
    ),
    (
        {"mail_db_dsn": "host=db user=admin password='hunter2\nx'", "mail_db_lookup_password": "p"},
        "mail_db_dsn: must be one line without control characters",
    ),
    ({"mail_db_upgrade_role": "mailadmin"}, "mail_db_upgrade_role: 'mailadmin' is mail_db_owner too"),
    ({"mail_db_upgrade_role": "maillookup"}, "is mail_db_lookup_role too"),
    ({"mail_db_webmail_role": "mailadmin"}, "mail_db_webmail_role: 'mailadmin' is mail_db_owner too"),
    ({"mail_db_webmail_role": "mailupgrade"}, "is mail_db_upgrade_role too"),
    ({"mail_db_webmail_role": "public"}, "mail_db_webmail_role = 'public': not of the right form"),
    ({"mail_webmail": True, "mail_web": False}, "mail_webmail: needs mail_web; allowed: mail_web = True"),
    (
        {"mail_webmail": True, "mail_db_engine": "mysql"},
        "mail_webmail: is for PostgreSQL; not allowed with mail_db_engine 'mysql'",
    ),
    (
        {
            "mail_db_dsn": "postgresql://admin@db.example.net/",
            "mail_db_lookup_password": "p",
            "mail_webmail": True,
        },
        "mail_db_webmail_password: is required",
    ),
    ({"mail_max_userip_connections": 0}, "allowed: a number, 1 or more"),
    ({"mail_last_login_minutes": -1}, "allowed: minutes, up to 525600"),
    ({"mail_password_upgrade": "yes"}, "must be true or false"),
    (
        {
            "mail_db_dsn": "postgresql://admin@db.example.net/",
            "mail_db_lookup_password": "p",
            "mail_db_auth": "peer",
        },
        "must be 'password' when mail_db_dsn is set",
    ),
]


@pytest.mark.parametrize("values, said", TOGETHER)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, object], said: str) -> None:
    assert said in message(**values)


@pytest.mark.parametrize("switch", ["mail_rspamd", "mail_resolver", "mail_sieve"])
def test_a_switch_is_refused_for_no_default(switch: str) -> None:
    fields = Settings.model_fields
    group = [name for name in fields if name.startswith(("mail_user_", "mail_resolver", "mail_sieve"))]
    assert len(group) > 10
    defaults = {name: fields[name].default for name in group}
    Settings.from_data({"mail_hostname": "mail.example.org", **defaults, switch: False})
    user = {"email": "a@example.org", "message_rate_limit": 0}
    Settings.from_data({"mail_hostname": "mail.example.org", "mail_users": [user], switch: False})


def test_accounts_that_the_database_may_have_are_not_refused() -> None:
    Settings(
        mail_hostname="mail.example.org",
        mail_domains=[{"domain_name": "example.org", "quota_mb": 100}],
        mail_users=[{"email": "a@example.org"}, {"email": "b@elsewhere.example", "quota_mb": 200}],
        mail_aliases={"info@elsewhere.example": "a@example.org"},
    )
