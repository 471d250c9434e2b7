"""The restriction class of a recipient: one answer for whether it exists, and whether it has a quota."""

from __future__ import annotations

import pytest

from tests.support import clients
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

ROWS = """
BEGIN;
INSERT INTO mail_domain (domain_name, active, user_quota_mb) VALUES
    ('class.example', true, NULL), ('limited.example', true, 5), ('off.example', false, NULL);
INSERT INTO mail_alias_domain (alias_domain, domain_name) VALUES ('other.example', 'class.example');
INSERT INTO mail_users (email, password, active, can_receive, quota_mb, quota_messages) VALUES
    ('plain@class.example', 'x', true, true, NULL, NULL),
    ('full@class.example', 'x', true, true, 1, NULL),
    ('many@class.example', 'x', true, true, NULL, 10),
    ('copied@class.example', 'x', true, true, 1, NULL),
    ('off@class.example', 'x', false, true, NULL, NULL),
    ('deaf@class.example', 'x', true, false, NULL, NULL),
    ('domain@limited.example', 'x', true, true, NULL, NULL),
    ('free@limited.example', 'x', true, true, 0, NULL),
    ('user@off.example', 'x', true, true, NULL, NULL);
INSERT INTO mail_alias (source_email, destination_email) VALUES
    ('one@class.example', 'full@class.example'),
    ('free@class.example', 'plain@class.example'),
    ('two@class.example', 'full@class.example'), ('two@class.example', 'plain@class.example'),
    ('away@class.example', 'someone@remote.example'),
    ('lost@class.example', 'nobody@class.example'),
    ('copied@class.example', 'plain@class.example'),
    ('off@class.example', 'full@class.example'),
    ('@limited.example', 'full@class.example');
"""
KNOWN, LIMITED, NONE = "known_recipient", "limited_recipient", ""
CLASSES = {
    "plain@class.example": KNOWN,
    "full@class.example": LIMITED,
    "many@class.example": LIMITED,
    "plain@other.example": KNOWN,
    "full@other.example": LIMITED,
    # a mailbox with an alias of its address: the quota of the mailbox, as ever
    "copied@class.example": LIMITED,
    "off@class.example": KNOWN,
    "deaf@class.example": NONE,
    "domain@limited.example": LIMITED,
    "free@limited.example": KNOWN,
    "any@limited.example": LIMITED,
    "user@off.example": NONE,
    "one@class.example": LIMITED,
    "free@class.example": KNOWN,
    "two@class.example": KNOWN,
    "away@class.example": KNOWN,
    "lost@class.example": NONE,
    "nobody@class.example": NONE,
    "plain+tag@class.example": NONE,
    "postmaster@class.example": KNOWN,
    "postmaster@other.example": KNOWN,
    "postmaster@off.example": NONE,
    "postmaster@nowhere.example": NONE,
    "@class.example": NONE,
}


def test_the_classes(server: Target) -> None:
    """A class is there if and only if `mailstack_recipient` has the recipient."""
    questions = "".join(
        f"SELECT '{address}',"
        f" coalesce((SELECT string_agg(c, ' ') FROM mailstack_recipient_class({key}) AS c), ''),"
        f" (SELECT count(*) FROM mailstack_recipient({key})) > 0;\n"
        for address in CLASSES
        for key in ["'{}', '{}', 'root@mail.example.org'".format(*address.split("@"))]
    )
    lines = clients.sql(server, f"{ROWS}{questions}ROLLBACK;").splitlines()
    found = {address: (name, known) for address, name, known in (line.split("|") for line in lines)}
    assert {address: name for address, (name, _) in found.items()} == CLASSES
    assert {address: known == "t" for address, (_, known) in found.items()} == {
        address: bool(name) for address, name in CLASSES.items()
    }
