"""A dump replaces the database of MariaDB, which has no transaction for that, or changes nothing."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets.containers import Target

pytestmark = pytest.mark.mariadb

#: For Python on the host: dump the database, or load what is in the directory.
_DO = """
import sys
from pathlib import Path
from backup.database import database
here, place = database({"engine": "mysql", "name": "mail", "port": 3306}), Path("/root/dump")
place.mkdir(exist_ok=True)
here.dump(place) if sys.argv[1] == "dump" else here.load(place, lambda: print("begun"))
"""
_ALL = """
SELECT email, active FROM mail_users ORDER BY 1; SELECT source_email FROM mail_alias ORDER BY 1;
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'mail' ORDER BY 1;
SELECT trigger_name, event_object_table FROM information_schema.triggers WHERE trigger_schema = 'mail'
ORDER BY 1;
SELECT routine_name FROM information_schema.routines WHERE routine_schema = 'mail' ORDER BY 1;
SHOW DATABASES
"""


def do(target: Target, what: str) -> str:
    program = ["env", "PYTHONPATH=/usr/local/lib/mailstack/on_host", "python3", "-c", _DO, what]
    done = target.exec(program, check=False, timeout=120)
    return done.stdout + done.stderr


def test_a_dump_replaces_all_or_nothing(clone: Factory) -> None:
    target = clone("mariadb")
    data = sample_accounts.data(mail_backup_repository="/srv/backup")
    target.pyinfra("-y", "deploy.py", data=data, timeout=900).check()
    clients.sql(target, "CREATE VIEW own AS SELECT email FROM mail_users")
    assert do(target, "dump") == ""
    before = clients.sql(target, _ALL)
    assert "mailstack_check_alias" in before and "own|VIEW" in before

    clients.sql(
        target, "DELETE FROM mail_alias; CREATE TABLE later (x INT); CREATE VIEW too AS SELECT 1 AS x"
    )
    later = clients.sql(target, _ALL)
    target.exec("cp /root/dump/database.sql /root/ && echo 'BROKEN;' >> /root/dump/database.sql")
    said = do(target, "load")
    assert "ERROR 1064" in said and not said.startswith("begun")
    assert clients.sql(target, _ALL) == later

    target.exec("mv /root/database.sql /root/dump/")
    assert do(target, "load") == "begun\n"
    assert clients.sql(target, _ALL) == before
    assert clients.replies(target, "info@example.org") == 250
