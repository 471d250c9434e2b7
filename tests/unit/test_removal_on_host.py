"""What the scripts of a removal decide on a host: what goes, what stays, and when nothing may be done."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mailstack.shell import script

ROOT = Path(__file__).parents[2]
PARTS = ("brought", "keep", "psql", "remove_database", "remove_state", "remove_files", "remove_packages")
#: dpkg-query, apt-cache and apt-get of a host whose packages are in $PACKAGES: names with what they need.
DPKG = r"""#!/usr/bin/env -S python3 -IS
import json, os, sys, re
packages = json.loads(os.environ["PACKAGES"])
program, args = os.path.basename(sys.argv[0]), sys.argv[1:]
names = [each for each in args if each in packages]
if program == "dpkg-query":
    if args[0] == "-S" or not names:
        sys.exit(1)
    if "Conffiles" in args[2]:
        print(os.environ.get("CONFFILES", ""))
    else:
        print("installed", end="")
elif program == "apt-cache":
    todo = list(names)
    for name in todo:
        print(name)
        todo += [each for each in packages[name] if each not in todo]
elif "-s" in args:
    gone = set(names)
    while more := {name for name, needs in packages.items() if gone & set(needs)} - gone:
        gone |= more
    if "--auto-remove" in args:
        auto = set(os.environ.get("AUTO", "").split())
        while more := {
            name for name in auto - gone
            if not any(name in needs for other, needs in packages.items() if other not in gone)
        }:
            gone |= more
    for name in gone:
        print("Purg", name, "[1]")
"""


class Host:
    """The scripts on a host with a plan; `root` is the directory of its record."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.own = root / "var/lib/mailstack"
        (self.own / "brought").mkdir(parents=True)
        self.bin = root / "bin"
        self.bin.mkdir()
        (root / "run").mkdir()
        self.packages: Mapping[str, Sequence[str]] = {}
        self.auto = ""
        self.conffiles = ""
        self.plan: list[tuple[str, str]] = []

    def brought(self, *things: str) -> None:
        """Record what deploys have brought."""
        (self.own / "brought/things").write_text("".join(f"{each}\n" for each in sorted(things)))

    def run(
        self, commands: str, mode: str = "look", scope: str = "all", choice: str = "archive", to: str = "/srv"
    ) -> subprocess.CompletedProcess[str]:
        """Run commands after the parts of the removal."""
        for name in ("dpkg-query", "apt-cache", "apt-get"):
            (self.bin / name).write_text(DPKG)
            (self.bin / name).chmod(0o755)
        plan = "".join(f"{kind}\t{value}\n" for kind, value in self.plan)
        parts = [script("remove_begin", mode, scope, choice, to), *map(script, PARTS), commands]
        (self.root / "program").write_text("\n".join(parts))
        env = {
            "MAILSTACK_ROOT": str(self.root),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PACKAGES": json.dumps(self.packages),
            "AUTO": self.auto,
            "CONFFILES": self.conffiles,
        }
        return subprocess.run(
            ["sh", self.root / "program"], input=plan, env=env, text=True, capture_output=True, check=False
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return the scripts, with an empty plan."""
    return Host(tmp_path)


# Packages


def purged(
    host: Host, scope: str = "all", database: str = "false", others: str = ""
) -> tuple[list[str], str]:
    """Return the packages that go, and the remarks."""
    fakes = f"has_server() {{ {database}; }}\nothers() {{ printf '%s' '{others}'; }}\npurged"
    done = host.run(fakes, scope=scope)
    return done.stdout.split(), done.stderr


def test_what_deploys_installed_goes_and_what_was_here_stays(host: Host) -> None:
    host.packages = {"postfix": ["ssl-cert", "old-lib"], "ssl-cert": [], "old-lib": [], "nginx": []}
    host.auto = "ssl-cert old-lib"  # apt alone would take both away
    host.brought("package postfix", "package ssl-cert", "package gone-since")
    assert purged(host) == (["postfix", "ssl-cert"], "")


@pytest.mark.parametrize(
    ("status", "choice", "goes"),
    [
        ("half-installed", "keep", True),
        ("half-configured", "archive", True),
        ("config-files", "keep", False),
        ("config-files", "delete", True),
        ("not-installed", "delete", False),
        ("", "delete", False),
    ],
)
def test_half_removed_packages_go_too(host: Host, status: str, choice: str, goes: bool) -> None:
    asked = f"status_of() {{ printf '{status}'; }}\npresent_of postfix"
    assert host.run(asked, choice=choice).stdout == ("postfix\n" if goes else "")


def test_a_killed_removal_of_packages_goes_on(host: Host) -> None:
    calls = host.root / "calls"
    fakes = f"""
dpkg() {{ echo dpkg "$@" >> {calls}; }}
apt_get() {{ echo apt "$@" >> {calls}; }}
keep() {{ :; }}
purged() {{ echo postfix; }}
status_of() {{ printf config-files; }}
packages"""
    assert host.run(fakes, mode="look").stdout == "remove the packages postfix\n" and not calls.exists()
    host.run(fakes, mode="go")
    purges = ["apt purge postfix"] * 2  # the first one has only removed what was half removed
    assert calls.read_text().splitlines() == ["dpkg --force-confold --configure -a", *purges]


def test_what_an_older_package_needs_stays(host: Host) -> None:
    host.packages = {"their-app": ["redis"], "redis": ["redis-tools"], "redis-tools": [], "rspamd": []}
    host.brought("package redis", "package redis-tools", "package rspamd")
    host.auto = "redis-tools"
    going, said = purged(host)
    assert going == ["rspamd"]
    assert "packages stay that others need: redis redis-tools" in said


def test_a_component_leaves_what_the_other_components_need(host: Host) -> None:
    host.packages = {"rspamd": ["python3"], "python3": [], "postfix": ["python3"], "restic": []}
    host.brought(*(f"package {name}" for name in host.packages))
    host.auto = "python3 restic"  # restic came as a dependency, so apt would take it
    host.plan = [("package", "rspamd"), ("needed", "restic"), ("needed", "postfix")]
    assert purged(host, "rspamd") == (["rspamd"], "")


def test_a_component_that_another_one_needs_stays(host: Host) -> None:
    host.packages = {"nginx": [], "roundcube": ["nginx"]}
    host.brought("package nginx", "package roundcube")
    host.plan = [("package", "nginx"), ("needed", "roundcube")]
    assert purged(host, "web") == ([], "# packages stay that others need: nginx\n")


def test_nothing_goes_if_apt_would_take_more(host: Host) -> None:
    host.packages = {"postfix": ["lib"], "lib": [], "their-app": []}
    host.brought("package postfix", "package lib")
    apt = """
has_server() { false; }
simulated() {
  case "$*" in
    *--auto-remove*) printf 'lib\\npostfix\\n' ;;
    *lib*) printf 'lib\\npostfix\\ntheir-app\\n' ;;
    *) echo postfix ;;
  esac
}
purged
"""
    done = host.run(apt)
    assert done.returncode and done.stdout == ""
    assert "others need what would be removed: their-app" in done.stderr


def test_a_database_server_with_others_databases_stays(host: Host) -> None:
    host.packages = {
        "postgresql": ["postgresql-17"],
        "postgresql-17": ["libpq5"],
        "libpq5": [],
        "rspamd": [],
    }
    host.brought(*(f"package {name}" for name in host.packages))
    going, said = purged(host, database="true", others="theirs")
    assert going == ["rspamd"]
    assert "the database server stays: it has databases of others: theirs" in said
    assert set(purged(host, database="true")[0]) == set(host.packages)


def test_a_web_server_with_sites_of_others_stays(host: Host) -> None:
    host.packages = {"nginx": ["nginx-common"], "nginx-common": [], "rspamd": []}
    host.brought(*(f"package {name}" for name in host.packages))
    for name in ("conf.d", "sites-enabled"):
        (host.root / "etc/nginx" / name).mkdir(parents=True)
    (host.root / "etc/nginx/conf.d/mailstack.conf").touch()
    assert set(purged(host)[0]) == set(host.packages)
    shop = host.root / "etc/nginx/sites-enabled/shop"
    shop.symlink_to("/etc/nginx/sites-available/shop")
    going, said = purged(host)
    assert going == ["rspamd"] and f"nginx stays: it has files of others: {shop}" in said
    host.plan = [("package", "rspamd")]
    assert purged(host, scope="rspamd") == (["rspamd"], "")


def test_a_certbot_with_certificates_of_others_stays(host: Host) -> None:
    host.packages = {"certbot": []}
    host.brought("package certbot")
    renewal = host.root / "etc/letsencrypt/renewal"
    renewal.mkdir(parents=True)
    assert purged(host) == (["certbot"], "")
    (renewal / "shop.example.conf").touch()
    assert "certbot stays: it has files of others" in purged(host)[1] and not purged(host)[0]


def test_php_of_other_sites_stays(host: Host) -> None:
    host.packages = {"php8.4-fpm": ["php8.4-common"], "php8.4-common": [], "roundcube-core": []}
    host.brought(*(f"package {name}" for name in host.packages))
    pools = host.root / "etc/php/8.4/fpm/pool.d"
    pools.mkdir(parents=True)
    (pools / "www.conf").touch()  # Debian's
    assert set(purged(host)[0]) == set(host.packages)
    (pools / "shop.conf").touch()
    going, said = purged(host)
    assert going == ["roundcube-core"] and f"php8.4-fpm stays: it has files of others: {pools}/shop" in said


def test_clusters_of_other_versions_stay(host: Host) -> None:
    host.packages = {"postgresql": ["postgresql-17"], "postgresql-17": [], "postgresql-15": [], "rspamd": []}
    host.brought(*(f"package {name}" for name in host.packages))
    host.plan = [("database", "mail"), ("engine", "postgresql"), ("port", "5432")]
    clusters = "17 main 5432 online postgres\\n15 main 5433 down postgres\\n15 old 5432 down postgres\\n"
    fakes = f"""
servers() {{ printf 'postgresql-15\\npostgresql-17\\n'; }}
databases() {{ printf 'postgres\\nmail\\n'; }}
pg_lsclusters() {{ printf '{clusters}'; }}
purged"""
    done = host.run(fakes)
    assert done.stdout == "rspamd\n"
    assert "it has databases of others: 15/main 15/old" in done.stderr


def test_a_missing_conffile_of_a_package_that_stays_is_installed_again(host: Host) -> None:
    ours, theirs = host.root / "main.conf", host.root / "other.conf"
    host.packages = {"nginx": [], "rspamd": []}
    host.conffiles = f"\n {ours} 0123\n {theirs} 4567"
    host.plan = [("package", "nginx"), ("package", "rspamd"), ("file", str(ours))]
    asked = "gone=rspamd; without_conffiles"
    assert host.run(asked).stdout == "nginx\n"
    ours.write_text("of the administrator\n")
    assert host.run(asked).stdout == ""  # theirs is missing because somebody wants it so
    ours.write_text("# Written by mailstack\n")
    assert host.run(asked).stdout == "nginx\n"
    (host.own / f"found{host.root}").mkdir(parents=True)
    (host.own / f"found{ours}").touch()
    assert host.run(asked).stdout == ""  # it is given back


def test_accounts_of_packages_that_stay_stay(host: Host) -> None:
    host.packages = {"ssl-cert": [], "redis-tools": [], "postfix": []}
    host.brought(
        "group ssl-cert", "group postfix", "user redis", *(f"package {each}" for each in host.packages)
    )
    info, sysusers = host.root / "var/lib/dpkg/info", host.root / "usr/lib/sysusers.d"
    info.mkdir(parents=True)
    sysusers.mkdir(parents=True)
    (info / "ssl-cert.postinst").write_text("addgroup --system ssl-cert\n")
    (info / "postfix.postinst").write_text("addgroup --system postfix\n")
    (sysusers / "redis.conf").write_text('u redis - "Redis"\n')
    dpkg = host.bin / "dpkg"
    dpkg.write_text("#!/bin/sh\n[ $2 != redis-tools ] || echo /usr/lib/sysusers.d/redis.conf\n")
    dpkg.chmod(0o755)
    asked = "has_account() { true; }\naccounts"
    assert host.run(f"gone=postfix\n{asked}").stdout == "remove group postfix\n"
    every = "'ssl-cert\nredis-tools\npostfix'"
    assert len(host.run(f"gone={every}\n{asked}").stdout.splitlines()) == 3


def test_the_user_of_one_component_goes_whatever_stays(host: Host) -> None:
    host.brought("user mailwebmail", "user vmail")
    host.plan = [("user", "mailwebmail")]
    asked = "gone=\nhas_account() { [ $1 = user ]; }\naccounts"
    assert host.run(asked, scope="webmail", choice="keep").stdout == "remove user mailwebmail\n"
    assert host.run(asked, choice="keep").stdout == ""


def test_one_component_unmasks_the_units_of_its_packages(host: Host) -> None:
    units = host.root / "etc/systemd/system"
    units.mkdir(parents=True)
    for name in ("php8.4-fpm.service", "theirs.service"):
        (units / name).symlink_to("/dev/null")
    host.brought("mask php8.4-fpm.service", "mask theirs.service")
    host.plan = [("package", "php8.4-fpm")]
    remove = script("remove").partition("case $mode in")[0]
    listed = f"printf '#!/bin/sh\\necho /usr/lib/systemd/system/$2.service\\n' > {host.bin}/dpkg-query"
    assert host.run(f"{remove}\n{listed}\nunmask", "go", "webmail").stdout == "unmask php8.4-fpm.service\n"
    assert [each.name for each in units.iterdir()] == ["theirs.service"]
    assert host.run(f"{remove}\nunmask", "go").stdout == "unmask theirs.service\n"


# The database


def test_a_server_that_does_not_answer_ends_the_run(host: Host) -> None:
    host.plan = [("database", "mail"), ("engine", "postgresql"), ("port", "5432")]
    for question in ("has_database || echo none", "others", "server_of_others", "drop"):
        done = host.run(f"has_server() {{ true; }}\nask() {{ false; }}\n{question}")
        assert done.returncode and done.stdout == "", question
        assert "the database server does not answer: start it first" in done.stderr
    asked = "has_server() { true; }\nask() { printf 'postgres\\nmail2\\n'; }\nhas_database || echo none"
    assert host.run(asked).stdout == "none\n"


def test_a_database_with_tables_of_others_stays(host: Host) -> None:
    host.plan = [("database", "mail"), ("engine", "postgresql"), ("port", "5432")]
    fakes = "\n".join(
        f"{name}() {{ {does}; }}"
        for name, does in {
            "runs": "false",
            "has_server": "true",
            "check_copies": ":",
            "has_database": "true",
            "foreign": "echo public.shop",
        }.items()
    )
    fakes += "\ncheck"
    for choice in ("archive", "delete"):
        done = host.run(fakes, choice=choice)
        assert done.returncode and "the database mail has tables of others: public.shop" in done.stderr
    assert host.run(fakes, choice="keep").returncode == 0


@pytest.mark.parametrize("choice", ["archive", "delete"])
def test_a_database_with_copies_on_other_hosts_stays(host: Host, choice: str) -> None:
    host.plan = [("database", "mail"), ("engine", "postgresql"), ("port", "5432")]
    answers = """
runs() { false; }
has_server() { true; }
check_server() { :; }
foreign() { :; }
ask() { case $1 in *recovery*) echo $standby ;; *slots*) printf '%s' "$slots" ;; *) echo mail ;; esac; }
check"""
    standby = host.run(f"standby=t slots={answers}", choice=choice)
    assert standby.returncode and "a copy of another host's, and can't be dropped" in standby.stderr
    primary = host.run(f"standby=f slots=mailstack_db2{answers}", choice=choice)
    assert (
        primary.returncode and "would lose it too: mailstack_db2; allowed: option data keep" in primary.stderr
    )
    assert host.run(f"standby=f slots={answers}", choice=choice).returncode == 0
    for flags in ("standby=t slots=", "standby=f slots=mailstack_db2"):
        assert host.run(f"{flags}{answers}", choice="keep").returncode == 0


REFUSED = "psql: error: FATAL:  no pg_hba.conf entry for host [local], user postgres, database postgres"


def test_a_server_that_refuses_its_superuser_is_no_stopped_one(host: Host) -> None:
    host.plan = [("database", "mail"), ("engine", "postgresql"), ("port", "5432")]
    for question in ("has_database", "check_copies"):
        done = host.run(f"has_server() {{ true; }}\nask() {{ echo '{REFUSED}' >&2; false; }}\n{question}")
        why = f"the database server refuses its superuser: {REFUSED}; allowed: a server that lets the system"
        assert done.returncode and done.stderr.startswith(why)


def test_databases_of_a_killed_restore_go_too(host: Host) -> None:
    host.plan = [("database", "mail"), ("engine", "mysql"), ("port", "3306")]
    names = "mail\\nmail_restored\\nmysql\\n"
    ask = f"ask() {{ case $1 in SHOW*) printf '{names}' ;; *) echo \"$1\" >&2 ;; esac; }}"
    fakes = f"has_server() {{ true; }}\n{ask}"
    assert host.run(f"{fakes}\nothers").stdout == "mail_restored\n"  # the administrator's own
    assert "mail_restored" not in host.run(f"{fakes}\ndrop", mode="go").stdout
    (host.own / "backup").mkdir()
    (host.own / "backup/beside").touch()
    assert host.run(f"{fakes}\nothers").stdout == ""
    done = host.run(f"{fakes}\ndrop", mode="go")
    assert done.stdout == "drop database mail\ndrop database mail_restored\n"
    assert done.stderr == "DROP DATABASE `mail`\nDROP DATABASE `mail_restored`\n"


def test_data_of_a_mariadb_that_goes_are_deleted(host: Host) -> None:
    data = host.root / "mysql"
    host.brought("package mariadb-server")
    host.plan = [("database", "mail"), ("engine", "mysql"), ("port", "3306")]

    def erased(mode: str, gone: str, is_there: str) -> str:
        data.mkdir(exist_ok=True)
        (data / "ib_logfile0").touch()
        fakes = f"data_directory() {{ echo {data}; }}\nhas_server() {{ {is_there}; }}\n"
        return host.run(f"{fakes}gone={gone}\nerase", mode, choice="delete").stdout

    assert erased("go", "rspamd", "true") == "" and data.exists()  # it has databases of others
    assert erased("look", "mariadb-server", "true") == f"delete {data}\n" and data.exists()
    assert erased("go", "mariadb-server", "false") == f"delete {data}\n" and not data.exists()
    assert erased("go", "", "false") == f"delete {data}\n" and not data.exists()  # after a kill
    host.brought()
    assert erased("go", "", "false") == "" and data.exists()  # the host had one


@pytest.mark.parametrize("unit", ["restore", "upgrade"])
def test_what_is_at_work_is_not_stopped(host: Host, unit: str) -> None:
    done = host.run(f'runs() {{ [ "$1" = mailstack-{unit} ]; }}\ncheck', choice="keep")
    assert done.returncode and done.stderr == f"mailstack.{unit} is at work: wait until it has ended\n"


@pytest.mark.parametrize("choice", ["archive", "delete"])
def test_data_of_a_server_that_is_not_installed_is_not_deleted(host: Host, choice: str) -> None:
    host.plan = [("database", "mail"), ("engine", "postgresql"), ("port", "5432")]
    data = host.root / "postgresql"
    data.mkdir()
    fakes = f"runs() {{ false; }}\nhas_server() {{ false; }}\ndata_directory() {{ echo {data}; }}\n"
    assert host.run(f"{fakes}check", choice=choice).returncode == 0
    (data / "PG_VERSION").touch()
    done = host.run(f"{fakes}check", choice=choice)
    assert (
        done.returncode
        and f"{data} has data: deploy first; allowed meanwhile: option data keep" in done.stderr
    )
    (host.root / "archive").write_text("sound")
    begun = f"{fakes}mode=go; begin_with {host.root}/archive; check"  # by this removal, which was killed
    assert host.run(begun, choice=choice).returncode == 0


# What is stopped


def test_what_others_may_need_goes_on(host: Host) -> None:
    host.plan = [("unit", "mailstack-firewall.service"), ("unit", "mailstack-recover.service")]
    host.plan += [("service", name) for name in ("postgresql", "mariadb", "nginx", "unbound", "postfix")]
    remove = script("remove").partition("case $mode in")[0]
    done = host.run(f"{remove}\nsystemctl() {{ echo mailstack-backup.service; }}\nwriters")
    assert done.stdout.split() == ["mailstack-recover.service", "mailstack-backup.service", "postfix"]


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
