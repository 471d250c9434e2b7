"""Accepted settings; test_settings_refused has the refused ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.settings import Settings
from mailstack.settings.reference import reference

HOST = {"mail_hostname": "mail.example.org"}


def settings(**values: Any) -> Settings:
    return Settings(**(HOST | values))


def test_a_hostname_and_a_domain_are_enough() -> None:
    made = Settings(mail_hostname="Mail.Example.org", mail_domains=["example.org"])
    assert made.mail_hostname == "mail.example.org"
    assert made.domain == "example.org"
    assert [(domain.domain_name, domain.active) for domain in made.mail_domains] == [("example.org", True)]
    assert made.mail_smtpd_relay_restrictions[-1] == "reject_unauth_destination"


def test_host_data_is_picked_by_name() -> None:
    made = Settings.from_data(HOST | {"ssh_user": "root", "mail_pop3": True})
    assert made.mail_pop3
    with pytest.raises(OperationValueError, match="mail_pop4: there is no such setting"):
        Settings.from_data(HOST | {"mail_pop4": True})
    with pytest.raises(OperationValueError, match="mail_hostname: is required"):
        Settings.from_data({})


def test_sound_values_are_kept_in_one_form() -> None:
    made = settings(
        mail_domains=["Bücher.example", {"domain_name": "example.net", "active": False}],
        mail_mynetworks=["192.0.2.0/24", "[2001:db8::]/32"],
        mail_inet_interfaces=["127.0.0.1", "[::1]", "$myhostname"],
        mail_relayhost="[2001:db8::1]:587",
        mail_transport={"*": "smtp:", "x@example.com": "error:5.1.1 gone", ".example.com": ":[192.0.2.9]"},
        mail_relay_domains={"Backup.example": ["Anna+x@backup.example"]},
        mail_sender_relayhosts={"@Example.org": "[smtp.example.net]:587"},
        mail_virtual={"Anna@Example.org": "root", "@example.net": ["a@example.com", "b@example.com"]},
        mail_local_aliases={"root": "anna@example.org", "list": ["|/usr/bin/list -x", ":include:/etc/l"]},
        mail_postfix_main={"biff": False, "smtpd_tls_loglevel": 1, "smtpd_banner": "$myhostname ESMTP"},
        mail_db_hba=["hostssl mail reports 2001:db8::/32 scram-sha-256", "local mail all peer map=mail"],
        mail_smtpd_relay_restrictions=["permit_mynetworks", "check_client_access hash:/x", "defer"],
    )
    assert [domain.domain_name for domain in made.mail_domains] == ["xn--bcher-kva.example", "example.net"]
    assert made.mail_relay_domains[0].recipients == ("anna+x@backup.example",)
    assert made.mail_sender_relayhosts["@example.org"].host == "[smtp.example.net]:587"
    assert made.mail_virtual["anna@example.org"] == ("root",)
    assert made.mail_virtual["@example.net"] == ("a@example.com", "b@example.com")
    assert made.mail_local_aliases["root"] == ("anna@example.org",)
    assert made.mail_postfix_main["biff"] == "no"
    assert made.mail_postfix_main["smtpd_tls_loglevel"] == "1"


def test_settings_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        settings().mail_pop3 = True


@pytest.mark.parametrize(
    "values, domain",
    [({}, "example.org"), ({"mail_hostname": "example.org"}, "example.org"), ({"mail_domain": "b.c"}, "b.c")],
)
def test_mydomain_follows_the_hostname(values: dict[str, str], domain: str) -> None:
    assert settings(**values).domain == domain


def test_the_committed_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text("utf-8") == reference(), "python -m mailstack.settings.reference > docs/settings.md"
