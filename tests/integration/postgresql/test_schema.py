"""The schema on a real PostgreSQL: created, and healed object by object."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailstack.engines.postgresql.schema import FILES
from tests.support.scratch_database import Scratch, scratch
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

HOSTILE = 'it\'s a \\ "trap" $1 %s :name ;-- \n\t é 😀 {owner}'


@pytest.fixture(scope="module")
def database(server: Target) -> Iterator[Scratch]:
    """Yield a database with the schema."""
    with scratch(server) as made:
        assert made.differences() == list(FILES.parts())
        made.apply()
        yield made


@pytest.fixture(scope="module")
def objects(database: Scratch) -> dict[str, str]:
    """Return all objects of a correct schema."""
    return database.objects()


def test_nothing_differs_once_it_is_applied(database: Scratch) -> None:
    before = database.objects()
    assert database.differences() == []
    database.apply()
    assert database.differences() == []
    assert database.objects() == before


TAMPERED = {
    "ALTER DATABASE scratch OWNER TO postgres": ["owner of database"],
    "ALTER DATABASE scratch SET search_path = pg_catalog": ["search_path of database"],
    "ALTER SCHEMA public OWNER TO postgres": ["owner of schema public"],
    "ALTER TABLE mail_users OWNER TO postgres": ["owner of table mail_users"],
    "ALTER FUNCTION mailstack_fold OWNER TO scratch_other": ["owner of function mailstack_fold"],
    "REVOKE INSERT ON mail_users FROM scratch_owner": ["owner of table mail_users"],
    "ALTER TABLE mail_users DROP COLUMN quota_mb": [
        "column mail_users.quota_mb",
        "constraint mailstack_users_quota on mail_users",
    ],
    "ALTER TABLE mail_users ALTER quota_mb TYPE integer": ["column mail_users.quota_mb"],
    "ALTER TABLE mail_users ALTER password TYPE varchar(200)": [
        "column mail_users.password",
        "constraint mailstack_users_password on mail_users",
    ],
    "ALTER TABLE mail_users ALTER password DROP NOT NULL": ["column mail_users.password"],
    "ALTER TABLE mail_users ALTER home_directory SET NOT NULL": ["column mail_users.home_directory"],
    "ALTER TABLE mail_domain ALTER active SET DEFAULT false": ["column mail_domain.active"],
    "ALTER TABLE mail_domain ALTER active DROP DEFAULT": ["column mail_domain.active"],
    "ALTER TABLE mail_users ALTER domain_name DROP EXPRESSION": ["column mail_users.domain_name"],
    "ALTER TABLE mail_alias DROP COLUMN domain_name": [
        "column mail_alias.domain_name",
        "constraint mailstack_alias_domain on mail_alias",
        "index mailstack_alias_domain on mail_alias",
    ],
    "ALTER TABLE mail_users DROP CONSTRAINT mailstack_users_key CASCADE": [
        "constraint mailstack_app_password_user on mail_app_password",
        "constraint mailstack_last_login_user on mail_last_login",
        "constraint mailstack_sender_user on mail_sender",
        "constraint mailstack_users_key on mail_users",
    ],
    "ALTER TABLE mail_users ALTER can_send DROP NOT NULL; UPDATE mail_users SET can_send = NULL": [
        "column mail_users.can_send"
    ],
    "ALTER TABLE mail_users ALTER can_receive TYPE text": ["column mail_users.can_receive"],
    "ALTER TABLE mail_sender DROP CONSTRAINT mailstack_sender_key": [
        "constraint mailstack_sender_key on mail_sender"
    ],
    "DROP TABLE mail_sender": ["table mail_sender"],
    "ALTER TABLE mail_users DROP COLUMN mail_directory": [
        "column mail_users.mail_directory",
        "constraint mailstack_users_directory on mail_users",
    ],
    "ALTER TABLE mail_users DROP COLUMN mail_driver": [
        "column mail_users.mail_driver",
        "constraint mailstack_users_driver on mail_users",
    ],
    "DROP TABLE mail_former_users, mail_former_addresses": [
        "table mail_former_addresses",
        "table mail_former_users",
    ],
    "DROP TABLE mail_app_password": ["table mail_app_password"],
    "ALTER TABLE mail_app_password ALTER service SET DEFAULT 'smtp',"
    " DROP CONSTRAINT mailstack_app_password_digest": [
        "column mail_app_password.service",
        "constraint mailstack_app_password_digest on mail_app_password",
    ],
    "ALTER TABLE mail_last_login ALTER at TYPE text": ["column mail_last_login.at"],
    "ALTER TABLE mail_users DROP COLUMN password_origin": ["column mail_users.password_origin"],
    "ALTER FUNCTION mailstack_upgrade_password SECURITY INVOKER": ["function mailstack_upgrade_password"],
    "GRANT EXECUTE ON FUNCTION mailstack_upgrade_password TO scratch_lookup": [
        "grant EXECUTE on function mailstack_upgrade_password to scratch_lookup"
    ],
    "REVOKE EXECUTE ON FUNCTION mailstack_record_login FROM scratch_lookup": [
        "grant EXECUTE on function mailstack_record_login to scratch_lookup"
    ],
    "GRANT SELECT ON mail_users TO scratch_upgrade": ["grant SELECT on table mail_users to scratch_upgrade"],
    "DROP TABLE mail_wildcard, mail_alias_domain": ["table mail_alias_domain", "table mail_wildcard"],
    "DROP TABLE mail_relay_recipient": ["table mail_relay_recipient"],
    "ALTER TABLE mail_relay_recipient DROP COLUMN domain_name": [
        "column mail_relay_recipient.domain_name",
        "constraint mailstack_relay_recipient_domain on mail_relay_recipient",
        "index mailstack_relay_recipient_domain on mail_relay_recipient",
    ],
    "ALTER TABLE mail_relay_domain ALTER any_recipient SET DEFAULT true": [
        "column mail_relay_domain.any_recipient"
    ],
    "DROP TRIGGER mailstack_one_class ON mail_domain": ["trigger mailstack_one_class on mail_domain"],
    "ALTER TABLE mail_alias DISABLE TRIGGER mailstack_circle": ["trigger mailstack_circle on mail_alias"],
    "CREATE OR REPLACE FUNCTION mailstack_in_circle(source text, destination text) RETURNS boolean"
    " LANGUAGE sql AS 'SELECT false'": ["function mailstack_in_circle"],
    "ALTER TABLE mail_domain DROP CONSTRAINT mailstack_domain_key CASCADE": [
        "constraint mailstack_alias_domain on mail_alias",
        "constraint mailstack_alias_domain_target on mail_alias_domain",
        "constraint mailstack_domain_key on mail_domain",
        "constraint mailstack_users_domain on mail_users",
    ],
    "ALTER TABLE mail_users DROP CONSTRAINT mailstack_users_domain": [
        "constraint mailstack_users_domain on mail_users"
    ],
    "ALTER TABLE mail_users DISABLE TRIGGER ALL": [
        "constraint mailstack_app_password_user on mail_app_password",
        "constraint mailstack_last_login_user on mail_last_login",
        "constraint mailstack_sender_user on mail_sender",
        "constraint mailstack_users_domain on mail_users",
        "trigger mailstack_fold on mail_users",
        "trigger mailstack_give_directory on mail_users",
        "trigger mailstack_keep_address on mail_users",
        "trigger mailstack_keep_former on mail_users",
        "trigger mailstack_quota on mail_users",
        "trigger mailstack_quota_again on mail_users",
    ],
    "ALTER TABLE mail_domain DROP COLUMN user_quota_mb": [
        "column mail_domain.user_quota_mb",
        "constraint mailstack_domain_quota on mail_domain",
    ],
    "ALTER TABLE mail_users ALTER quota_messages TYPE integer": ["column mail_users.quota_messages"],
    "ALTER TABLE mail_domain DISABLE TRIGGER mailstack_quota": ["trigger mailstack_quota on mail_domain"],
    "ALTER TABLE mail_users DROP CONSTRAINT mailstack_users_form;"
    "ALTER TABLE mail_users ADD CONSTRAINT mailstack_users_form CHECK (true)": [
        "constraint mailstack_users_form on mail_users"
    ],
    "DROP INDEX mailstack_alias_destination": ["index mailstack_alias_destination on mail_alias"],
    "DROP INDEX mailstack_alias_destination;"
    "CREATE INDEX mailstack_alias_destination ON mail_alias (active)": [
        "index mailstack_alias_destination on mail_alias"
    ],
    "DROP TRIGGER mailstack_fold ON mail_alias": ["trigger mailstack_fold on mail_alias"],
    "ALTER TABLE mail_alias DISABLE TRIGGER mailstack_fold": ["trigger mailstack_fold on mail_alias"],
    "CREATE OR REPLACE FUNCTION mailstack_fold() RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RETURN NEW; END $$": ["function mailstack_fold"],
    "ALTER FUNCTION mailstack_fold SECURITY DEFINER": ["function mailstack_fold"],
    "DROP FUNCTION mailstack_fold CASCADE": [
        "function mailstack_fold",
        "owner of function mailstack_fold",
        "trigger mailstack_fold on mail_alias",
        "trigger mailstack_fold on mail_alias_domain",
        "trigger mailstack_fold on mail_app_password",
        "trigger mailstack_fold on mail_domain",
        "trigger mailstack_fold on mail_relay_domain",
        "trigger mailstack_fold on mail_relay_recipient",
        "trigger mailstack_fold on mail_sender",
        "trigger mailstack_fold on mail_users",
        "trigger mailstack_fold on mail_wildcard",
    ],
    "GRANT EXECUTE ON FUNCTION mailstack_fold TO PUBLIC": [
        "grant EXECUTE on function mailstack_fold to PUBLIC"
    ],
    "ALTER TABLE mail_users ENABLE ROW LEVEL SECURITY": ["table mail_users"],
    "REVOKE SELECT ON mail_users FROM scratch_lookup": ["grant SELECT on table mail_users to scratch_lookup"],
    "REVOKE USAGE ON SCHEMA public FROM scratch_lookup": ["grant USAGE on schema public to scratch_lookup"],
    "REVOKE CONNECT ON DATABASE scratch FROM scratch_lookup": ["grant CONNECT on database to scratch_lookup"],
    "GRANT UPDATE ON mail_users TO scratch_lookup": ["grant UPDATE on table mail_users to scratch_lookup"],
    "GRANT UPDATE (password) ON mail_users TO scratch_lookup": [
        "grant UPDATE on column mail_users.password to scratch_lookup"
    ],
    "GRANT SELECT ON mail_users TO scratch_lookup WITH GRANT OPTION; SET ROLE scratch_lookup;"
    "GRANT SELECT ON mail_users TO scratch_other": [
        "grant SELECT on table mail_users to scratch_lookup",
        "grant SELECT on table mail_users to scratch_other",
    ],
    "GRANT SELECT ON mail_users TO PUBLIC": ["grant SELECT on table mail_users to PUBLIC"],
    "GRANT CREATE ON SCHEMA public TO PUBLIC": ["grant CREATE on schema public to PUBLIC"],
    "GRANT TEMPORARY ON DATABASE scratch TO PUBLIC": ["grant TEMPORARY on database to PUBLIC"],
    "DROP TABLE mail_alias": ["table mail_alias"],
    "DROP TABLE mailstack_objects": ["table mailstack_objects"],
    "DELETE FROM mailstack_schema": list(FILES.parts()),
}


@pytest.mark.parametrize("tampered", TAMPERED)
def test_changes_by_hand_are_named_and_fixed(
    database: Scratch, objects: dict[str, str], tampered: str
) -> None:
    try:
        assert database.differences(after=tampered) == TAMPERED[tampered]
    finally:  # or each test after this one fails as well
        healed = database.healed()
    assert healed == ([], objects)


def test_objects_of_others_are_left_alone(database: Scratch) -> None:
    database.run(
        "ALTER TABLE mail_users ADD COLUMN note text, ADD CONSTRAINT short CHECK (length(note) < 9);"
        "CREATE INDEX by_note ON mail_users (note); CREATE TABLE audit (entry text)"
    )
    assert database.differences() == []
    database.apply()
    left = database.run(
        "SELECT count(*) FROM pg_class WHERE relname IN ('by_note', 'audit');"
        "SELECT count(*) FROM pg_constraint WHERE conname = 'short'"
    )
    assert left == "2\n1"
    database.run("ALTER TABLE mail_users DROP COLUMN note; DROP TABLE audit")
    assert database.differences() == []


def test_a_superuser_is_not_needed(server: Target) -> None:
    """On a managed server the administrator may make roles and databases, and is a member of the owner."""
    with scratch(server, "managed") as made:
        made.run("GRANT managed_owner TO managed_admin", database="postgres")
        made.apply(role="admin")
        assert made.differences() == []
        tampered = (
            "ALTER TABLE mail_users ALTER active DROP DEFAULT; GRANT ALL ON mail_users TO managed_other"
        )
        assert "column mail_users.active" in made.differences(after=tampered)
        made.apply(role="admin")
        assert made.differences() == []
        assert made.run("SELECT has_table_privilege('managed_other', 'mail_users', 'SELECT')") == "f"


def test_two_at_once(database: Scratch) -> None:
    """Of two machines that run pyinfra, the second waits for the first, and finds no difference."""
    script = database.schema.script()
    psql = "runuser -u postgres -- psql -Xq1 -v ON_ERROR_STOP=1 -d scratch -f /tmp/schema.sql"
    database.target.write("/tmp/schema.sql", script.encode())
    database.target.exec(
        f"cd /; {psql} & a=$!; {psql} & b=$!; wait $a && wait $b; e=$?; rm /tmp/schema.sql; exit $e"
    )
    assert database.differences() == []
