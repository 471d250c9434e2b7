"""The names that hosts with one database share: its primary, its standbys, and their clients. Pure."""

from __future__ import annotations

import hashlib
import re

DIRECTORY = "/etc/mailstack/database"
AUTHORITY = f"{DIRECTORY}/ca.pem"
"""The certificate of the CA of these hosts, which all of them and their clients trust."""
CERTIFICATE = f"{DIRECTORY}/cert.pem"
KEY = f"{DIRECTORY}/key.pem"
PASSWORD_FILE = f"{DIRECTORY}/replication.pgpass"

ROLE = "mailreplica"
"""The role of the standbys, which can do nothing else."""
REPLICATION_PASSWORD = "db-replication-password"
CA = "db-ca"
"""The secret with the key and the certificate of the CA."""
SECRETS = (REPLICATION_PASSWORD, CA)

_PREFIX = "mailstack_"


def slot(name: str) -> str:
    """Return the name of a standby's replication slot; two hosts never have the same.

    + name: the host's name in the inventory
    """
    short = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")[:40]
    return f"{_PREFIX}{short}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def is_slot(name: str) -> bool:
    """Return whether ``slot`` makes such names."""
    return re.fullmatch(f"{_PREFIX}.*_[0-9a-f]{{8}}", name) is not None
