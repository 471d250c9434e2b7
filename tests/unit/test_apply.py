"""The files on disk after `apply.sh`, also after a killed one."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mailstack.facts.files import _parse_sums
from mailstack.file_plan import Change, Owned, archive, index_of, manifest
from mailstack.files import Directory, File, Kept, Place
from mailstack.shell import script, shell

ME = (pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name)
FILE = File("/etc/x/main.cf", "a = 1\n", *ME)
TABLE = File("/etc/x/virtual", "a b\n", *ME, 0o640, indexed="postmap")
SCRIPT = File("/etc/x/before.sieve", "keep;\n", *ME, activation=None, indexed="sievec")

PROGRAMS = {
    # an index is made from the file on disk; its text names the source
    "postmap": '{ printf "made of "; cat "$1"; } > "$1.db"',
    "sievec": '[ "$1" = -c ]; { printf "made of "; cat "$3"; } > "$4"',
    "mv": """echo >> "$COUNT"
if [ $(wc -l < "$COUNT") -eq "$DIE_AT" ]; then kill -9 $PPID; exit; fi
exec /bin/mv "$@\"""",
}


class Host:
    """A directory that stands for a host."""

    def __init__(self, root: Path) -> None:
        self.root = root / "host with a space"
        self.programs = root / "bin"
        for directory in (self.root, self.programs):
            directory.mkdir()
        for name, text in PROGRAMS.items():
            (self.programs / name).write_text(f"#!/bin/sh\nset -e\n{text}\n")
            (self.programs / name).chmod(0o755)

    def apply(
        self,
        changes: Sequence[Change],
        entries: Sequence[Owned] | None = None,
        *,
        marks: Sequence[str] = ("x.reload",),
        check: str = "",
        die_at: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        """Run it; with `die_at`, the shell is killed before that rename."""
        entries = [change.entry for change in changes] if entries is None else entries
        packed = archive(entries, {}, check, manifest(changes, marks))
        command = shell("\n".join(map(script, ("brought", "keep", "enter", "apply"))), packed)
        count = self.programs / "count"
        count.unlink(missing_ok=True)
        env = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "MAILSTACK_ROOT": str(self.root),
            "COUNT": str(count),
            "DIE_AT": str(die_at),
        }
        text = command.connector_arguments["_stdin"]
        assert isinstance(text, str)
        return subprocess.run(["sh"], input=text, env=env, capture_output=True, text=True, timeout=60)

    def path(self, path: str) -> Path:
        """Return the real path of a path of the host."""
        return self.root / path.lstrip("/")

    def put(self, path: str, text: str) -> None:
        """Write a file by hand."""
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def text(self, path: str) -> str | None:
        """Return the text of a file."""
        return self.path(path).read_text() if self.path(path).exists() else None

    def mode(self, path: str) -> int:
        """Return the permissions of a file."""
        return self.path(path).stat().st_mode & 0o7777

    def marks(self) -> list[str]:
        """Return the names of the marks."""
        return sorted(path.name for path in self.root.glob("var/lib/mailstack/pending/*"))

    def everything(self) -> dict[str, str]:
        """Return all files, except the lock."""
        files = (path for path in self.root.rglob("*") if path.is_file() and path.name != "lock")
        return {str(path.relative_to(self.root)): path.read_text() for path in files}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def done(run: subprocess.CompletedProcess[str]) -> None:
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def written(*entries: Owned) -> list[Change]:
    return [Change(entry, ("content",)) for entry in entries]


def test_all_lies_there_with_its_mode_and_others_can_reach_it(host: Host) -> None:
    secret = FILE._replace(path="/usr/local/lib/mail stack/pass 'word'", content="s3cret\n", mode=0o600)
    done(host.apply([*written(FILE, TABLE, secret)]))
    assert host.text(FILE.path) == "a = 1\n"
    assert host.text(secret.path) == "s3cret\n"
    assert host.text(index_of(TABLE)) == "made of a b\n"
    assert [host.mode(path) for path in (FILE.path, TABLE.path, index_of(TABLE), secret.path)] == [
        0o644,
        0o640,
        0o640,
        0o600,
    ]
    for parent in ("/etc", "/etc/x", "/usr/local/lib", "/usr/local/lib/mail stack"):
        assert host.mode(parent) == 0o755, "under umask 077, mkdir -p -m 755 makes only the last one so"
    assert host.mode("/var/lib/mailstack") == 0o700
    assert host.marks() == ["x.reload"]
    assert list(host.path("/var/lib/mailstack/stage").iterdir()) == []


def test_only_what_differs_is_written(host: Host) -> None:
    done(host.apply(written(FILE), [FILE, TABLE]))
    assert host.text(TABLE.path) is None


def test_directories(host: Host) -> None:
    changes = [
        Change(Directory("/srv/mail", *ME, 0o750), ("missing",)),
        Change(Place("/spool/private"), ("missing",)),
    ]
    done(host.apply(changes, marks=()))
    assert [host.mode(path) for path in ("/srv", "/srv/mail", "/spool/private")] == [0o755, 0o750, 0o700]
    assert host.marks() == []


def test_attributes_are_put_right_without_writing(host: Host) -> None:
    for path in ("/etc/x/key.pem", TABLE.path, index_of(TABLE)):
        host.put(path, "of before")
        host.path(path).chmod(0o666)
    changes = [Change(Kept("/etc/x/key.pem", *ME, 0o600), ("mode",)), Change(TABLE, ("mode",))]
    done(host.apply(changes))
    for path, mode in (("/etc/x/key.pem", 0o600), (TABLE.path, 0o640), (index_of(TABLE), 0o640)):
        assert (host.text(path), host.mode(path)) == ("of before", mode)


def test_what_should_not_be_goes_with_its_index(host: Host) -> None:
    gone = SCRIPT._replace(content=None)
    host.put(gone.path, "old")
    host.put(index_of(gone), "old")
    host.put("/etc/x/dir/file", "old")
    done(host.apply([Change(gone, ("unwanted",)), Change(File("/etc/x/dir", None), ("unwanted",))]))
    assert list(host.path("/etc/x").iterdir()) == []


@pytest.mark.parametrize(
    "check", ['echo "no good: $(cat "$stage/etc/x/main.cf")" >&2; exit 1', "false\ntrue", "nosuchcommand"]
)
def test_a_check_that_fails_leaves_the_old_files(host: Host, check: str) -> None:
    host.put(FILE.path, "old")
    before = host.everything()
    run = host.apply(written(FILE), check=check)
    assert run.returncode != 0
    if "$stage" in check:
        assert run.stderr == "no good: a = 1\n"
    assert host.everything() == before


def test_a_directory_may_be_a_link_of_root_alone(host: Host, tmp_path: Path) -> None:
    """Whoever owns the directory above it could make it one to /etc."""
    shared = Directory("/srv/mail/.shared", *ME, 0o700)
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o755)
    host.path("/srv/mail").mkdir(parents=True)
    host.path(shared.path).symlink_to(disk)
    (host.programs / "stat").write_text(
        '#!/bin/sh\ncase $2 in %u) echo 4242 ;; *) exec /usr/bin/stat "$@" ;; esac\n'
    )
    (host.programs / "stat").chmod(0o755)
    run = host.apply([Change(shared, ("owner",))])
    assert (run.returncode, run.stderr) == (
        1,
        f"{host.path(shared.path)} is a symbolic link that root has not made: remove it\n",
    )
    assert disk.stat().st_mode & 0o777 == 0o755
    (host.programs / "stat").unlink()
    done(host.apply([Change(shared, ("owner",))]))
    assert disk.stat().st_mode & 0o777 == 0o700 and host.path(shared.path).is_symlink()


def test_a_directory_has_its_mode_below_one_that_gives_its_group(host: Host) -> None:
    """Debian's /var/mail does, as people have mail in /var/mail/vhosts."""
    host.path("/var/mail").mkdir(parents=True)
    host.path("/var/mail").chmod(0o2775)
    homes = Directory("/var/mail/vhosts", *ME, 0o750)
    done(host.apply([Change(homes, ("missing",))]))
    assert host.path(homes.path).stat().st_mode & 0o7777 == 0o750


def test_a_check_may_mark(host: Host) -> None:
    done(host.apply(written(FILE), check='[ "$(cat "$stage/etc/x/main.cf")" = x ] || mark x.restart'))
    assert host.marks() == ["x.reload", "x.restart"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root has files of others")
@pytest.mark.parametrize("field", ["owner", "group"])
def test_an_owner_that_the_host_does_not_have(host: Host, field: str) -> None:
    stranger = FILE._replace(path="/etc/x/other")._replace(**{field: "nosuch"})  # type: ignore[arg-type]
    run = host.apply(written(FILE, stranger))
    assert run.returncode != 0
    assert "etc/x/other" in run.stderr
    assert host.everything() == {}


def test_what_is_not_ours_is_kept_once(host: Host) -> None:
    """It is not kept for a change of attributes, nor if its path or text has mailstack's name."""
    ours = FILE._replace(path="/etc/x/mailstack.conf")
    named = FILE._replace(path="/etc/x/named")
    gone = FILE._replace(path="/etc/x/old.conf", content=None)
    moded = FILE._replace(path="/etc/x/moded")
    for entry in (FILE, ours, gone, moded):
        host.put(entry.path, "by hand")
    host.put(named.path, "# Written by mailstack")
    host.path(FILE.path).chmod(0o604)
    changes = [*written(FILE, ours, named), Change(gone, ("unwanted",)), Change(moded, ("mode",))]
    done(host.apply(changes))
    found = "/var/lib/mailstack/found"
    kept = {path: text for path, text in host.everything().items() if f"/{path}".startswith(found)}
    assert kept == {f"{found}{path}"[1:]: "by hand" for path in (FILE.path, gone.path)}
    assert host.mode(found + FILE.path) == 0o604
    assert host.mode(found) == 0o700
    host.put(FILE.path, "by another hand")
    done(host.apply(written(FILE)))
    assert host.text(found + FILE.path) == "by hand"


def test_what_was_built_is_recorded(host: Host) -> None:
    record = "/var/lib/mailstack/indexes"
    longer = TABLE._replace(path=f"{TABLE.path}_more")
    done(host.apply(written(TABLE, longer, SCRIPT)))
    before = _parse_sums(host.text(record) or "")
    assert set(before) == {path for file in (TABLE, longer, SCRIPT) for path in (file.path, index_of(file))}
    done(host.apply(written(TABLE._replace(content="c d\n"))))
    after = _parse_sums(host.text(record) or "")
    changed = {path for path in before if before[path] != after[path]}
    assert (changed, set(after)) == ({TABLE.path, index_of(TABLE)}, set(before))
    for path, checksum in after.items():
        shown = subprocess.run(["sha256sum", host.path(path)], capture_output=True, text=True, check=True)
        assert shown.stdout.split()[0].removeprefix("\\") == checksum


def deaths(host: Host, *files: File) -> Iterator[Host]:
    """Yield the host after a run that was killed before its first rename, then its second, and so on.

    Before each run, the files are `old`, with their indexes.
    """
    for number in range(1, 30):
        for file in files:
            host.put(file.path, "old")
            if file.indexed:
                host.put(index_of(file), "made of old")
        shutil.rmtree(host.path("/var/lib/mailstack"), ignore_errors=True)
        run = host.apply(written(*files), marks=("x.restart",), die_at=number)
        if run.returncode == 0:
            assert number > len(files)
            return
        assert run.returncode == -signal.SIGKILL, run.stderr
        yield host
    raise AssertionError("it never ends")


def test_wherever_it_is_killed_the_next_run_knows(host: Host) -> None:
    """There is a mark before anything is replaced, and no file is half written."""
    ours = [FILE._replace(path=f"/etc/mailstack/{name}") for name in ("a", "b")]
    for _ in deaths(host, *ours, FILE):
        texts = [host.text(file.path) for file in (*ours, FILE)]
        assert set(texts) <= {"old", FILE.content}
        assert texts == sorted(texts, reverse=True, key=lambda text: text == FILE.content)
        assert host.marks() == ["x.restart"]
        if texts[-1] != "old":
            assert host.text(f"/var/lib/mailstack/found{FILE.path}") == "old"


def test_no_index_is_older_than_its_table(host: Host) -> None:
    seen = set()
    for _ in deaths(host, TABLE):
        seen.add((host.text(TABLE.path), host.text(index_of(TABLE))))
    new = "made of a b\n"
    assert seen == {("old", "made of old"), ("old", new), ("a b\n", new)}


def test_no_compiled_script_lies_beside_another_source(host: Host) -> None:
    seen = set()
    for _ in deaths(host, SCRIPT):
        seen.add((host.text(SCRIPT.path), host.text(index_of(SCRIPT))))
    assert seen == {("old", "made of old"), ("old", None), ("keep;\n", None), ("keep;\n", "made of keep;\n")}
