"""Each fact is run by `pyinfra HOST fact`, and its value is compared with what the host says itself."""

from __future__ import annotations

import json
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mailstack import facts, secrets
from mailstack.components.tls import CERTIFICATE, KEY, NEXT_KEY
from mailstack.engines.contract import LOOKUP_PASSWORD
from tests.integration.conftest import Factory
from tests.support import sample_accounts
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

PACKAGES = ["postfix", "dovecot-core", "nginx"]
UNITS = ["postfix", "dovecot", "nothing"]
PATHS = ["/etc/postfix/main.cf", "/var/vmail", "/etc/mtab", "/nowhere"]
#: As they are typed on a command line: one thing, or a list as JSON.
ARGUMENTS = {
    "AcmeState": {},
    "Bans": {},
    "Certificate": {"hostname": sample_accounts.HOSTNAME, "certificate": CERTIFICATE, "key": KEY},
    "DkimKeys": {},
    "EximQueue": {},
    "FileStates": {"paths": json.dumps(PATHS)},
    "FirewallState": {},
    "HostPlatform": {},
    "InstalledPackages": {"names": json.dumps(PACKAGES)},
    "LimitedUsers": {},
    "NameServers": {},
    "PostgresqlClusters": {},
    "SystemUsers": {"keys": '["vmail", "postfix"]'},
    "TlsReports": {"mailboxes": sample_accounts.ALICE},
    "TlsaRecords": {},
    "UnitStates": {"units": json.dumps(UNITS), "files": "/usr/sbin/dovecot"},
    "WebServers": {},
}
#: Of a host that has the names of `ARGUMENTS`, and nothing of a mail server.
NOTHING: dict[str, Any] = {
    "AcmeState": {},
    "Bans": None,
    "Certificate": {"matches_hostname": False, "matches_key": False, "expires": None, "self_signed": False},
    "DkimKeys": {},
    "EximQueue": {"messages": 0, "exim4": False},
    "FileStates": {},
    "FirewallState": {"possible": True, "difference": "there is none"},
    "InstalledPackages": [],
    "LimitedUsers": {},
    "NameServers": [],
    "SystemUsers": {"users": [], "groups": []},
    "TlsReports": [],
    "TlsaRecords": {},
    "WebServers": [],
}
#: An example of an administrator's deploy.
DEPLOY = """
from pyinfra.context import host
from pyinfra.operations import server
from mailstack.facts import FileStates, UnitStates

states = host.get_fact(UnitStates, units=["postfix", "dovecot"])
path = "/etc/postfix/main.cf"
mode = host.get_fact(FileStates, [path])[path].mode
server.shell(commands=f"echo {states.is_active('postfix')} {mode:o} > /root/said")
"""


def read(host: Target) -> dict[str, Any]:
    """Return what each fact says of the host, by the name of the fact."""
    assert ARGUMENTS.keys() == set(facts.__all__)
    words = []
    for name, arguments in ARGUMENTS.items():
        words += [f"mailstack.facts.{name}", *(f"{key}={value}" for key, value in arguments.items())]
    run = host.pyinfra("--json", "fact", *words).check()
    assert "rror" not in run.stderr
    return {
        name.partition(" ")[0].rpartition(".")[2]: value
        for name, of_hosts in json.loads(run.stdout).items()
        for value in of_hosts.values()
    }


def lines(host: Target, command: str) -> list[str]:
    """Return what a command says on the host."""
    return host.exec(command, check=False).stdout.splitlines()


def test_each_fact_has_the_values_of_the_host(server: Target, debian: int) -> None:
    said = read(server)
    assert said["HostPlatform"]["system"] == f"debian {debian}"
    assert said["HostPlatform"]["postfix"] in lines(server, "postconf -hd mail_version")[0]
    assert said["HostPlatform"]["dovecot"] in lines(server, "dovecot --version")[0]
    (cluster,) = said["PostgresqlClusters"]["clusters"]
    version, name, port = lines(server, "pg_lsclusters -h")[0].split()[:3]
    assert (cluster["version"], cluster["name"], cluster["port"]) == (version, name, int(port))
    assert said["PostgresqlClusters"]["for_mail"] == said["HostPlatform"]["postgresql"] == version
    assert cluster["flags"] == ["binaries", "block", "data", "ours", "starts", "used"]
    assert said["InstalledPackages"] == ["dovecot-core", "postfix"]
    passwd = lines(server, "getent passwd vmail postfix")
    assert [":".join(user) for user in said["SystemUsers"]["users"]] == passwd
    assert {"vmail", "postfix"} <= {group[0] for group in said["SystemUsers"]["groups"]}


def test_units_and_files(server: Target) -> None:
    said = read(server)
    units = said["UnitStates"]["properties"]
    assert [units[name]["ActiveState"] for name in UNITS] == ["active", "active", "inactive"]
    assert units["dovecot"]["MainPID"] == lines(server, "systemctl show -P MainPID dovecot")[0]
    assert {"25", "587", "993", "5432", "/run/postgresql/.s.PGSQL.5432"} <= set(
        said["UnitStates"]["listeners"]
    )
    assert "26" not in said["UnitStates"]["listeners"]
    times = " ".join(map(str, said["UnitStates"]["times"]["/usr/sbin/dovecot"]))
    assert times == lines(server, "stat -c '%Z %Y' /usr/sbin/dovecot")[0]
    files = said["FileStates"]
    assert list(files) == PATHS[:3]
    for path in files:
        kind, mode, owner, group = lines(server, f"stat -c '%F|%04a|%U|%G' {path}")[0].split("|")
        found = {key: files[path][key] for key in ("kind", "mode", "owner", "group")}
        assert found == {"kind": kind, "mode": mode, "owner": owner, "group": group}
    assert files[PATHS[0]]["sha256"] == lines(server, f"sha256sum {PATHS[0]}")[0].split()[0]
    assert files["/var/vmail"]["sha256"] is None


def test_the_certificate(server: Target) -> None:
    said = read(server)["Certificate"]
    assert said["matches_hostname"] and said["matches_key"]
    end = lines(server, f"openssl x509 -noout -enddate -in {CERTIFICATE}")[0].removeprefix("notAfter=")
    assert datetime.fromisoformat(said["expires"]).timestamp() == ssl.cert_time_to_seconds(end)
    assert said["self_signed"]


def test_the_keys_for_dane(server: Target) -> None:
    said = read(server)["TlsaRecords"]
    public = {
        "current": f"openssl x509 -noout -pubkey -in {CERTIFICATE}",
        "next": f"openssl pkey -pubout -in {NEXT_KEY}",
    }
    assert said.keys() == public.keys()
    for name, command in public.items():
        (line,) = lines(server, f"{command} | openssl pkey -pubin -outform DER | sha256sum")
        assert said[name]["data"] == f"3 1 1 {line.split()[0]}"


def test_a_bare_host_has_nothing(bare: Factory, debian: int) -> None:
    host = bare()
    host.exec("rm -f /etc/mtab")
    said = read(host)
    assert {name: said[name] for name in NOTHING} == NOTHING
    assert said["HostPlatform"]["system"] == f"debian {debian}"
    expected = {12: ("2.3", "3.7", "15"), 13: ("2.4", "3.10", "17")}[debian]
    assert tuple(said["HostPlatform"][name] for name in ("dovecot", "postfix", "postgresql")) == expected
    assert said["PostgresqlClusters"] == {"for_mail": expected[2], "clusters": []}
    assert {unit["ActiveState"] for unit in said["UnitStates"]["properties"].values()} == {"inactive"}
    assert (said["UnitStates"]["marks"], said["UnitStates"]["times"]) == ([], {})


def test_mail_that_exim_kept_is_counted(bare: Factory) -> None:
    host = bare()
    host.exec(
        "mkdir -p /var/spool/exim4/input/a; touch /var/spool/exim4/input/a/x-H /var/spool/exim4/input/y-H"
    )
    assert read(host)["EximQueue"] == {"messages": 2, "exim4": False}


def test_a_deploy_of_others_uses_them(server: Target, tmp_path: Path) -> None:
    deploy = tmp_path / "deploy.py"
    deploy.write_text(DEPLOY)
    try:
        server.pyinfra("-y", str(deploy)).check()
        assert server.read("/root/said") == b"True 644\n"
    finally:
        server.exec("rm -f /root/said")


@pytest.mark.parametrize(
    "question",
    [f"mailstack.secrets.KeptSecret name={LOOKUP_PASSWORD}", "mailstack.facts.files.FileTexts paths={}"],
)
def test_no_secret_is_printed(server: Target, tmp_path: Path, question: str) -> None:
    path = f"{secrets.DIRECTORY}/{LOOKUP_PASSWORD}"
    secret = server.read(path).decode().strip()
    assert len(secret) > 20
    run = server.pyinfra("-vvv", "fact", *question.format(path).split(), cwd=tmp_path)
    assert run.returncode != 0
    assert secret not in run.stdout + run.stderr
