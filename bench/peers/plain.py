"""The same server with pyinfra's own operations, for comparison. `kit` in the data is the folder of a kit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyinfra.api.operation import OperationMeta
from pyinfra.context import host
from pyinfra.operations import apt, files, postgres, server, systemd

KIT = Path(host.data.kit)
VALUES = {**json.loads((KIT / "values.json").read_text()), **host.data.changed}
DATABASE = VALUES["db_name"]
#: Without -c it would use the old settings of the running daemon.
INDEXERS = {"sievec": "sievec -c /etc/dovecot/dovecot.conf"}
ROLES = {
    VALUES["db_owner"]: "",
    VALUES["mail_db_lookup_role"]: "SET default_transaction_read_only = on",
    VALUES["db_upgrade_role"]: "",
}


def as_postgres(name: str, sql: str, options: str = "", **arguments: Any) -> None:
    """Run SQL as the superuser, so that ps does not show it."""
    server.shell(
        name=name,
        commands=[f"cd / && psql -Xq -v ON_ERROR_STOP=1 {options} -f - >/dev/null"],
        _stdin=sql,
        _su_user="postgres",
        **arguments,
    )


def write(service: str) -> list[OperationMeta]:
    """Return the files of one service; returns the operations that wrote them."""
    written = []
    for file in VALUES["files"]:
        if file["service"] != service:
            continue
        path = file["path"]
        written.append(
            files.template(
                name=f"Write {path}",
                src=str(KIT / f"templates{path}.j2"),
                dest=path,
                user=file["owner"],
                group=file["group"],
                mode=file["mode"],
                **{name: VALUES[name] for name in VALUES["variables"]},
            )
        )
        if file["indexed"] != "no":
            tool = INDEXERS.get(file["indexed"], file["indexed"])
            server.shell(
                name=f"Build the index of {path}", commands=[f"{tool} {path}"], _if=written[-1].did_change
            )
    return written


def any_changed(operations: list[OperationMeta]) -> Callable[[], bool]:
    """Return a condition for an operation that comes later."""
    return lambda: any(operation.did_change() for operation in operations)


apt.packages(
    name="Install packages", packages=VALUES["packages"], no_recommends=True, update=True, cache_time=86400
)
server.group(name="Make the group vmail", group="vmail", gid=VALUES["vmail_gid"], system=True)
server.user(
    name="Make the user vmail",
    user="vmail",
    uid=VALUES["vmail_uid"],
    group="vmail",
    home=VALUES["home_root"],
    shell="/usr/sbin/nologin",
    system=True,
    ensure_home=False,
)
for directory in VALUES["directories"]:
    files.directory(
        name=f"Make {directory['path']}",
        path=directory["path"],
        user=directory["owner"],
        group=directory["group"],
        mode=directory["mode"],
    )
key = files.file(name="Keep the key from others", path=VALUES["key"], user="root", group="root", mode="600")
server.shell(
    name="Make a certificate",
    commands=[
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650"
        f" -subj /CN={VALUES['mail_hostname']} -addext subjectAltName=DNS:{VALUES['mail_hostname']}"
        f" -keyout {VALUES['key']} -out {VALUES['certificate']}"
    ],
    _if=key.did_change,
)

configured = write("postgresql")
systemd.service(
    name="Restart PostgreSQL", service=VALUES["postgresql_unit"], restarted=True, _if=any_changed(configured)
)
systemd.service(name="Run PostgreSQL", service=VALUES["postgresql_unit"], running=True)
for role, setting in ROLES.items():
    made = postgres.role(name=f"Make the role {role}", role=role, _su_user="postgres")
    password = VALUES["passwords"][VALUES["password_of"][role]]
    alter = f"ALTER ROLE {role} PASSWORD '{password}';" + (f"ALTER ROLE {role} {setting};" if setting else "")
    as_postgres(f"Give {role} a password", alter, _if=made.did_change)
database = postgres.database(
    name="Make the database",
    database=DATABASE,
    owner=VALUES["db_owner"],
    template="template0",
    encoding="UTF8",
    lc_collate="C",
    lc_ctype="C",
    _su_user="postgres",
)
for script in ("schema.sql", "accounts.sql"):
    as_postgres(
        f"Run {script}", (KIT / script).read_text(), options=f"-1 -d {DATABASE}", _if=database.did_change
    )

for service in ("dovecot", "postfix"):
    configured = write(service)
    systemd.service(
        name=f"Reload {service}", service=service, reloaded=True, enabled=True, _if=any_changed(configured)
    )
    systemd.service(name=f"Run {service}", service=service, running=True, enabled=True)
