"""A restore that fails, or is cut off, loses nothing; the repository and its restic are made up."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailstack.on_host.backup import given, parts, restore, run, users
from mailstack.on_host.backup.database import Account, Database, MariaDB, PostgreSQL
from mailstack.on_host.backup.placing import Placer
from mailstack.on_host.backup.progress import Progress
from mailstack.on_host.backup.restic import FailureError
from mailstack.on_host.backup.restore import Restore
from mailstack.on_host.backup.run import Backup
from tests.unit.test_backup_mail import MAILDIR, keep, write
from tests.unit.test_backup_runs import Listed, configured, places, repository, snapshot, wishes

__all__ = ["places"]


@pytest.fixture
def own(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the host's own password, beside one that was given."""
    monkeypatch.setattr(given, "GIVEN", places / "password.new")
    monkeypatch.setattr(given, "BEFORE", places / "password.before")
    (places / "password.new").write_text("given")
    own = places / "secrets" / "own"
    own.parent.mkdir()
    own.write_text("the only copy\n")
    return own


def taken(places: Path, monkeypatch: pytest.MonkeyPatch, own: Path, script: str) -> None:
    repository(places, monkeypatch, script)
    given.take({"repository": "/srv/backup", "host": "mail", "password": str(own), "environment": ""})


def test_a_wrong_password_does_not_replace_the_one_of_the_host(
    places: Path, monkeypatch: pytest.MonkeyPatch, own: Path
) -> None:
    with pytest.raises(FailureError, match="the host keeps its own: restic cat: Fatal: wrong password"):
        taken(places, monkeypatch, own, "echo 'Fatal: wrong password or no key found' >&2; exit 1")
    assert own.read_text() == "the only copy\n"
    assert not (places / "password.new").exists() and not (places / "password.before").exists()


def test_a_right_password_replaces_it_and_the_former_one_stays(
    places: Path, monkeypatch: pytest.MonkeyPatch, own: Path
) -> None:
    taken(places, monkeypatch, own, "exit 0")
    assert own.read_text() == "given" and own.stat().st_mode & 0o777 == 0o600
    assert (places / "password.before").read_text() == "the only copy\n"
    taken(places, monkeypatch, own, "exit 1")  # none is given any more


class Told(Listed):
    """A repository whose files are those of a directory, by the ID of their snapshot."""

    def __init__(self, files: Path, *found: Mapping[str, Any]) -> None:
        super().__init__(*found)
        self.files = files

    def restore(self, identity: str, target: Path, *arguments: str) -> list[str]:
        shutil.copytree(self.files / identity, target, dirs_exist_ok=True)
        return []


class Host:
    """A host, and a backup of another one with a message of alice."""

    def __init__(self, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.called, self.tags = places / "vmail", list[str](), ["mail=mmmm", "messages=1"]
        self.root.mkdir()
        self.repository = Told(places / "kept", snapshot("aaaa1111", "mailstack", *self.tags))
        write(places / "kept/mmmm", f"{MAILDIR}/cur/1.M1.host:2,S", "of the backup")
        (places / "kept/mmmm" / MAILDIR / "new").mkdir()
        write(places / "kept/aaaa1111", "owners.json", '{"users": {}, "groups": {}}')
        keep(places / "kept/mmmm", places / "kept/aaaa1111/mail", set())
        monkeypatch.setattr(parts, "give", lambda *_: None)
        monkeypatch.setattr(restore, "placed", lambda root, source, owner: Placer(root, source).place())
        monkeypatch.setattr(Restore, "_systemctl", lambda job, verb: self.called.append(verb))

    def job(self, **wanted: Any) -> Restore:
        values = configured(self.root, only_kept=[], services=["postfix"])
        asked = {name: wanted.pop(name) for name in ("at", "overwrite") if name in wanted}
        return Restore(values | wanted, self.repository, Progress(), wishes(**asked))  # type: ignore[arg-type]

    def mail(self) -> dict[str, str]:
        found = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.root)): path.read_text() for path in found}


@pytest.fixture
def host(places: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(places, monkeypatch)


OLD = {f"{MAILDIR}/cur/1.M1.host:2,S": "of the backup"}


def fail(*_: Any) -> None:
    raise FailureError("it breaks")


def half(_: PostgreSQL, __: Path, begin: Callable[[], None]) -> None:
    begin()
    fail()


def test_all_is_back_and_the_services_stop_once_it_was_read(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = host.repository.restore

    def running(*arguments: Any) -> list[str]:
        assert host.called == []
        return read(*arguments)

    monkeypatch.setattr(host.repository, "restore", running)
    result = host.job().run()
    assert (result["messages"], result["failed"], host.called) == (1, [], ["stop", "start"])
    assert host.mail() == OLD and not restore.WORK.exists()


def test_messages_whose_index_is_damaged_are_found(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(restore, "resynced", lambda *which: called.append(which))
    monkeypatch.setattr(restore, "written", damaging(parts.written))
    assert host.job().run()["failed"] and called == [("-A",)] and host.called == ["stop", "start"]


def damaging(written: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Return the function, as if each call of it had found a damaged file."""
    return lambda *arguments: [*written(*arguments), "/dovecot.index.log"]


def test_mail_that_comes_after_a_restore_was_cut_off_stays(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Restore, "_paths", fail)
        with pytest.raises(
            FailureError, match=r"half restored: the same command goes on, .* stopped: postfix"
        ):
            host.job().run()
    assert host.called == ["stop"]
    write(host.root, f"{MAILDIR}/new/2.M2.host", "came since")
    write(host.root, "example.org/bob.2/Maildir/new/3.M3.host", "of a new user")
    host.job().run()
    new = {f"{MAILDIR}/new/2.M2.host": "came since"}
    assert host.mail() == OLD | new | {"example.org/bob.2/Maildir/new/3.M3.host": "of a new user"}


def test_mail_that_comes_while_the_mail_is_put_there_is_aside(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Restore, "_swap", fail)
        with pytest.raises(FailureError, match="half restored"):
            host.job().run()
    write(host.root, f"{MAILDIR}/new/2.M2.host", "came since")
    result = host.job().run()
    assert result["aside"] == str(host.root / ".before-restore") and result["messages"] == 1
    assert "came since" in host.mail().values() and OLD.items() <= host.mail().items()


def test_a_restore_that_fails_before_it_changes_something_starts_all_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host.repository, "restore", fail)
    with pytest.raises(FailureError, match="it breaks; nothing has changed"):
        host.job().run()
    assert host.called == []
    monkeypatch.undo()


def test_a_database_that_can_not_be_written_changes_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch, places: Path
) -> None:
    write(places / "kept/aaaa1111", "database.sql", "1\talice@example.org\n")
    monkeypatch.setattr(Database, "users", lambda _: {"alice@example.org"})
    monkeypatch.setattr(PostgreSQL, "dump", lambda *_: None)
    monkeypatch.setattr(PostgreSQL, "load", fail)
    write(host.root, "example.org/alice.1/sieve/mine", "keep;")
    with pytest.raises(FailureError, match="it breaks; nothing has changed"):
        host.job(database=DATABASE).run()
    assert host.called == ["stop", "start"] and len(host.mail()) > 1
    monkeypatch.setattr(PostgreSQL, "load", half)
    with pytest.raises(FailureError, match="half restored"):
        host.job(database=DATABASE).run()


DATABASE = {"engine": "postgresql", "name": "mail", "port": 5432}


class KilledError(BaseException):
    """Ends a run at once, as a loss of power does."""


@pytest.mark.parametrize("step", [1, 2, 3, "postsuper", "its end"])
def test_no_message_is_in_the_queue_twice(
    host: Host, monkeypatch: pytest.MonkeyPatch, places: Path, step: int | str
) -> None:
    queue = places / "postfix"
    (queue / "hold").mkdir(parents=True)
    write(queue, "hold/0NEW", "of this host")
    kept = {f"queue/{name}/{number}": name for number, name in enumerate(("active", "hold", "deferred"))}
    for path, text in {**kept, "queue/maildrop/9": "of a program"}.items():
        write(places / "kept/aaaa1111", path, text)
    moved = 0

    def postsuper(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        if step == "postsuper":
            raise KilledError
        for path in queue.glob("hold/[0-9]"):  # their names are those of their inodes
            path.rename(path.with_name(f"inode-{path.stat().st_ino}"))
        if step == "its end":
            raise KilledError
        return subprocess.CompletedProcess([], 0)

    def rename(path: Path, target: Path) -> Path:
        nonlocal moved
        moved += target.parent.name == "hold"
        if moved == step:
            raise KilledError
        return whole(path, target)

    whole = Path.rename
    owner = SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid())
    monkeypatch.setattr("pwd.getpwnam", lambda _: owner)
    monkeypatch.setattr(restore, "DROPPED", places / "maildrop")
    monkeypatch.setattr("subprocess.run", postsuper)
    with monkeypatch.context() as killed:
        killed.setattr(Path, "rename", rename)
        with pytest.raises(KilledError):
            host.job(queue=str(queue)).run()
    step = ""
    result = host.job(queue=str(queue)).run()
    found = sorted(path.read_text() for path in queue.rglob("*") if path.is_file())
    assert found == ["active", "deferred", "hold", "of this host"]
    assert (result["held"], result["dropped"]) == (3, 1) and not (queue / "mailstack-restore").exists()


class Answers(MariaDB):
    """One that notes its databases."""

    def __init__(self, found: set[str]) -> None:
        super().__init__({"engine": "mysql", "name": "mail", "port": 3306})
        self.found = found

    def _say(self, statements: str) -> None:
        for name in re.findall("DROP DATABASE IF EXISTS `(.*?)`", statements):
            self.found.discard(name)
        for name in re.findall("CREATE DATABASE `(.*?)`", statements):
            self.found.add(name)
            raise KilledError

    def _rows(self, query: str) -> list[list[str]]:
        return [[name] for name in sorted(self.found) if f"'{name}'" in query]

    def dump(self, directory: Path) -> None:
        """See ``Database``."""

    def accounts(self, root: str) -> dict[str, Account]:
        """See ``Database``."""
        return {}


def test_the_database_of_a_killed_restore_goes_with_the_next_backup_or_restore(
    host: Host, monkeypatch: pytest.MonkeyPatch, places: Path
) -> None:
    found: set[str] = set()
    wanted = {**configured(host.root), "database": DATABASE, "redis": None}
    for module in (run, users):
        monkeypatch.setattr(module, "database", lambda _: Answers(found))
    monkeypatch.setattr("mailstack.on_host.backup.homes.homes", lambda _: {})
    monkeypatch.setattr(users, "PLACE", places)
    monkeypatch.setattr(users, "WHOLE_RESTORE", places / "restore")
    (places / "stage").mkdir()

    def cut_off() -> None:
        with pytest.raises(KilledError):
            Answers(found).load(places, lambda: None)
        assert found == {"mail", "mail_restored"}

    found.add("mail")
    cut_off()
    cut_off()  # a restore drops it, too
    Backup(wanted, host.repository, Progress())._others()  # type: ignore[arg-type]
    assert found == {"mail"}
    cut_off()
    asked = {"user": "alice@example.org", "at": ""}
    write(places / "kept/aaaa1111", "homes.json", json.dumps({"": str(host.root)}))
    with pytest.raises(FailureError, match=r"no user alice@example\.org"):
        users.UserRestore(wanted, host.repository, Progress(), asked).run()  # type: ignore[arg-type]
    assert found == {"mail"}


@pytest.mark.parametrize("name", ["mail_restored", "mail_replaced"])
def test_a_database_of_the_administrator_beside_that_of_the_mail_stays(places: Path, name: str) -> None:
    found = {"mail", name}
    Answers(found).tidy()
    with pytest.raises(FailureError, match=f"the name of the database {name}: drop or rename it"):
        Answers(found).load(places, lambda: None)
    Answers(found).tidy()
    assert found == {"mail", name}


@pytest.mark.parametrize(
    ("here", "users", "expected"),
    [
        (False, {"alice@example.org"}, "the database has users already, such as alice@example.org"),
        (True, {"alice@example.org", "new@example.org"}, "does not have users such as new@example.org"),
    ],
)
def test_accounts_are_not_lost(
    host: Host, monkeypatch: pytest.MonkeyPatch, places: Path, here: bool, users: set[str], expected: str
) -> None:
    write(places / "kept/aaaa1111", "database.sql", "COPY mail_users FROM stdin;\n1\talice@example.org\tt\n")
    done: list[str] = []
    monkeypatch.setattr(Database, "users", lambda _: users)
    monkeypatch.setattr(PostgreSQL, "dump", lambda *_: done.append("dump"))
    monkeypatch.setattr(PostgreSQL, "load", lambda *_: done.append("load"))
    more: dict[str, Any] = {"database": DATABASE} if here else {"database": DATABASE, "mail": None}
    with pytest.raises(FailureError, match=f"{expected}.*; the option overwrite replaces the database"):
        host.job(**more).run()
    assert host.called == [] and done == []
    host.job(**more, overwrite=True).run()
    assert done == ["dump", "load"]


def test_a_host_that_is_half_restored_makes_no_backup(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Restore, "_paths", fail)
        with pytest.raises(FailureError):
            host.job().run()
    with pytest.raises(FailureError, match=r"half restored: mailstack.restore goes on"):
        Backup({}, host.repository, Progress()).run()  # type: ignore[arg-type]
    # and one that was made even so is not the one that the same command means
    host.repository.found.append(snapshot("bbbb2222", "mailstack", "mail=mmmm", "messages=1"))
    assert host.job().run()["snapshot"] == "aaaa1111"


def test_one_that_changed_nothing_is_not_gone_on_with_for_ever(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(host.repository, "restore", fail)
        with pytest.raises(FailureError, match="nothing has changed"):
            host.job().run()
    host.repository.found.append(snapshot("bbbb2222", "mailstack", "mail=mmmm", "messages=1"))
    assert str(host.job()._chosen()["id"]) == "aaaa1111"
    os.utime(restore.WORK / "of", (1_700_000_000, 1_700_000_000))
    assert str(host.job()._chosen()["id"]) == "bbbb2222"


def test_a_last_backup_with_less_mail_is_not_taken_by_itself(host: Host) -> None:
    host.repository.found[0]["tags"] = ["mailstack", "mail=mmmm", "messages=900"]  # type: ignore[index]
    host.repository.found.append(snapshot("bbbb2222", "mailstack", "messages=3"))
    with pytest.raises(
        FailureError, match=r"bbbb2222 .* 3 messages, but aaaa1111 .* choose by the option at ID"
    ):
        host.job().run()
    assert host.job(at="aaaa").run()["snapshot"] == "aaaa1111"


def test_a_backup_of_the_future_is_not_taken_by_itself(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made while the clock was wrong, and others are newer."""
    monkeypatch.setattr(parts, "_tomorrow", lambda: "2026-11-30T01:59:59")
    with pytest.raises(FailureError, match="aaaa1111, is of 2026-11-30T02:00:00, which is to come: a clock"):
        host.job().run()
    assert host.job(at="aaaa").run()["snapshot"] == "aaaa1111"


def test_an_id_that_fits_several_backups(host: Host) -> None:
    host.repository.found.append(snapshot("aaaa2222", "mailstack"))
    with pytest.raises(FailureError, match="may be one of several backups: aaaa1111, aaaa2222"):
        host.job(at="aaaa").run()


def test_mail_without_room_is_not_begun(host: Host) -> None:
    host.repository.found[0]["tags"].append(f"bytes={1 << 60}")
    with pytest.raises(FailureError, match="MiB are free"):
        host.job().run()
    assert host.called == [] and host.mail() == {}
