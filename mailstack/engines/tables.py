"""The tables, their columns and the values that these accept. Pure.

Each engine makes its DDL from this, and ``mailstack.accounts.rows`` reads and writes accounts by it. A run
adds missing columns, keys and rules to an existing database, without loss of rows. So a new column is one
line here. Nothing else in the engines changes, unless a lookup uses it.
"""

from __future__ import annotations

from mailstack.addresses import DOMAIN, LOCAL_PART, MAILBOX_LOCAL_PART
from mailstack.engines.table import Check, Column, Index, IsAddress, Key, Matches, Reference, Sql, Table
from mailstack.settings.accounts import APP_PASSWORD_NAME

_ACTIVE = Column("active", "boolean", default=True)
_OUTSIDE = "[[:cntrl:]]|(^|/)[.][.](/|$)"
"""A pattern that no path may match: it would lead out of its directory, or out of a line of a file."""
USER_LIMITS = ("message_rate_limit", "recipient_rate_limit", "message_daily_limit", "recipient_daily_limit")
"""The columns for how much a user may send: in an hour, and in a day."""


def _number(name: str) -> Column:
    """Return a column for a limit; 0 is no limit."""
    return Column(name, "number", required=False)


def _domain_of(column: str) -> Column:
    return Column("domain_name", "domain", required=False, domain_of=column)


def _user(name: str) -> Reference:
    """Return a reference by which the row is deleted with its user, and follows the user's address."""
    return Reference(name, "email", "mail_users", "email", follow=("UPDATE", "DELETE"))


TABLES = (
    Table(
        "mail_domain",
        (
            Column("domain_name", "domain", fold="lower"),
            _ACTIVE,
            # the largest sum of its users' quotas, and the quota of a user without its own
            _number("quota_mb"),
            _number("quota_messages"),
            _number("user_quota_mb"),
            _number("user_quota_messages"),
        ),
        keys=(Key("mailstack_domain_key", ("domain_name",)),),
        checks=(
            Check("mailstack_domain_form", (Matches("domain_name", DOMAIN),)),
            Check(
                "mailstack_domain_quota",
                ("quota_mb >= 0", "quota_messages >= 0", "user_quota_mb >= 0", "user_quota_messages >= 0"),
            ),
        ),
        word="domain",
    ),
    Table(
        "mail_users",
        (
            Column("email", "address", fold="lower"),
            Column("password", "text", secret=True),
            Column("home_directory", "text", required=False),  # without it, mail_directory
            _number("quota_mb"),
            _ACTIVE,
            _domain_of("email"),
            Column("can_send", "boolean", default=True),
            Column("can_receive", "boolean", default=True),
            Column("detail_folders", "boolean", default=False),
            # below mail_home_root; kept when the address changes, and never reused for another user
            Column("mail_directory", "text", default=Sql("new directory")),
            # tells which older hash a login replaced: functions/logins.sql
            Column("password_origin", "text", required=False, secret=True),
            _number("quota_messages"),
            # how Dovecot stores the mail; never changed but by the command that carries the mail over
            Column("mail_driver", "word", default=Sql("mail driver")),
            # without them, the limits in the settings
            *map(_number, USER_LIMITS),
            # the host with the mailbox, on a server with several: mailstack.backends
            Column("backend", "text", required=False),
        ),
        keys=(Key("mailstack_users_key", ("email",)),),
        checks=(
            Check("mailstack_users_form", (IsAddress("email", MAILBOX_LOCAL_PART),)),
            Check("mailstack_users_password", ("password <> ''",)),
            Check(
                "mailstack_users_home",
                (Matches("home_directory", "^/"), Matches("home_directory", _OUTSIDE, no=True)),
            ),
            Check(
                "mailstack_users_directory",
                ("mail_directory <> ''", Matches("mail_directory", f"^/|{_OUTSIDE}", no=True)),
            ),
            Check("mailstack_users_quota", ("quota_mb >= 0",)),
            Check("mailstack_users_quota_messages", ("quota_messages >= 0",)),
            Check("mailstack_users_driver", ("mail_driver IN ('maildir', 'sdbox')",)),
            Check("mailstack_users_limits", tuple(f"{name} >= 0" for name in USER_LIMITS)),
        ),
        references=(Reference("mailstack_users_domain", "domain_name", "mail_domain", "domain_name"),),
        indexes=(Index("mailstack_users_domain", ("domain_name",)),),
        word="user",
    ),
    Table(
        "mail_alias",
        (
            Column("source_email", "address", fold="lower"),  # "@domain" is a catch-all
            Column("destination_email", "address", fold="destination"),
            _ACTIVE,
            _domain_of("source_email"),
        ),
        keys=(Key("mailstack_alias_key", ("source_email", "destination_email")),),
        checks=(
            Check(
                "mailstack_alias_source_form",
                (IsAddress("source_email", MAILBOX_LOCAL_PART, or_domain=True),),
            ),
            Check("mailstack_alias_destination_form", (IsAddress("destination_email", LOCAL_PART),)),
        ),
        references=(Reference("mailstack_alias_domain", "domain_name", "mail_domain", "domain_name"),),
        indexes=(
            Index("mailstack_alias_domain", ("domain_name",)),
            Index("mailstack_alias_destination", ("destination_email",)),
        ),
        word="alias",
    ),
    # the addresses beside its own that a user may send from; "@domain" is every address there
    Table(
        "mail_sender",
        (
            Column("email", "address", fold="lower"),
            Column("sender_email", "address", fold="lower"),
        ),
        # the address comes first, because Postfix looks up by it
        keys=(Key("mailstack_sender_key", ("sender_email", "email"), primary=False),),
        checks=(
            Check("mailstack_sender_form", (IsAddress("sender_email", MAILBOX_LOCAL_PART, or_domain=True),)),
        ),
        references=(_user("mailstack_sender_user"),),
        indexes=(Index("mailstack_sender_email", ("email",)),),
        word="sender",
        known_by=("email", "sender_email"),
    ),
    Table(
        "mail_app_password",
        (
            Column("email", "address", fold="lower"),
            Column("name", "word"),
            Column("digest", "word", secret=True),  # see passwords.app_digest
            Column("service", "word", default="all"),
            Column("used_at", "time", required=False),  # its last login: functions/logins.sql
        ),
        keys=(
            Key("mailstack_app_password_key", ("email", "name")),
            # unique for each user, because a login finds the row by it
            Key("mailstack_app_password_digest", ("email", "digest"), primary=False),
        ),
        checks=(
            Check(
                "mailstack_app_password_form",
                (
                    Matches("name", f"^{APP_PASSWORD_NAME}$"),
                    Matches("digest", "^[0-9a-f]{64}$"),
                    "service IN ('all', 'imap', 'smtp')",
                ),
            ),
        ),
        references=(_user("mailstack_app_password_user"),),
        word="app password",
    ),
    # a domain whose addresses are those of another one
    Table(
        "mail_alias_domain",
        (
            Column("alias_domain", "domain", fold="lower"),
            Column("domain_name", "domain", fold="lower"),
            _ACTIVE,
        ),
        keys=(Key("mailstack_alias_domain_key", ("alias_domain",)),),
        checks=(Check("mailstack_alias_domain_form", (Matches("alias_domain", DOMAIN),)),),
        references=(
            Reference(
                "mailstack_alias_domain_target",
                "domain_name",
                "mail_domain",
                "domain_name",
                follow=("UPDATE",),
            ),
        ),
        indexes=(Index("mailstack_alias_domain_target", ("domain_name",)),),
        word="alias domain",
    ),
    # an alias for a local part in every domain without a user or alias of that address
    Table(
        "mail_wildcard",
        (
            Column("local_part", "word", fold="lower"),
            Column("destination_email", "address", fold="destination"),
            _ACTIVE,
        ),
        keys=(Key("mailstack_wildcard_key", ("local_part", "destination_email")),),
        checks=(
            Check(
                "mailstack_wildcard_form",
                (Matches("local_part", MAILBOX_LOCAL_PART), IsAddress("destination_email", LOCAL_PART)),
            ),
        ),
        word="alias in all domains",
    ),
    # Domains whose mail is relayed, as by a backup MX, and their recipients. Others are refused at RCPT,
    # because mail that the primary refuses later would become a bounce to a forged sender.
    Table(
        "mail_relay_domain",
        (
            Column("domain_name", "domain", fold="lower"),
            Column("any_recipient", "boolean", default=False),
            _ACTIVE,
        ),
        keys=(Key("mailstack_relay_domain_key", ("domain_name",)),),
        checks=(Check("mailstack_relay_domain_form", (Matches("domain_name", DOMAIN),)),),
        word="relay domain",
    ),
    Table(
        "mail_relay_recipient",
        (Column("address", "address", fold="lower"), _domain_of("address")),
        keys=(Key("mailstack_relay_recipient_key", ("address",)),),
        checks=(Check("mailstack_relay_recipient_form", (IsAddress("address", LOCAL_PART),)),),
        references=(
            Reference(
                "mailstack_relay_recipient_domain",
                "domain_name",
                "mail_relay_domain",
                "domain_name",
                follow=("DELETE",),
            ),
        ),
        indexes=(Index("mailstack_relay_recipient_domain", ("domain_name",)),),
        word="relay recipient",
    ),
    Table(
        "mail_last_login",
        (Column("email", "address"), Column("service", "word"), Column("at", "time")),
        keys=(Key("mailstack_last_login_key", ("email", "service")),),
        references=(_user("mailstack_last_login_user"),),
        looked_up=False,
    ),
    # Removed users whose directories may still exist. Operations name the directory when such an address is
    # used again. Administrators who delete a directory should delete its row too.
    Table(
        "mail_former_users",
        (
            Column("email", "address"),
            Column("directory", "text"),
            Column("removed_at", "time", default=Sql("now")),
        ),
        known_by=("email", "directory"),
        looked_up=False,
    ),
    # Former addresses, to which other users may have granted rights (RFC 4314). Those are stored by address
    # in the other users' mailboxes. Until a run has revoked them and deleted the row, a new user of that
    # address sees no shared folders.
    Table(
        "mail_former_addresses",
        (Column("email", "address"),),
        keys=(Key("mailstack_former_address_key", ("email",)),),
    ),
)
"""The tables in an order in which references allow inserts. The article's columns come first, in order."""
