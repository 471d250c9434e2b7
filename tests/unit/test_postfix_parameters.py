"""The parameters that Postfix has, and the form of a service."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.components.postfix import POSTFIX
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from mailstack.settings import Settings, SettingsError
from mailstack.settings.postfix_master import MasterService
from mailstack.settings.postfix_parameters import (
    bad_values,
    built_in,
    differences,
    nearest_version,
    unknown_parameters,
)
from tests.support.sites import files, site

SLOW = {"name": "slow", "type": "unix", "command": "smtp"}


def settings(**values: Any) -> Settings:
    return Settings(mail_hostname="mail.example.org", **values)


def test_each_version_has_its_own_parameters() -> None:
    assert "smtpd_banner" in built_in("3.7") & built_in("3.10")
    assert "smtpd_hide_client_session" in built_in("3.10") - built_in("3.7")
    assert built_in() == built_in("3.7") | built_in("3.10")


def test_a_parameter_of_a_newer_postfix_is_unknown_to_the_older() -> None:
    made = settings(mail_postfix_main={"smtpd_hide_client_session": True, "biff": False})
    assert unknown_parameters(made, "3.7.11") == ["smtpd_hide_client_session"]
    assert unknown_parameters(made, "3.10.13") == []


def test_where_it_is_unknown_nothing_is_installed() -> None:
    made = settings(mail_postfix_main={"smtpd_hide_client_session": True})
    assert "postfix" in POSTFIX.packages(site(made), RELEASES[1])
    with pytest.raises(OperationValueError, match=r"Postfix 3\.7 has no smtpd_hide_client_session"):
        POSTFIX.packages(site(made), RELEASES[0])


@pytest.mark.parametrize(
    "values",
    [
        {"mail_postfix_main": {"lmtp_destination_concurrency_limit": 20}},
        {"mail_postfix_main": {"slow_destination_rate_delay": "1s"}, "mail_postfix_master": [SLOW]},
        {"mail_postfix_main": {"my_checks": "reject", "smtpd_client_restrictions": "$my_checks"}},
        {"mail_postfix_main": {"my_checks": "reject", "smtpd_client_restrictions": "${my_checks}"}},
        {"mail_postfix_main": {"my_name": "a.example"}, "mail_mydestination": ["$my_name"]},
        {
            "mail_postfix_main": {
                "strict": "reject",
                "smtpd_restriction_classes": "lax, strict",
                "lax": "permit",
            }
        },
        {
            "mail_postfix_main": {"my_relay": "permit_sasl_authenticated,reject"},
            "mail_postfix_master": [SLOW | {"options": {"smtpd_relay_restrictions": "$my_relay"}}],
        },
    ],
)
def test_parameters_that_the_settings_bring_are_known(values: dict[str, object]) -> None:
    assert unknown_parameters(settings(**values), "3.7.11") == []


def refused(name: str, value: object, **further: Any) -> str | None:
    """Return the error for this value in `mail_postfix_main`."""
    try:
        made = settings(mail_postfix_main={name: value}, **further)
    except SettingsError as error:
        return str(error)
    assert bad_values(made) == []
    return None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("biff", "maybe"),
        ("biff", "true"),
        ("biff", ""),
        ("biff", "$myown"),
        ("smtpd_hard_error_limit", "many"),
        ("smtpd_hard_error_limit", "0.5"),
        ("smtpd_hard_error_limit", "7 per hour"),
        ("smtpd_hard_error_limit", True),
        ("maximal_queue_lifetime", "long"),
        ("maximal_queue_lifetime", "5 d"),
        ("maximal_queue_lifetime", "5y"),
        ("maximal_queue_lifetime", "-1d"),
        ("smtp_destination_rate_delay", "soon"),
        ("slow_destination_concurrency_limit", "few"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: object) -> None:
    own = {"name": "x", "type": "unix", "command": "smtp", "options": {"myown": "x", "syslog_name": "$myown"}}
    said = refused(name, value, mail_postfix_master=[SLOW, own])
    if value == "$myown":
        assert said is None, "what a service has of its own is not for all"
    else:
        assert said is not None
        shown = "yes" if value is True else value
        assert f"mail_postfix_main: {name} = {shown!r}; allowed: " in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("biff", True),
        ("biff", "YES"),
        ("smtpd_hard_error_limit", 7),
        ("maximal_queue_lifetime", "5d"),
        ("maximal_queue_lifetime", 5),
        ("minimal_backoff_time", "$queue_run_delay"),
        ("smtpd_hard_error_limit", "${stress?{1}:{20}}"),
        ("default_destination_concurrency_negative_feedback", "1/concurrency"),
        ("smtp_destination_concurrency_positive_feedback", "0.5"),
        ("smtpd_forbid_bare_newline", "normalize"),
        ("lmtp_tcp_port", "lmtp"),
        ("smtpd_banner", ""),
    ],
)
def test_a_value_of_its_kind_is_taken(name: str, value: object) -> None:
    assert refused(name, value) is None


def test_a_reference_is_followed_within_the_settings() -> None:
    wrong = {"my_time": "x", "maximal_queue_lifetime": "${my_time}", "biff": "$(loop)", "loop": "$biff"}
    with pytest.raises(SettingsError, match=r"maximal_queue_lifetime = '.\{my_time\}'; allowed: a time"):
        settings(mail_postfix_main=wrong)
    settings(mail_postfix_main=wrong | {"my_time": "5d"})


def test_so_is_a_bad_value_of_a_service() -> None:
    service = SLOW | {"options": {"smtp_connect_timeout": "x", "biff": "$y"}}
    with pytest.raises(SettingsError) as error:
        settings(mail_postfix_master=[service], mail_postfix_main={"y": "perhaps"})
    assert "mail_postfix_master: slow: smtp_connect_timeout = 'x'; allowed: a time" in str(error.value)
    assert "mail_postfix_master: slow: biff = '$y'; allowed: yes or no" in str(error.value)


@pytest.mark.parametrize(
    "actual, known", [("3.7.11", "3.7"), ("3.9", "3.7"), ("3.10.1", "3.10"), ("4.0", "3.10")]
)
def test_the_nearest_version_is_not_newer(actual: str, known: str) -> None:
    assert nearest_version(actual) == known


def test_a_postfix_that_is_too_old_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3\.5\.6 is older than 3\.7"):
        nearest_version("3.5.6")


def test_a_host_is_compared_without_its_transports() -> None:
    host = built_in("3.7") - {"biff"} | {"slow_destination_rate_delay", "brand_new"}
    assert differences("3.7.11", host) == ({"brand_new"}, {"biff"})


def test_a_service_is_written_in_columns() -> None:
    service = MasterService(
        name="[::1]:10025",
        type="inet",
        private=False,
        chroot=True,
        wakeup="60?",
        maxproc=0,
        command="smtpd -v",
        options={
            "syslog_name": "postfix/x",
            "smtpd_client_restrictions": "permit_mynetworks, reject",
            "biff": "",
        },
    )
    columns, *options = service.render().splitlines()
    assert columns.split() == ["[::1]:10025", "inet", "n", "-", "y", "60?", "0", "smtpd", "-v"]
    assert options == [
        "  -o syslog_name=postfix/x",
        "  -o { smtpd_client_restrictions = permit_mynetworks, reject }",
        "  -o biff=",
    ]


def test_numbers_and_truths_are_written_as_postfix_has_them() -> None:
    made = settings(
        mail_postfix_master=[SLOW | {"wakeup": 60, "options": {"biff": True, "hash_queue_depth": 2}}]
    )
    assert made.mail_postfix_master[0].render().split("\n")[1:3] == [
        "  -o biff=yes",
        "  -o hash_queue_depth=2",
    ]
    assert made.mail_postfix_master[0].wakeup == "60"


def test_a_parameter_that_is_given_takes_its_comment_along() -> None:
    given = {"header_size_limit": "102400", "relayhost": "[relay.example.net]"}
    main = next(
        file.content or ""
        for file in files(POSTFIX, settings(mail_postfix_main=given), RELEASES[1])
        if isinstance(file, File) and file.path == "/etc/postfix/main.cf"
    )
    assert "Fields of the header" not in main
    assert "lines over 998 octets" in main
    assert "# Mail to other servers\n" in main  # of the whole paragraph
    assert main.count("relayhost =") == 1
