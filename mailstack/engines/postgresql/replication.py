"""Compare the replication of a primary with the wanted standbys, and make the SQL that changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyinfra.api.exceptions import OperationError

from mailstack.engines.contract import Step
from mailstack.engines.postgresql import roles
from mailstack.engines.postgresql.database import HostDatabase
from mailstack.engines.postgresql.quoting import UNLOGGED, identifier, literal
from mailstack.replication import REPLICATION_PASSWORD, ROLE, is_slot
from mailstack.run import is_executing

if TYPE_CHECKING:
    from mailstack.secrets import Store
    from mailstack.settings import Settings

_ROLE = roles.query((ROLE,))
_KNOWN = """
    'system', (SELECT system_identifier::text FROM pg_control_system()),
    'standby', pg_is_in_recovery(),
    'slots', (
        SELECT coalesce(json_object_agg(slot_name, json_build_object(
            'keeps', restart_lsn IS NOT NULL, 'lost', coalesce(wal_status = 'lost', false), 'active', active
        )), '{}')
        FROM pg_replication_slots WHERE slot_type = 'physical'
    )"""
STATE = f"SELECT json_build_object({_KNOWN})::text"
"""A query for the replication of a server, as JSON. A standby whose slot keeps nothing needs a new copy."""
STATUS = f"""
SELECT json_build_object({_KNOWN},
    'timeline', CASE WHEN pg_is_in_recovery() THEN coalesce(
            (SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint())
        )
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END,
    'received', pg_wal_lsn_diff(coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0'),
    'following', (SELECT sender_host || ': ' || status FROM pg_stat_wal_receiver),
    'replicas', CASE WHEN pg_is_in_recovery() THEN '[]' ELSE (
        SELECT coalesce(json_agg(json_build_object(
            'name', application_name, 'state', state,
            'behind', pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint
        ) ORDER BY application_name), '[]')
        FROM pg_stat_replication
    ) END
)::text"""
"""The same with the timeline, what a standby has received and follows, and the standbys of a primary."""
_PROMOTE = """DO $$ BEGIN
    IF NOT pg_promote(true, 60) THEN RAISE EXCEPTION 'not promoted within 60 s'; END IF;
END $$;"""


def announce(settings: Settings) -> None:
    """Announce the queries of ``steps``."""
    database = HostDatabase(settings.db_port)
    for sql in (_ROLE, STATE):
        database.announce(settings.mail_db_name, sql)


def steps(settings: Settings, slots: Sequence[str], passwords: Store) -> Iterator[Step]:
    """Yield the changes of the role and the slots of the standbys, on the host with the primary.

    + slots: the slots of the wanted standbys; without any, the role is not needed either

    Raises ``OperationError`` if this host has no primary, or the password has not been generated.
    """
    database, name = HostDatabase(settings.db_port), settings.mail_db_name
    found = database.query(name, STATE) or {"standby": False, "slots": {}}
    if found["standby"]:
        raise OperationError("the PostgreSQL of this host is a standby; see mail_db_primary")
    current = (database.query(name, _ROLE) or {}).get("roles", {}).get(ROLE)
    yield from _role(name, current, bool(slots), passwords)
    yield from _slots(name, found["slots"], slots)


def _role(name: str, current: Mapping[str, Any] | None, wanted: bool, passwords: Store) -> Iterator[Step]:
    if not wanted:
        if current:
            yield Step(f"role {ROLE}: dropped", name, f"DROP ROLE {identifier(ROLE)};")
        return
    password = passwords[REPLICATION_PASSWORD]
    if password is None and is_executing():
        raise OperationError(f"{REPLICATION_PASSWORD} has not been generated")
    changes = roles.changes(
        roles.Role(ROLE, replication=True),
        current,
        roles.NoPassword.GENERATE if password is None else roles.Password(password),
    )
    if changes:
        title = f"role {ROLE}: {', '.join(change.title for change in changes)}"
        yield Step(title, name, UNLOGGED + "\n".join(change.sql for change in changes))


def _slots(name: str, found: Mapping[str, Mapping[str, bool]], wanted: Sequence[str]) -> Iterator[Step]:
    """Yield the changes of slots. One that fell behind ``max_slot_wal_keep_size`` is made again.

    A new one keeps nothing until a standby uses it, as its standby may need what is gone: see ``STATE``.
    """
    for slot in wanted:
        create = f"SELECT pg_create_physical_replication_slot({literal(slot)}, false);"
        if slot not in found:
            yield Step(f"replication slot {slot}: created", name, create)
        elif found[slot]["lost"]:
            sql = f"{_dropping(slot)} {create}"
            yield Step(f"replication slot {slot}: made again, as its standby fell behind", name, sql)
    for slot in found:
        if is_slot(slot) and slot not in wanted:
            yield Step(f"replication slot {slot}: dropped", name, _dropping(slot))


def promotion(slots: Sequence[str]) -> str:
    """Return SQL that makes a standby the primary, and keeps from then on what the others need.

    Without a slot, a checkpoint before the next deploy would remove it.

    + slots: the slots of the others
    """
    create = (
        f"SELECT pg_create_physical_replication_slot({literal(slot)}, true) WHERE NOT EXISTS"
        f" (SELECT FROM pg_replication_slots WHERE slot_name = {literal(slot)});"
        for slot in slots
    )
    return "\n".join([_PROMOTE, *create])


def _dropping(slot: str) -> str:
    """Return SQL that drops a slot, also while a standby uses it: once that is gone, it keeps all changes.

    The standby does not connect again, as ``pg_hba.conf`` has no line for it by now.
    """
    name = literal(slot)
    return (
        "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots"
        f" WHERE active_pid IS NOT NULL AND slot_name = {name}; SELECT pg_drop_replication_slot({name});"
    )
