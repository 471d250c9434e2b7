"""The output of hosts, and the value that each fact parses from it."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import pickle
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError

from mailstack import facts
from mailstack.facts.acme import AcmeCertificate, AcmeState
from mailstack.facts.bans import Ban, Bans
from mailstack.facts.certificates import Certificate, CertificateState
from mailstack.facts.clusters import Cluster
from mailstack.facts.dkim import DkimKey, DkimKeys
from mailstack.facts.exim_queue import EximQueue, Undelivered
from mailstack.facts.fact import Fact, Question, listed
from mailstack.facts.files import FileStates, FileTexts, Found, IndexSums
from mailstack.facts.firewall import FirewallState, LoadedRules
from mailstack.facts.limits import Limited, LimitedUsers
from mailstack.facts.packages import InstalledPackages
from mailstack.facts.platform import Clusters, HostPlatform, Platform, PostgresqlClusters
from mailstack.facts.port_owners import NameServers, WebServers
from mailstack.facts.tls_reports import TlsReport, TlsReports
from mailstack.facts.tlsa import TlsaKey, TlsaRecords
from mailstack.facts.units import Units, UnitStates
from mailstack.facts.users import SystemUsers, UsersAndGroups
from mailstack.secrets import KeptSecret
from tests.targets.shell import ROOT

SUM = hashlib.sha256(b"").hexdigest()
REPORT = base64.b64encode(
    b"text:\nContent-Type: application/tlsrpt+json\n\n"
    b'{"organization-name": "B", "date-range": {"start-datetime": "2026-01-31T00:00:00Z"}, "policies": [{'
    b'"policy": {"policy-type": "sts", "policy-domain": "example.org"}, "summary": '
    b'{"total-successful-session-count": 5, "total-failure-session-count": 1}, '
    b'"failure-details": [{"result-type": "certificate-expired", "failed-session-count": 1}]}]}\n\f\n'
).decode()
FILES = f"""\
regular file|640|root|postfix|/etc/a b
regular empty file|4755|root|root|/etc/e|f
directory|750|vmail|UNKNOWN|/var/vmail
symbolic link|777|root|root|/etc/l
directory|755|root|root|/etc/of/others

{SUM}  /etc/a b
{SUM}  /etc/e|f
"""
CLUSTER = "cluster 15/main 5433 binaries data ours\n"
PLATFORM = f"release=12\nid=debian\npostfix=installed=3.7.11-0+deb12u1\nipv6=routed\n{CLUSTER}"
UNITS = """\
postfix.reload
=
Id=postfix.service
ActiveState=active

Id=dovecot.service
ActiveState=inactive
=
1234 99 /usr/lib/postfix/sbin/master
5678 99 /usr/sbin/dovecot
=
0019
024B
127.0.0.1:0019
/var/run/postgresql/.s.PGSQL.5432
private/smtp
=
17
23\t/run/dovecot/master.pid\tdovecot\t
"""
KEY, OTHER_KEY = (f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n" for text in "ab")
SELF, CA = "subject=CN = a\nissuer=CN = a\n", "issuer=CN = b\nsubject=CN = a\n"
END, MATCHES = "notAfter=Nov 19 22:10:00 2099 GMT\n", "Hostname mail.example.org does match certificate\n"
PAIR = ("mail.example.org", "/c", "/k")
MARK = "\fmail.example.org /c\n"

ANSWERS: list[tuple[Fact[Any], str, Any]] = [
    (
        FirewallState.of(),
        "00000000a80435fb\nother ports of SSH\n",
        LoadedRules(possible=True, difference="other ports of SSH"),
    ),
    (
        AcmeState.of(),
        '{"a.example": {"names": ["mta-sts.a.example"], "expires": 10.5, "failures": 2, "error": "no", '
        '"next": 20, "problems": {"autoconfig.a.example": "has no address"}, "settings": "17 18"}}'
        "\n=\n17\n18\n",
        {
            "a.example": AcmeCertificate(
                ("mta-sts.a.example",),
                datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC),
                {"autoconfig.a.example": "has no address"},
                "no",
                datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC),
            )
        },
    ),
    (
        AcmeState.of(),
        '{"a.example": {"next": 20, "settings": "17"}, "b.example": {"settings": "17"}}\n=\n18\n',
        {
            "a.example": AcmeCertificate(
                (), None, {}, None, datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC), changed=True
            ),
            "b.example": AcmeCertificate((), None, {}, None, None),
        },
    ),
    # after a power loss
    *((AcmeState.of(), f"{text}\n=\n18\n", {}) for text in ("", "\0\0", "[]", '{"a.example": 1}')),
    (
        FileStates.of(["/etc/a b", "/etc/e|f", "/var/vmail", "/etc/l"]),
        FILES,
        {
            "/etc/a b": Found("regular file", 0o640, "root", "postfix", SUM),
            "/etc/e|f": Found("regular file", 0o4755, "root", "root", SUM),
            "/var/vmail": Found("directory", 0o750, "vmail", "UNKNOWN"),
            "/etc/l": Found("symbolic link", 0o777, "root", "root"),
        },
    ),
    (FileStates.of("/etc/a"), "\n", {}),
    (
        InstalledPackages.of(["postfix", "dovecot-core", "dovecot-imapd"]),
        "postfix installed\ndovecot-core unpacked\ndovecot-imapd config-files\ndovecot-lmtpd installed\n",
        {"postfix"},
    ),
    (
        UnitStates.of("postfix", "/usr/lib/postfix/sbin/master", "/run/dovecot/master.pid"),
        UNITS,
        Units(
            {"postfix": {"Id": "postfix.service", "ActiveState": "active"}},
            frozenset({"postfix.reload"}),
            {"/usr/lib/postfix/sbin/master": (1234, 99)},
            frozenset({"25", "127.0.0.1:25", "587", "/run/postgresql/.s.PGSQL.5432"}),
            frozenset({"17"}),
            {"/run/dovecot/master.pid": ("23", "dovecot", "")},
        ),
    ),
    (UnitStates.of("postfix"), "=\n=\n=\n=\n", Units()),
    (
        SystemUsers.of(["vmail", 5001]),
        "vmail:x:5000:5001::/var/vmail:/sbin/nologin\nbin:x:2:2::/bin:/sbin/nologin\n\nothers:x:5001:bob\n",
        UsersAndGroups(
            (("vmail", "x", "5000", "5001", "", "/var/vmail", "/sbin/nologin"),),
            (("others", "x", "5001", "bob"),),
        ),
    ),
    (SystemUsers.of("vmail"), "\nvmail:x:5001:\n", UsersAndGroups((), (("vmail", "x", "5001", ""),))),
    (
        Bans.of(),
        "zone=+0100\n192.0.2.7 \t2026-11-29 20:00:00 + 3600 = 2026-11-29 21:00:00\nguesses=192.0.2.7\t12\n",
        (
            Ban(
                "192.0.2.7",
                "192.0.2.7",
                datetime(2026, 11, 29, 19, tzinfo=UTC),
                datetime(2026, 11, 29, 20, tzinfo=UTC),
                12,
            ),
        ),
    ),
    (HostPlatform.of(), PLATFORM, Platform("debian 12", "2.3", "3.7", "15", ipv6=True, ipv6_loopback=False)),
    (
        PostgresqlClusters.of(),
        PLATFORM,
        Clusters("15", (Cluster("15", "main", 5433, frozenset({"binaries", "data", "ours"})),)),
    ),
    (
        DkimKeys.of(["example.org", "none.example"]),
        'example.org\tred1\tyes\t60\t"v=DKIM1; " "p=a"\nexample.com\tred1\tyes\t60\t"p=b"\n'
        "example.org\t*\tno\t\t\n",
        {
            "red1._domainkey.example.org": DkimKey(
                "example.org", "red1", '"v=DKIM1; " "p=a"', signs=True, since=datetime.fromtimestamp(60, UTC)
            )
        },
    ),
    (
        DkimKeys.of(),
        'example.com\tred2\tno\t\t"p=b"\n',
        {"red2._domainkey.example.com": DkimKey("example.com", "red2", '"p=b"', signs=False)},
    ),
    (
        LimitedUsers.of(),
        "1000\nanna@example.org\n1001 9 messages in an hour\nbob@example.org\n1000 2 recipients in a day\n",
        {"anna@example.org": Limited("9 messages in an hour", datetime(1970, 1, 1, 0, 16, 41, tzinfo=UTC))},
    ),
    (LimitedUsers.of(), "", {}),
    (NameServers.of(), "dnsmasq\nunbound\n", ("dnsmasq", "unbound")),
    (WebServers.of(), "apache2\n", ("apache2",)),
    (
        UnitStates.of(["a.path", "a"]),
        "=\nId=a.path\nActiveState=active\n\nId=a.service\nActiveState=inactive\n=\n=\n=\n",
        Units(
            {
                "a.path": {"Id": "a.path", "ActiveState": "active"},
                "a": {"Id": "a.service", "ActiveState": "inactive"},
            }
        ),
    ),
    (EximQueue.of(), "2\nexim4\n", Undelivered(2, exim4=True)),
    (EximQueue.of(), "0\n", Undelivered()),
    (
        Certificate.of(*PAIR),
        f"\fmail.example.org /b\n{MARK}{END}{MATCHES}{KEY}{KEY}\fmail.example.org /d\n{OTHER_KEY}",
        CertificateState(True, True, datetime(2099, 11, 19, 22, 10, tzinfo=UTC)),
    ),
    (Certificate.of(*PAIR), f"{MARK}\fmail.example.org /d\n{END}{MATCHES}{KEY}{KEY}", CertificateState()),
    (
        TlsaRecords.of(),
        f"current 10 {'ab' * 32}  -\nnext 20 {'cd' * 32} -\nnext-rsa 30 {hashlib.sha256().hexdigest()} -\n",
        {
            "current": TlsaKey(f"3 1 1 {'ab' * 32}", datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC)),
            "next": TlsaKey(f"3 1 1 {'cd' * 32}", datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC)),
        },
    ),
    (
        TlsReports.of("a@example.org"),
        f"a@example.org {REPORT}\nb@example.org {REPORT}\n",
        [TlsReport("example.org", "B", "2026-01-31", "sts", 5, 1, {"certificate-expired": 1})],
    ),
]


@pytest.mark.parametrize(("fact", "output", "value"), ANSWERS, ids=lambda each: type(each).__name__)
def test_each_fact_makes_a_value_of_an_answer(fact: Fact[Any], output: str, value: object) -> None:
    assert fact.answer(output) == value
    lines = output.removesuffix("\n").split("\n")
    assert fact.process(lines) == value, "as pyinfra hands it over"


#: In a process of its own, as pyinfra's command line patches the one that imports it.
PRINT = (
    "import pickle, sys; from pyinfra_cli.prints import print_json; print_json(pickle.load(sys.stdin.buffer))"
)


def test_printed_values_have_names() -> None:
    facts_of = {type(fact).__name__: fact.answer(output) for fact, output, _ in reversed(ANSWERS)}
    every = {str(number): fact.answer(output) for number, (fact, output, _) in enumerate(ANSWERS)}
    given = pickle.dumps(facts_of | every)
    done = subprocess.run([sys.executable, "-c", PRINT], input=given, capture_output=True, check=True)
    values: dict[str, Any] = json.loads(done.stdout)
    assert None not in values.values()
    assert values["FileStates"]["/etc/a b"]["mode"] == "0640"
    assert values["UnitStates"]["marks"] == ["postfix.reload"]
    assert values["HostPlatform"]["postgresql"] == "15"
    assert values["PostgresqlClusters"]["clusters"][0]["flags"] == ["binaries", "data", "ours"]
    assert values["Certificate"]["expires"] == "2099-11-19T22:10:00+00:00"


def test_all_facts_are_tested() -> None:
    public = {getattr(facts, name) for name in facts.__all__}
    assert {type(fact) for fact, _, _ in ANSWERS} == public


def test_all_facts_are_documented() -> None:
    page = (ROOT / "docs/facts.md").read_text()
    assert re.findall(r"^\| `(\w+)`", page, re.M) == facts.__all__
    for name in facts.__all__:
        arguments = inspect.signature(getattr(facts, name)().command).parameters
        listed = ", ".join(f"`{argument}`" for argument in arguments)
        assert f"| `{name}` | {listed} |".replace("  ", " ") in page


@pytest.mark.parametrize("fact", [fact for fact, _, _ in ANSWERS if not isinstance(fact, HostPlatform)])
def test_a_host_without_output_has_the_default(fact: Fact[Any]) -> None:
    if not isinstance(fact, PostgresqlClusters | UnitStates):  # which always print something
        assert fact.answer("") == fact.default()


@pytest.mark.parametrize("fact", [FileStates.of("/a"), HostPlatform.of(), EximQueue.of(), UnitStates.of("x")])
def test_output_that_can_not_be_parsed_is_the_error_that_pyinfra_handles(fact: Fact[Any]) -> None:
    with pytest.raises(
        FactProcessError, match=r"^unexpected ValueError in \w+\.py, line|^this host runs un"
    ) as error:
        fact.process(["hunter2|", "=", "=", "=", "hunter2"])
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_fact_alone_succeeds_with_any_output(tmp_path: Path) -> None:
    """pyinfra drops a host on which the command of a fact fails."""
    missing = str(tmp_path / "missing")
    done = subprocess.run(
        ["sh", "-c", FileStates.of(missing).command([missing])], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("\n", "")


@pytest.mark.parametrize("secret", [KeptSecret, FileTexts, IndexSums])
def test_possible_secrets_are_not_facts(secret: type[Question[Any]]) -> None:
    assert not issubclass(secret, Fact)
    assert not hasattr(secret, "process")


def test_sums_of_indexes() -> None:
    assert IndexSums.of().answer(f"{SUM}  /etc/a.db\n") == {"/etc/a.db": SUM}
    assert IndexSums.of().answer("") == {}


def test_texts_may_have_any_bytes() -> None:
    content = base64.b64encode("ü\tx\n".encode() + b"\xff").decode()
    assert FileTexts.of(["/etc/a", "/etc/empty"]).answer(f"/etc/a\t{content}\n/etc/empty\t\n/b\t\n") == {
        "/etc/a": "ü\tx\n\udcff",
        "/etc/empty": "",
    }


@pytest.mark.parametrize(("days", "serves"), [(29, False), (31, True), (-1, False)])
def test_a_certificate_is_renewed_a_month_before_its_end(days: int, serves: bool) -> None:
    assert CertificateState(True, True, datetime.now(UTC) + timedelta(days=days)).serves() is serves


def test_the_platform_and_the_clusters_are_one_question() -> None:
    assert HostPlatform.of() == PostgresqlClusters.of()


def test_names_are_one_or_several() -> None:
    assert listed("postfix") == ("postfix",)
    assert listed(5000) == ("5000",)
    assert listed(["a", 1]) == ("a", "1")


def test_states_of_units() -> None:
    states = Units(
        {
            "postfix": {"ActiveState": "active", "UnitFileState": "enabled"},
            "postfix@-": {"ActiveState": "reloading", "UnitFileState": "indirect"},
            "dovecot": {"ActiveState": "inactive", "UnitFileState": "masked"},
        }
    )
    assert [name for name in states.properties if states.is_active(name)] == ["postfix", "postfix@-"]
    assert [name for name in states.properties if states.is_enabled(name)] == ["postfix"]


@pytest.mark.parametrize(
    ("output", "serves"),
    [
        # the order of what is said is that of openssl 3.0 or of 3.5
        (f"{MARK}{END}{KEY}{MATCHES}{KEY}", True),
        (f"{MARK}{END}{MATCHES}{KEY}{KEY}", True),
        ("", False),
        (f"{MARK}{END}{KEY}{MATCHES}", False),
        (f"{MARK}{END}{MATCHES}{KEY}{OTHER_KEY}", False),
        (f"{MARK}{END}{MATCHES.replace('does', 'does NOT')}{KEY}{KEY}", False),
        (f"{MARK}{END.replace('2099', '2001')}{MATCHES}{KEY}{KEY}", False),
    ],
)
def test_a_certificate_is_valid_or_not(output: str, serves: bool) -> None:
    assert Certificate.of(*PAIR).answer(output).serves() is serves


@pytest.mark.parametrize(
    ("names", "end", "of_ca"),
    [(CA, END, True), (SELF, END, False), (CA, END.replace("2099", "2001"), False), (CA, "", False)],
)
def test_a_certificate_of_a_ca_is_known(names: str, end: str, of_ca: bool) -> None:
    state = Certificate.of(*PAIR).answer(f"{MARK}{end}{names}{MATCHES}{KEY}{KEY}")
    assert state.is_of_ca() is of_ca
    assert state.self_signed is (names == SELF)
