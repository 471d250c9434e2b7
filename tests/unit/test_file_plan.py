"""The changes from existing to wanted files."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from dataclasses import replace
from typing import Any

import pytest

from mailstack import shared_files
from mailstack.facts.files import Found
from mailstack.file_plan import Change, Owned, archive, index_of, manifest, paths, plan
from mailstack.files import Directory, File, Kept, Place
from mailstack.operations.config_files import diff
from mailstack.secrets import placeholder

FILE = File("/etc/x/main.cf", "a = 1\n")
SECRET = File("/etc/x/sql.cf", f"password = {placeholder('db')}\n", "root", "postfix", 0o640)
TABLE = File("/etc/x/virtual", "a b\n", indexed="postmap")
SCRIPT = File("/etc/x/before.sieve", "keep;\n", activation=None, indexed="sievec")
DIRECTORY = Directory("/var/x", "vmail", "vmail", 0o750)
PLACE = Place("/var/y")
KEPT = Kept("/etc/x/key.pem", mode=0o600)
GONE = File("/etc/x/old.conf", None)


def found(content: str, **attributes: Any) -> Found:
    """Return a file of root, mode 0644, with these `attributes`."""
    there = Found("regular file", 0o644, "root", "root", hashlib.sha256(content.encode()).hexdigest())
    return replace(there, **attributes)


INDEX = found("the index")
assert INDEX.sha256 is not None
SUMS = {index_of(TABLE): INDEX.sha256}
RIGHT = {
    FILE.path: found("a = 1\n"),
    SECRET.path: found("password = s3cret\n", group="postfix", mode=0o640),
    TABLE.path: found("a b\n"),
    index_of(TABLE): INDEX,
    f"{DIRECTORY.path}/": Found("directory", 0o750, "vmail", "vmail"),
    f"{PLACE.path}/": Found("directory", 0o755, "somebody", "else"),
    KEPT.path: found("whatever", mode=0o600),
}
ENTRIES: list[Owned] = [FILE, SECRET, TABLE, DIRECTORY, PLACE, KEPT, GONE]
VALUES = {"db": "s3cret"}


def reasons(now: dict[str, Found], **values: str | None) -> dict[str, tuple[str, ...]]:
    """Return the reasons of changes, by path."""
    changes = plan(ENTRIES, now, SUMS, {**VALUES, **values})
    return {change.entry.path: change.reasons for change in changes}


def test_nothing_differs() -> None:
    assert reasons(RIGHT) == {}


def test_on_a_bare_host_all_files_are_missing() -> None:
    missing = reasons({})
    assert missing.pop(TABLE.path) == ("missing", "index")
    assert missing == dict.fromkeys([FILE.path, SECRET.path, DIRECTORY.path, PLACE.path], ("missing",))


@pytest.mark.parametrize(
    ("path", "wrong", "reason"),
    [
        (FILE.path, found("a = 2\n"), "content"),
        (FILE.path, found("a = 1\n", mode=0o664), "mode"),
        (FILE.path, found("a = 1\n", mode=0o4644), "mode"),
        (FILE.path, found("a = 1\n", owner="games"), "owner"),
        (FILE.path, found("a = 1\n", group="games"), "owner"),
        (FILE.path, found("a = 1\n", kind="symbolic link"), "type"),
        (FILE.path, Found("directory", 0o755, "root", "root"), "type"),
        (SECRET.path, found("password = other\n", group="postfix", mode=0o640), "content"),
        (KEPT.path, found("whatever", mode=0o644), "mode"),
        (GONE.path, found(""), "unwanted"),
    ],
)
def test_one_thing_differs(path: str, wrong: Found, reason: str) -> None:
    assert reasons({**RIGHT, path: wrong}) == {path: (reason,)}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (Found("directory", 0o755, "vmail", "vmail"), "mode"),
        (Found("directory", 0o750, "vmail", "root"), "owner"),
    ],
)
def test_a_directory_differs(now: Found, reason: str) -> None:
    assert reasons({**RIGHT, f"{DIRECTORY.path}/": now}) == {DIRECTORY.path: (reason,)}


def test_a_link_instead_of_a_kept_file_is_left_alone() -> None:
    assert reasons({**RIGHT, KEPT.path: found("", kind="symbolic link", mode=0o777)}) == {}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (None, "index"),
        (found("other"), "index"),
        (replace(INDEX, kind="symbolic link", mode=0o777), "index"),
        (replace(INDEX, mode=0o600), "mode"),
    ],
)
def test_an_index_is_part_of_its_table(now: Found | None, reason: str) -> None:
    host = {path: there for path, there in RIGHT.items() if path != index_of(TABLE)}
    assert reasons({**host, index_of(TABLE): now} if now else host) == {TABLE.path: (reason,)}


def test_an_index_is_built_again_after_others_changed_its_source() -> None:
    recorded = {**SUMS, TABLE.path: found("a b\n").sha256 or ""}
    assert plan([TABLE], RIGHT, recorded, {}) == []
    other = {**recorded, TABLE.path: found("what it was before").sha256 or ""}
    assert [str(change) for change in plan([TABLE], RIGHT, other, {})] == ["/etc/x/virtual: index"]
    tampered = {**RIGHT, TABLE.path: found("x y\n")}
    assert [str(change) for change in plan([TABLE], tampered, recorded, {})] == ["/etc/x/virtual: content"]


def test_an_index_without_a_record_is_built_again() -> None:
    assert [str(change) for change in plan([TABLE], RIGHT, {}, {})] == ["/etc/x/virtual: index"]


def test_a_password_that_does_not_exist_yet_is_a_difference() -> None:
    assert reasons(RIGHT, db=None) == {SECRET.path: ("content",)}


def test_paths_to_look_at() -> None:
    assert paths([FILE, TABLE]) == ["/etc/x/main.cf", "/etc/x/virtual", "/etc/x/virtual.db"]
    assert paths([DIRECTORY]) == ["/var/x/"], "through a link, too"


def test_only_files_with_other_content_are_written() -> None:
    assert Change(FILE, ("content", "mode")).needs_writing
    assert Change(FILE, ("type",)).needs_writing
    assert not Change(FILE, ("mode", "owner")).needs_writing


def test_the_archive_has_the_values_owners_and_modes() -> None:
    packed = base64.b64decode(archive([SECRET, GONE, DIRECTORY], VALUES, "a check", "a manifest"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        *others, member = tar.getmembers()
        assert [other.name for other in others] == ["check", "manifest"]
        content = tar.extractfile(member)
        assert content is not None
        assert content.read() == b"password = s3cret\n"
    assert (member.name, member.mode) == ("tree/etc/x/sql.cf", 0o640)
    assert (member.uname, member.gname) == ("root", "postfix")


def test_no_file_is_packed_without_its_secret() -> None:
    with pytest.raises(KeyError, match="db"):
        archive([SECRET], {"db": None}, "", "")


def test_an_unwanted_script_is_removed_with_its_binary() -> None:
    gone = SCRIPT._replace(content=None)
    assert plan([gone], {}, {}, {}) == []
    (change,) = plan([gone], {index_of(SCRIPT): INDEX}, {}, {})
    assert change.reasons == ("unwanted",)


def test_a_manifest_has_one_path_a_field() -> None:
    with pytest.raises(ValueError, match="tabs"):
        manifest([Change(Directory("/srv/a\tb"), ("missing",))], [])


def test_a_diff_shows_the_changed_lines() -> None:
    assert diff(FILE, "a = 2\n")[2:] == ["@@ -1 +1 @@", "-a = 2", "+a = 1"]


def test_a_diff_shows_only_printable_text() -> None:
    assert diff(FILE, "a = \udcff\n")[3] == "-a = \N{REPLACEMENT CHARACTER}"


def test_a_diff_shows_lines_of_others_only_if_all_users_may_read_them() -> None:
    theirs = "host all all 10.0.0.0/8 ldap ldapbindpasswd=hunter2\nlocal all all peer\n"
    text = f"{shared_files.BEGIN}\nlocal mail all reject\n{shared_files.END}\n{theirs}"
    for now in (theirs, text.replace("reject", "trust"), theirs + text.replace("reject", "trust")):
        shown = "\n".join(diff(File("/etc/x/hba", text, mode=0o640), now))
        assert "+local mail all reject" in shown
        assert "hunter2" not in shown
    assert "hunter2" in "\n".join(diff(File("/etc/x/aliases", text), theirs))


def test_a_diff_shows_neither_the_new_secret_nor_the_old_one() -> None:
    shown = "\n".join(diff(SECRET, "password = old\nuser = x\n"))
    assert "*MASKED*" in shown
    assert "old" not in shown
    assert "user = x" not in shown, "who knows what lies in a file that not everybody may read"


def test_a_masked_unit_stays_masked() -> None:
    gone = File("/etc/systemd/system/helper.service", None)
    assert plan([gone], {gone.path: found("", kind="symbolic link")}, {}, {}) == []
    assert [change.entry for change in plan([gone], {gone.path: found("")}, {}, {})] == [gone]
    assert plan([GONE], {GONE.path: found("", kind="symbolic link")}, {}, {}) != []
