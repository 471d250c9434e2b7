"""No secret in an error or in a representation of the settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.hiddenvalue import HiddenValue

from mailstack.endpoint import Endpoint
from mailstack.settings import Settings

HOST: dict[str, Any] = {"mail_hostname": "mail.example.org"}
SOUND_HASH = "$5$7a9F0tfH6CA31i2E$1wFyFRFjlPoYhXuVepAnAXeaUeKvEXLk32P4VM0mu36"

SECRETS: list[dict[str, Any]] = [
    {"mail_db_lookup_password": "hunter2\n"},
    {"mail_db_lookup_password": ["hunter2"]},
    {"mail_db_owner_password": " hunter2"},
    {"mail_db_pasword": "hunter2"},
    {"mail_relayhost_password": "hunter2"},
    {"mail_relayhost_password": "hunter2\0"},
    {"mail_sender_relayhosts": {"@example.org": {"host": "", "user": "u", "password": "hunter2"}}},
    {"mail_sender_relayhosts": {"@example.org": {"host": "[r.example.net]", "password": "hunter2"}}},
    {"mail_sender_relayhosts": {"@example.org": {"host": "[r.de]", "user": "u", "passwort": "hunter2"}}},
    {"mail_sender_relayhosts": {"@b.de": {"host": "[r.de]", "user": "u", "password": "hunter2\n"}}},
    {"mail_tls_key": "hunter2"},
    {"mail_tls_key": "-----BEGIN PRIVATE KEY-----\nhunter2\n"},
    {"mail_db_dsn": "postgresql://admin:hunter2@/"},
    {"mail_db_dsn": "host=db user=admin password='hunter2"},
    {"mail_db_dsn": "host=db user=admin hunter2"},
    {"mail_db_dsn": "postgresql://admin:hunter2@a,b/"},
    {"mail_db_dsn": "postgresql://admin:hunter2@db:0/"},
    {"mail_dns_key_secret": "hunter2!"},
    {"mail_dns_key_secret": "hunter2aaaaa", "mail_dns_key_name": "mail"},
    {"mail_users": "anna@example.org:hunter2"},
    {"mail_users": ["anna@example.org:hunter2"]},
    {"mail_users": [["anna@example.org", "hunter2"]]},
    {"mail_users": [{"email": "anna@example.org", "passwd": "hunter2"}]},
    {"mail_users": [{"email": "anna@example.org", "password_hash": "hunter2"}]},
    {"mail_users": [{"email": "anna@example.org", "password_hash": "{PLAIN}hunter2"}]},
    {"mail_users": [{"email": "anna@example.org", "initial_password": "hunter2\t"}]},
    {"mail_users": [{"email": "anna", "initial_password": "hunter2"}]},
    {
        "mail_users": [
            {"email": "anna@example.org", "app_passwords": [{"name": "phone", "password": "hunter2"}]}
        ]
    },
    {
        "mail_users": [
            {"email": "anna@example.org", "initial_password": "hunter2", "password_hash": SOUND_HASH}
        ]
    },
]


@pytest.mark.parametrize("values", SECRETS)
def test_no_secret_is_in_an_error_or_its_traceback(values: dict[str, Any]) -> None:
    with pytest.raises(OperationValueError) as caught:
        Settings(**HOST, **values)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__suppress_context__
    assert "hunter2" not in str(caught.value.__context__)


def test_no_secret_is_in_the_repr() -> None:
    made = Settings(
        **HOST,
        mail_db_owner_password="hunter2",
        mail_db_lookup_password=HiddenValue("hunter2"),  # type: ignore[no-untyped-call]
        mail_db_upgrade_password="hunter2",
        mail_db_dsn=SecretStr("postgresql://admin:hunter2@db.example.net:5433/x?sslmode=verify-full"),
        mail_relayhost="[smtp.example.net]:587",
        mail_relayhost_user="anna",
        mail_relayhost_password="hunter2",
        mail_sender_relayhosts={"@a.example": {"host": "[r.de]", "user": "u", "password": "hunter2"}},
        mail_users=[
            {
                "email": "anna@example.org",
                "initial_password": "hunter2",
                "app_passwords": [{"name": "phone", "password": "hunter2-hunter2-and-24-letters"}],
            }
        ],
    )
    assert "hunter2" not in repr(made) + str(made)
    assert made.mail_db_lookup_password is not None
    assert made.mail_db_lookup_password.get_secret_value() == "hunter2"
    assert made.db_endpoint == Endpoint("db.example.net", 5433, "verify-full")
    assert Settings(**HOST).db_endpoint is None
