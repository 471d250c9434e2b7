"""What the scripts of a removal decide on a host: packages, the database, and what is stopped."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mailstack.shell import script

PARTS = ("brought", "keep", "psql", "remove_database", "remove_state", "remove_files", "remove_packages")
#: dpkg-query, apt-cache and apt-get of a host whose packages are in $PACKAGES: names with what they need.
DPKG = r"""#!/usr/bin/env -S python3 -IS
import json, os, sys, re
packages = json.loads(os.environ["PACKAGES"])
program, args = os.path.basename(sys.argv[0]), sys.argv[1:]
names = [each for each in args if each in packages]
if program == "dpkg-query" and "Essential" in str(args):
    for name in packages:
        print("installed", "yesno" if name == "util-linux" else "nono", name)
elif program == "dpkg-query":
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
    if "util-linux" in gone:
        sys.exit("E: Error, pkgProblemResolver::Resolve generated breaks")
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


def test_what_an_essential_package_needs_stays(host: Host) -> None:
    """On Debian 13, util-linux needs libsqlite3-0, which came with Dovecot on 12."""
    host.packages = {"util-linux": ["liblastlog2-2"], "liblastlog2-2": ["libsqlite3-0"], "libsqlite3-0": []}
    host.packages = {**host.packages, "dovecot-sqlite": ["libsqlite3-0"]}
    host.brought("package libsqlite3-0", "package dovecot-sqlite")
    host.auto = "libsqlite3-0"
    assert purged(host) == (["dovecot-sqlite"], "# packages stay that others need: libsqlite3-0\n")


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
