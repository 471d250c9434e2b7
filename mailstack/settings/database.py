"""The settings of the database."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from mailstack import addresses
from mailstack.endpoint import Endpoint
from mailstack.settings.engines import ENGINES, EngineKind, EngineName
from mailstack.settings.errors import Allowed
from mailstack.settings.types import (
    Host,
    Identifier,
    Line,
    ListOf,
    Model,
    Password,
    Port,
    Secret,
    each,
    host_name_or_address,
)

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_HBA = re.compile(
    r"(?:local{1}{2}{1}{2}{1}(?:peer|{0})|host(?:ssl|nossl|gssenc|nogssenc)?{1}{2}{1}{2}{1}"
    r"(?P<address>{2}){1}(?:(?P<mask>[0-9a-f.:]+){1})?{0})(?:{1}\w+={2})*[ \t]*".format(
        "(?:scram-sha-256|md5|ident|cert|reject|gss|ldap|radius|pam)", r"[ \t]+", r"[^\s#\x00-\x1f\x7f]+"
    )
)


def _dsn_parts(dsn: str) -> dict[str, str]:
    """Parse ``dsn``. The ``ValueError`` does not quote it, as libpq's message may contain the password."""
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    try:
        return {name: str(value) for name, value in parse_dsn(dsn).items()}
    except ProgrammingError:
        raise ValueError("not a connection string that libpq understands") from None


def _check_dsn(secret: SecretStr) -> SecretStr:
    if re.search(r"[\x00-\x1f\x7f]", secret.get_secret_value()):
        raise ValueError("must be one line without control characters")
    parts = _dsn_parts(secret.get_secret_value())
    host, port = parts.get("host", ""), parts.get("port", "5432")
    if not host or not parts.get("user"):
        raise ValueError("must have a host and a user")
    try:
        host_name_or_address(host)
    except ValueError:
        raise ValueError("the host must be one name or address that the mail hosts can reach too") from None
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError("the port must be a number from 1 to 65535")
    if parts.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError(f"sslmode must be one of {', '.join(SSL_MODES)}")
    return secret


def _check_hba(line: str) -> str:
    """Check a line: with a bad one PostgreSQL logs an error, keeps the old file, and fails its next start."""
    if not (match := _HBA.fullmatch(line)):
        raise ValueError("not a line of pg_hba.conf: TYPE DATABASE USER [ADDRESS] METHOD")
    address, mask = match["address"] or "", match["mask"]
    if re.match("[0-9]|.*:", address):
        network = f"{address}/{mask}" if mask else address
        if "/" not in network:
            raise ValueError(f"the address {address} has no mask")
        addresses.ip_network(network, strict=False)
    return line


class DatabaseSettings(Model):
    """Database."""

    mail_db_engine: EngineName = Field(
        default="postgresql",
        description="The database server: PostgreSQL, or MariaDB with `mysql`. After a change the new server "
        "starts empty: no accounts are copied.",
    )
    mail_db_name: Identifier = Field(default="mail", description="The database's name.")
    mail_db_owner: Identifier = Field(
        default="mailadmin", description="The role that owns the database and its tables."
    )
    mail_db_lookup_role: Identifier = Field(
        default="maillookup",
        description="The role that Postfix and Dovecot use for lookups. It can only read.",
    )
    mail_db_upgrade_role: Identifier = Field(
        default="mailupgrade",
        description="The role for `mail_password_upgrade`. It can do nothing else.",
    )
    mail_db_webmail_role: Identifier = Field(
        default="mailwebmail",
        description="The role of `mail_webmail`, and the schema with its tables in the same database. It "
        "can't read accounts.",
    )
    mail_db_auth: Literal["password", "peer"] = Field(
        default="password",
        description="How Postfix and Dovecot authenticate to the database. With `peer`, a server on the same "
        "host recognises their system users, and no disk has a database password. MariaDB then calls their "
        "accounts `postfix` and `dovecot`.",
    )
    mail_db_host: Host | None = Field(
        default=None,
        description="The database server for Postfix and Dovecot on a host without a database of its own. "
        "Without it: the host in the inventory's group `db`, or the server of `mail_db_dsn`.",
    )
    mail_db_primary: Line | None = Field(
        default=None,
        description="The host of the inventory's group `db` with the primary, by its name in the inventory; "
        "the others are its standbys. Without it: the first in the inventory.",
    )
    mail_db_port: Port | None = Field(
        default=None,
        description="The port that the server listens on; without it 5432, or 3306 for MariaDB.",
    )
    mail_db_owner_password: Password | None = Field(
        default=None,
        description="The password of `mail_db_owner`. Without it, one is generated once and kept.",
    )
    mail_db_lookup_password: Password | None = Field(
        default=None,
        description="The password of `mail_db_lookup_role`. Without it, one is generated once and kept.",
    )
    mail_db_upgrade_password: Password | None = Field(
        default=None,
        description="The password of `mail_db_upgrade_role`. Without it, one is generated once and kept.",
    )
    mail_db_webmail_password: Password | None = Field(
        default=None,
        description="The password of `mail_db_webmail_role`. Without it, one is generated once and kept.",
    )
    mail_db_dsn: (
        Annotated[
            Secret,
            AfterValidator(_check_dsn),
            Allowed("a libpq URI or keyword string with a host and a user, such as `postgresql://admin@db/`"),
        ]
        | None
    ) = Field(
        default=None,
        description="The administrator's connection, from the machine that runs pyinfra, to a PostgreSQL "
        "that no host of the inventory runs. Needs `mail_db_lookup_password`, and with "
        "`mail_password_upgrade` also `mail_db_upgrade_password`, and with `mail_webmail` "
        "`mail_db_webmail_password`.",
    )
    mail_db_hba: Annotated[
        ListOf[str],
        each(_check_hba),
        Allowed("a list of lines such as `hostssl mail reports 192.0.2.7/32 scram-sha-256`"),
    ] = Field(
        default=(),
        description="Further lines of `pg_hba.conf`, for PostgreSQL only. Every other client of "
        "`mail_db_name` needs one; existing lines for other databases stay.",
    )

    @property
    def db_kind(self) -> EngineKind:
        """The properties of the engine that ``mail_db_engine`` names."""
        return ENGINES[self.mail_db_engine]

    @property
    def db_port(self) -> int:
        """The port that the server listens on."""
        return self.mail_db_port or self.db_kind.port

    @property
    def db_driver(self) -> str:
        """The engine's name in Postfix, in Dovecot and in their packages for it."""
        return self.db_kind.driver

    @property
    def db_endpoint(self) -> Endpoint | None:
        """The server in ``mail_db_dsn``, if that is set."""
        if self.mail_db_dsn is None:
            return None
        parts = _dsn_parts(self.mail_db_dsn.get_secret_value())
        return Endpoint(parts["host"], int(parts.get("port", "5432")), parts.get("sslmode"))

    @model_validator(mode="after")
    def _possible_with_engine(self) -> Self:
        for name in self.db_kind.not_with:
            if getattr(self, name):
                raise ValueError(
                    f"{name}: is for PostgreSQL; not allowed with mail_db_engine {self.mail_db_engine!r}"
                )
        roles = ("owner", "lookup_role", "upgrade_role", "webmail_role")
        for name in ("mail_db_name", *(f"mail_db_{role}" for role in roles)):
            if getattr(self, name) in self.db_kind.taken:
                raise ValueError(
                    f"{name}: {getattr(self, name)!r} is taken in {self.db_kind.title}; allowed: another name"
                )
        return self

    @model_validator(mode="after")
    def _possible_database(self) -> Self:
        if self.mail_db_owner == self.mail_db_lookup_role:
            raise ValueError(
                f"mail_db_lookup_role: {self.mail_db_lookup_role!r} is mail_db_owner too; they must differ"
            )
        for name, role in (("owner", self.mail_db_owner), ("lookup_role", self.mail_db_lookup_role)):
            if self.mail_db_upgrade_role == role:
                raise ValueError(f"mail_db_upgrade_role: {role!r} is mail_db_{name} too; they must differ")
        for name in ("owner", "lookup_role", "upgrade_role"):
            if self.mail_db_webmail_role == getattr(self, f"mail_db_{name}"):
                role = self.mail_db_webmail_role
                raise ValueError(f"mail_db_webmail_role: {role!r} is mail_db_{name} too; they must differ")
        if self.mail_db_auth == "peer" and self.mail_db_host is not None:
            raise ValueError("mail_db_auth: 'peer' works over the local socket only, so without mail_db_host")
        for name in ("mail_db_host", "mail_db_dsn"):
            if self.mail_db_primary is not None and getattr(self, name) is not None:
                raise ValueError(f"mail_db_primary: names a host of the inventory; not allowed with {name}")
        if self.mail_db_dsn is not None:
            if self.mail_db_auth != "password":
                raise ValueError("mail_db_auth: must be 'password' when mail_db_dsn is set")
            if self.mail_db_hba:
                raise ValueError("mail_db_hba: no pg_hba.conf is written when mail_db_dsn is set")
            if self.mail_db_lookup_password is None:
                raise ValueError("mail_db_lookup_password: is required when mail_db_dsn is set")
            self._check_administrator(_dsn_parts(self.mail_db_dsn.get_secret_value())["user"])
        return self

    def _check_administrator(self, user: str) -> None:
        """Raise ``ValueError`` for a role of mailstack's own: it would lose the right to create roles."""
        for name in ("owner", "lookup_role", "upgrade_role", "webmail_role"):
            if user == getattr(self, f"mail_db_{name}"):
                raise ValueError(f"mail_db_dsn: its user {user!r} is mail_db_{name} too; they must differ")
