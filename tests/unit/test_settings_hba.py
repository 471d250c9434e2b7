"""Lines for pg_hba.conf, where PostgreSQL itself would only log an error."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.settings import SettingsError


@pytest.mark.parametrize(
    "line",
    [
        "host mail reports 192.0.2.7/32 scram-sha-256",
        "hostssl all all 2001:db8::/32 cert",
        "host mail reports 192.0.2.0 255.255.255.0 md5",
        "hostnossl mail reports samenet reject",
        "host mail reports db.example.net scram-sha-256",
        "local mail reports peer map=mailstack",
        "hostssl mail reports all cert clientcert=verify-full map=x",
    ],
)
def test_lines_that_postgresql_takes(line: str) -> None:
    assert Settings(mail_hostname="mail.example.org", mail_db_hba=[line]).mail_db_hba == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "host mail reports 300.0.2.7/32 scram-sha-256",
        "host mail reports 192.0.2.7/33 scram-sha-256",
        "host mail reports 192.0.2.7 scram-sha-256",
        "host mail reports 192.0.2.7 255.255.255.3.0 md5",
        "host mail reports 2001:db8::/129 md5",
        "host mail reports 192.0.2.7/32 peer",
        "host mail reports 192.0.2.7/32 scram",
        "host mail reports 192.0.2.7/32 scram-sha-256 please",
        "local mail reports",
        "mail reports 192.0.2.7/32 scram-sha-256",
    ],
)
def test_lines_that_it_would_not_take(line: str) -> None:
    with pytest.raises(SettingsError, match="mail_db_hba"):
        Settings(mail_hostname="mail.example.org", mail_db_hba=[line])
