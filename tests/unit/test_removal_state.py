"""What the scripts of a removal do with the state of a host: the archive, what goes, and what stays."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from mailstack.shell import script
from tests.unit.test_removal_on_host import Host, host

__all__ = ["host"]

ROOT = Path(__file__).parents[2]


# The archive


@pytest.fixture
def archived(host: Host) -> Host:
    """Return a host whose state is archived, by a removal that was killed then."""
    mail = host.root / "mail"
    mail.mkdir()
    (mail / "letter").write_text("Hello")
    host.plan = [("state", f"mail\t{mail}\t"), ("database", "mail")]
    archive = host.root / "archive"
    archive.write_text("sound")
    later = (mail / "letter").stat().st_ctime + 1
    os.utime(archive, (later, later))
    assert host.run(f"begin_with {archive}").returncode == 0
    return host


def is_archived(host: Host, database: str = "false", scope: str = "all") -> bool:
    """Return whether nothing needs another archive."""
    return host.run(f"has_database() {{ {database}; }}\nis_archived", scope=scope).returncode == 0


def test_an_archive_serves_the_next_run(archived: Host) -> None:
    assert is_archived(archived)
    (archived.root / "mail/letter").unlink()
    assert is_archived(archived)


def test_an_archive_of_something_else_serves_not(archived: Host) -> None:
    assert not is_archived(archived, scope="rspamd")
    archived.plan.append(("state", f"secrets\t{archived.root}/other\t"))
    assert not is_archived(archived)


def test_what_came_after_the_archive_is_archived_too(archived: Host) -> None:
    assert not is_archived(archived, database="true")
    archive = archived.root / "archive"
    os.utime(archive, (0, 0))
    assert not is_archived(archived)


def test_an_archive_that_is_gone_serves_not(archived: Host) -> None:
    (archived.root / "archive").write_text("")
    assert not is_archived(archived)
    (archived.root / "archive").unlink()
    assert not is_archived(archived)
    assert archived.run("begin_with 'no archive'").returncode == 0  # of data delete
    assert not is_archived(archived)


def test_a_half_archive_of_a_killed_run_takes_no_room(host: Host) -> None:
    place, mail = host.root / "archives", host.root / "mail"
    mail.mkdir()
    place.mkdir()
    (place / f"{os.uname().nodename}-all-20200101-000000.tar.gz.new").touch()
    (place / "of-somebody.tar.gz.new").touch()
    fakes = f"has_database() {{ false; }}\nmembers() {{ echo {str(mail)[1:]}; }}\narchive"
    done = host.run(fakes, "go", to=str(place))
    assert done.returncode == 0, done.stderr
    theirs, made = sorted(place.iterdir(), key=lambda path: path.name != "of-somebody.tar.gz.new")
    assert theirs.name == "of-somebody.tar.gz.new" and made.name.endswith(".tar.gz")


def test_the_archive_has_what_links_lead_to(host: Host) -> None:
    disk, mail, secret = host.root / "disk", host.root / "mail", host.root / "secret"
    (disk / "bob").mkdir(parents=True)
    (disk / "bob/letter").write_text("Hello")
    mail.symlink_to(disk)
    secret.write_text("of postsrsd")
    host.own.rename(host.root / "own")
    host.own.symlink_to(host.root / "own")
    (host.own / "database.sql").touch()
    host.plan = [("state", f"mail\t{mail}\tvmail"), ("state", f"secrets\t{secret}\t")]
    host.plan.append(("state", f"queue\t{host.root}/missing\t"))
    assert host.run("members").stdout.startswith("etc\n")
    tar = host.root / "a.tar"
    done = host.run(f"cd /; tar -cf {tar} $(members | grep -vx etc); tar -tf {tar}; tar -df {tar}")
    assert done.returncode == 0
    names = {os.path.normpath(f"/{each}") for each in done.stdout.split()}
    assert {str(mail / "bob/letter"), str(secret), str(host.own / "database.sql")} <= names


def test_messages_between_two_queues_wait_too(host: Host) -> None:
    """A purge of Postfix deletes them, and `postqueue -p` does not show them."""
    spool = host.root / "spool"
    for path in ("hold/A", "mailstack-rescue/out/deferred/B", "mailstack-rescue/in/incoming/C/message"):
        (spool / path).parent.mkdir(parents=True, exist_ok=True)
        (spool / path).touch()
    (spool / "bounce").mkdir()
    (spool / "bounce/A").touch()
    host.plan = [("state", f"queue\t{spool}\t")]
    assert host.run("queued").stdout.strip() == "3"
    delete = f"postsuper() {{ rm {spool}/hold/A; }}\nis_installed() {{ :; }}\nerase"
    assert host.run(delete, mode="go").stdout == "delete the mail that waits\n"
    assert host.run(delete, mode="go").stdout == ""


def test_the_place_of_the_archive_stays(host: Host) -> None:
    mail, link = host.root / "mail", host.root / "link"
    mail.mkdir()
    link.symlink_to(mail)
    host.plan = [("state", f"mail\t{mail}\t")]
    inside: dict[Path | str, Path | str] = {
        mail: mail,
        mail / "x": mail,
        link: mail,
        link / "x": mail,
        "/etc/x": "/etc",
    }
    more = {"/var/lib/mailstack": "/var/lib", "/run/x": "/run", "/var/cache/mailstack-x": "/var/cache"}
    for place, where in [*inside.items(), *more.items()]:
        done = host.run("check_place", to=str(place))
        assert done.returncode and f"to = {place}: is in {where};" in done.stderr, place
    assert host.run("changeable() { :; }\ncheck_place", to="/srv/archive").returncode == 0


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("drwxr-xr-x root root srv", False),
        ("drwxr-xr-x bob root srv", True),
        ("drwxrwxr-x root staff srv", True),  # or an ACL: its users are in the bits of the group
        ("drwxrwxrwt root root srv", True),
        ("lrwxrwxrwx root root srv -> disk", False),
        ("                     archive - No such file or directory", False),
    ],
)
def test_the_archive_is_where_root_alone_can_make_a_link(host: Host, line: str, refused: bool) -> None:
    listed = f"f: /srv/archive\ndrwxr-xr-x root root /\n{line}\n"
    done = host.run(
        f"namei() {{ [ $2 = /srv/archive ] && printf '%s' '{listed}'; }}\ncheck_place",
        to="/srv/archive",
    )
    assert bool(done.returncode) == refused
    if refused:
        mode, user, group = line.split()[:3]
        assert f"other users can change what is there: srv ({mode} {user} {group});" in done.stderr


def test_a_link_on_the_way_to_the_archive_is_followed(host: Host) -> None:
    (host.root / "link").symlink_to(host.root / "theirs")
    (host.root / "theirs").mkdir()
    (host.root / "theirs").chmod(0o777)
    assert "theirs (drwxrwxrwx" in host.run("changeable", to=str(host.root / "link/archive")).stdout


def test_a_mount_in_the_state_is_refused(host: Host) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    below = next(each for each in mounts if each.count("/") > 1)  # such as /dev/pts
    above = str(Path(below).parent)
    host.plan = [("state", f"mail\t{above}\t")]
    check = "runs() { false; }\ncheck"
    for choice in ("archive", "delete"):
        done = host.run(check, choice=choice)
        assert done.returncode and f"is mounted in {above}, which would be deleted" in done.stderr
    assert host.run(check, choice="keep").returncode == 0
    host.plan = [("state", f"mail\t{host.root}\t")]
    assert host.run(check, choice="delete").returncode == 0


# State and files


def test_mail_of_another_user_stays(host: Host) -> None:
    mail = host.root / "mail"
    (mail / "bob/cur").mkdir(parents=True)
    (mail / "bob/cur/letter").touch()
    (host.root / "link").symlink_to(mail)
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    for owner in ("daemon", "nobody-of-this-name"):
        assert host.run(f"its {owner} {mail} -print").stdout == ""
        host.run(f"wipe {owner} {mail}")
        assert (mail / "bob/cur/letter").exists()
    assert host.run(f"wipe {me} {host.root}/link").returncode == 0
    assert [*mail.iterdir()] == []  # through the link, and the link stays
    assert (host.root / "link").is_symlink()
    assert host.run(f"wipe '' {mail}").returncode == 0
    assert not mail.exists()


def test_keys_of_the_hosts_own_package_stay(host: Host) -> None:
    keys = host.root / "dkim"
    keys.mkdir()
    host.plan = [("state_of", f"rspamd\tsecrets\t{keys}\t")]
    assert host.run("erase", choice="delete").stdout == host.run("states").stdout == ""
    host.brought("package rspamd")
    assert host.run("states").stdout == f"{keys}\n"


def give_back(host: Host, path: Path, mode: str = "go", choice: str = "delete") -> tuple[str, str]:
    """Return what is said when a file is given back."""
    done = host.run(f"give_back {path}", mode, choice=choice)
    assert done.returncode == 0
    return done.stdout, done.stderr


def test_a_replaced_file_comes_back(host: Host) -> None:
    path = host.root / "main.cf"
    copy = host.own / f"found{path}"
    copy.parent.mkdir(parents=True)
    copy.write_text("before\n")
    path.write_text("# Written by mailstack\n")
    assert give_back(host, path, "look") == (f"give back {path}\n", "")
    assert path.read_text() == "# Written by mailstack\n"
    give_back(host, path)
    assert path.read_text() == "before\n" and not copy.exists()
    assert give_back(host, path) == ("", "")
    copy.write_text("before\n")  # a run that was killed before it removed the copy
    assert give_back(host, path) == (f"give back {path}\n", "")
    assert not copy.exists()


def test_a_file_that_somebody_wrote_since_stays_and_its_copy_too(host: Host) -> None:
    path = host.root / "site.conf"
    copy = host.own / f"found{path}"
    copy.parent.mkdir(parents=True)
    copy.write_text("before\n")
    path.write_text("of the administrator, since\n")
    said, remark = give_back(host, path)
    assert said == "" and f"what was there before is in {copy}" in remark
    assert path.read_text() == "of the administrator, since\n" and copy.exists()
    copy.unlink()
    assert give_back(host, path) == ("", "")
    path.write_text("# Written by mailstack\n")
    assert give_back(host, path) == (f"remove {path}\n", "")
    assert not path.exists()


def test_copies_of_earlier_versions_come_back_with_all_alone(host: Host) -> None:
    path = host.root / "of-an-earlier-version"
    copy = host.own / f"found{path}"
    copy.parent.mkdir(parents=True)
    copy.write_text("before\n")
    assert host.run("files", "look", "rspamd").stdout == ""
    assert host.run("files", "look", "all").stdout == f"give back {path}\n"


def test_what_is_kept_stays(host: Host) -> None:
    path = host.root / "keys/mailstack.key"
    path.parent.mkdir()
    path.touch()
    host.plan = [("state", f"secrets\t{path.parent}\t"), ("made", str(path)), ("tree", str(path.parent))]
    assert host.run("files; sweep", choice="keep", scope="tls").stdout == ""
    going = f"remove {path}\nremove {path.parent}\n"
    assert host.run("files; sweep", choice="delete", scope="tls").stdout == going
    host.plan = [("state", f"secrets\t{path}\t"), ("made", str(path))]  # one of several in there
    assert host.run("files", choice="keep", scope="backup").stdout == ""
    host.plan = [("spared", str(path.parent)), ("made", str(path))]
    assert host.run("files", choice="delete", scope="tls").stdout == ""


def test_one_component_leaves_a_directory_in_which_another_one_is_left(host: Host) -> None:
    tree = host.root / "nginx/mailstack"
    (tree / "host").mkdir(parents=True)
    host.plan = [("tree", str(tree)), ("left", f"{tree}/http.conf")]
    (tree / "http.conf").touch()
    assert host.run("sweep", scope="webmail").stdout == ""
    (tree / "http.conf").unlink()
    assert host.run("sweep", scope="webmail").stdout == f"remove {tree}\n"


def test_what_the_services_of_one_component_made_goes_with_it(host: Host) -> None:
    made = host.run("made_by_services", scope="webmail").stdout.split()
    assert made == [f"/var/{place}/mailstack-webmail" for place in ("lib", "lib/private", "cache", "log")]
    assert "/var/lib/mailstack-tls-reports" in host.run("made_by_services", scope="tls_reports").stdout


def test_what_services_make_is_known_by_name(host: Host) -> None:
    pattern = r"(?:(?:State|Cache|Logs)Directory=|/var/(?:lib|cache|log)/)(mailstack-[a-z_-]+)"
    files = [
        path
        for top in ("mailstack", "templates")
        for path in (ROOT / top).rglob("*.*")
        if path.suffix != ".pyc"
    ]
    texts = [path.read_text(errors="replace") for path in files if path.is_file()]
    named = {name for text in texts for name in re.findall(pattern, text)}
    known = {path.rpartition("/")[2] for path in host.run("made_by_services").stdout.split()}
    assert known == named


def test_backups_in_the_record_stay(host: Host) -> None:
    backups = host.own / "backups"
    backups.mkdir()
    (host.own / "pending").mkdir()
    host.plan = [("spared", str(backups))]
    host.brought()
    remove = script("remove").partition("case $mode in")[0]
    assert host.run(f"{remove}\nsweep; goes_last && forget", mode="go").returncode == 0
    assert [*host.own.iterdir()] == [backups]
    assert host.run(f"{remove}\ngoes_last").returncode
