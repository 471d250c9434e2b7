"""Which certificate a run makes, takes or leaves; and what the component of a CA declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components.acme import ACME
from mailstack.components.declarations import Record
from mailstack.facts.acme import SETTINGS, AcmeCertificate
from mailstack.facts.certificates import CertificateState
from mailstack.facts.files import Found
from mailstack.facts.platform import RELEASES
from mailstack.facts.tlsa import TlsaKey
from mailstack.operations import ca, certificates, created, stages
from mailstack.operations.ca import FromCa
from mailstack.operations.certificates import SelfSigned, Taken, unfit
from mailstack.operations.stages import Change
from tests.support.sites import site

NOW = datetime.now(UTC)  # when tests are collected; they may run an hour later
HOST = "mail.example.org"
KEYS = {"current": TlsaKey("3 1 1 a", NOW), "next": TlsaKey("3 1 1 b", NOW)}


def state(days: float, *, ca: bool = True, name: bool = True, key: bool = True) -> CertificateState:
    return CertificateState(name, key, NOW + timedelta(days=days), self_signed=not ca)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the words that a run says."""
    words: list[str] = []

    class Host:
        def log_styled(self, text: str, **_: object) -> None:
            words.append(text)

    for module in (ca, certificates):
        monkeypatch.setattr(module, "host", Host())
    monkeypatch.setattr(certificates, "is_executing", lambda: False)
    return words


Answers = Callable[..., None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return a function that sets the answers of the host, by the name of the fact."""

    def answer(**values: Any) -> None:
        for module in (ca, certificates):
            monkeypatch.setattr(module, "read", lambda question: values[type(question).__name__])

    return answer


@pytest.mark.parametrize(
    ("found", "renewed", "made", "word"),
    [
        (CertificateState(), False, True, False),
        (state(31, ca=False), False, False, False),
        (state(29, ca=False), False, True, False),
        (state(29), False, False, True),
        (state(1), False, False, True),
        (state(-1), False, True, False),
        (state(99, name=False), False, True, False),
        (state(99, key=False), False, True, False),
        # what renews it has failed for long: that is no reason for a self-signed one
        (state(-1), True, False, False),
        (state(9), True, False, False),
        (state(9, name=False), True, True, False),
    ],
)
def test_the_certificate_of_a_ca_stays(
    answers: Answers, said: list[str], found: CertificateState, renewed: bool, made: bool, word: bool
) -> None:
    answers(Certificate=found, TlsaRecords=KEYS)
    renewer = "/renewer" if renewed else ""
    changes = SelfSigned(HOST, "/c", "/k", "/n", ("postfix",), renewer=renewer).changes()
    assert [change.lines for change in changes] == ([[f"make a certificate for {HOST}"]] if made else [])
    assert bool(said) is word


@pytest.mark.parametrize(
    ("run", "there", "warned"),
    [({"tls", "postfix"}, False, True), ({"tls", "acme"}, False, False), ({"tls"}, True, False)],
)
def test_a_deploy_without_that_of_acme_is_told(
    answers: Answers,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    run: set[str],
    there: bool,
    warned: bool,
) -> None:
    monkeypatch.setattr(certificates, "is_executing", lambda: True)
    monkeypatch.setattr(certificates, "deployed_here", lambda: run)
    answers(Certificate=state(99), TlsaRecords=KEYS, FileStates=found(renewer="1") if there else {})
    ecdsa = SelfSigned(HOST, "/c", "/k", "/n", ("postfix",), renewer="/renewer")
    for each in (ecdsa, ecdsa._replace(kind="rsa")):
        each.changes()
    assert [word.partition(":")[0] for word in said] == (["mail_acme = True"] if warned else [])


@pytest.mark.parametrize(
    ("keys", "made"),
    [
        (KEYS, False),
        ({"current": KEYS["current"]}, True),
        ({"current": KEYS["current"], "next": KEYS["current"]}, True),
    ],
)
def test_there_is_always_another_next_key(answers: Answers, keys: dict[str, TlsaKey], made: bool) -> None:
    answers(Certificate=state(99, ca=False), TlsaRecords=keys)
    changes = SelfSigned(HOST, "/c", "/k", "/n", ("postfix",)).changes()
    assert [change.lines for change in changes] == (
        [["make the next key of the certificate"]] if made else []
    )


def found(**sums: str | None) -> dict[str, Found]:
    return {f"/{name}": Found("regular file", 0o600, "root", "root", value) for name, value in sums.items()}


TAKEN = Taken("/a", "/b", "/c", "/d", ("postfix",))


def test_files_of_another_program_are_taken_once(answers: Answers) -> None:
    answers(FileStates=found(a="1", b="2"))
    assert len(TAKEN.changes()) == 1
    answers(FileStates=found(a="1", b="2", c="1", d="2"))
    assert TAKEN.changes() == ()
    for other in (found(a="3", b="2", c="1", d="2"), found(a="1", b="3", c="1", d="2")):
        answers(FileStates=other)
        assert len(TAKEN.changes()) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (found(a="1", b="2"), None),
        (found(b="2"), "mail_tls_certificate: this host has no file /a"),
        (found(a=None, b="2"), "mail_tls_certificate: this host has no file /a"),
        (found(a="1"), "mail_tls_key: this host has no file /b"),
    ],
)
def test_a_missing_file_is_named(files: dict[str, Found], said: str | None) -> None:
    problem = TAKEN.problem(files)
    assert problem is None if said is None else said in (problem or "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (state(1), None),
        (CertificateState(), None),
        (state(-1), "mail_tls_certificate: expired on"),
        (state(1, name=False), f"mail_tls_certificate: does not cover mail_hostname '{HOST}'"),
        (state(1, key=False), "mail_tls_key: not the key of mail_tls_certificate"),
    ],
)
def test_an_unfit_certificate_is_refused(given: CertificateState, said: str | None) -> None:
    problem = unfit(HOST, given)
    assert problem is None if said is None else said in (problem or "")


def entry(
    expires: bool, later: float | None = None, error: str | None = None, changed: bool = False
) -> AcmeCertificate:
    again = None if later is None else NOW + timedelta(hours=later)
    problems = {} if error or later is None else {HOST: "is away"}
    return AcmeCertificate((), NOW + timedelta(days=9) if expires else None, problems, error, again, changed)


@pytest.mark.parametrize(
    ("found", "asked", "words"),
    [
        ({}, True, 0),
        ({HOST: entry(expires=True)}, False, 0),
        ({HOST: entry(expires=True, later=9, error="away")}, False, 1),
        ({HOST: entry(expires=False, later=9, error="away")}, False, 1),
        ({HOST: entry(expires=False, later=-9, error="away")}, True, 1),
        # it was the DNS, which costs nothing; or other settings
        ({HOST: entry(expires=False, later=9)}, True, 1),
        ({HOST: entry(expires=False, later=9, error="away", changed=True)}, True, 1),
        ({HOST: entry(expires=True, later=9, error="away", changed=True)}, False, 1),
        ({HOST: entry(expires=True), "a.example": entry(expires=False, later=-9, error="away")}, False, 1),
    ],
)
def test_a_run_asks_the_ca_for_the_first_certificate_alone(
    answers: Answers, said: list[str], found: dict[str, AcmeCertificate], asked: bool, words: int
) -> None:
    answers(AcmeState=found)
    assert bool(FromCa(HOST, "unit").changes()) is asked
    assert said == []
    FromCa(HOST, "unit").tell()
    assert len(said) == words
    assert all("away" in word for word in said)


def test_the_records_of_a_ca_that_is_known() -> None:
    known = Settings(mail_hostname=HOST, mail_acme=True, mail_acme_email="a@b.example")
    assert ACME.host_records(site(known)) == [Record(HOST, "CAA", '0 issue "letsencrypt.org"')]
    for name in ("ca.letsencrypt.org.example", "ca.notletsencrypt.org"):
        other = known.model_copy(update={"mail_acme_server": f"https://{name}/dir"})
        assert ACME.host_records(site(other)) == []


def test_the_key_of_the_dns_is_for_root_and_a_placeholder_until_written() -> None:
    settings = Settings(
        mail_hostname=HOST,
        mail_acme=True,
        mail_acme_email="a@b.example",
        mail_acme_challenge="dns-01",
        mail_dns_server="192.0.2.53",
        mail_dns_key_name="k",
        mail_dns_key_secret="c2VjcmV0",
    )
    here = site(settings)
    files: dict[str, Any] = {each.path: each for each in ACME.files(here, RELEASES[0])}
    credentials = files["/etc/mailstack/certificates-dns.ini"]
    assert credentials.mode == 0o600
    assert "c2VjcmV0" not in "".join(str(each) for each in files.values())
    assert list(ACME.secrets(here).values()) == ["c2VjcmV0"]
    by_http = settings.model_copy(update={"mail_acme_challenge": "http-01"})
    plugin = "python3-certbot-dns-rfc2136"
    assert plugin in ACME.packages(here, RELEASES[0])
    assert plugin not in ACME.packages(site(by_http), RELEASES[0])
    assert ACME.secrets(site(by_http)) == {}


def test_it_is_not_deployed_without_its_setting() -> None:
    with pytest.raises(OperationValueError, match="acme: needs mail_acme = True"):
        ACME.check(site(Settings(mail_hostname=HOST)))


def test_the_program_reads_the_addresses_of_the_settings() -> None:
    settings = Settings(
        mail_hostname=HOST,
        mail_acme=True,
        mail_acme_email="a@b.example",
        mail_dns_addresses=["2001:DB8:0::1"],
    )
    files: dict[str, Any] = {each.path: each for each in ACME.files(site(settings), RELEASES[0])}
    assert json.loads(files[SETTINGS[0]].content)["addresses"] == ["2001:db8::1"]


@pytest.mark.parametrize(("engine", "driver"), [("postgresql", "pgsql"), ("mysql", "mysql")])
@pytest.mark.parametrize(("auth", "mode"), [("password", 0o600), ("peer", 0o644)])
def test_the_program_asks_the_database_as_one_who_may(engine: Any, driver: str, auth: Any, mode: int) -> None:
    settings = Settings(
        mail_hostname=HOST,
        mail_db_engine=engine,
        mail_db_auth=auth,
        mail_acme=True,
        mail_acme_email="a@b.example",
    )
    files: dict[str, Any] = {each.path: each for each in ACME.files(site(settings), RELEASES[0])}
    told = json.loads(files[SETTINGS[0]].content)
    path = "/etc/mailstack/certificates-domains.cf"
    # with "peer" it asks as Postfix's user, who has to read the table
    assert (told["table"], told["as_postfix"]) == (f"{driver}:{path}", auth == "peer")
    assert files[path].mode == mode


def test_what_is_wrong_is_said_once_after_the_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Thing(NamedTuple):
        def announce(self) -> None:
            pass

        def changes(self) -> list[Change]:
            done.append("look")
            return []

        def tell(self) -> None:
            done.append("tell")

    monkeypatch.setattr(created, "here", lambda things: things)
    monkeypatch.setattr(created, "is_executing", lambda: True)
    monkeypatch.setattr(stages, "is_executing", lambda: True)
    monkeypatch.setattr(stages, "host", SimpleNamespace(noop=lambda _: None))
    assert list(created.completing([Thing(), Thing()])) == []
    assert done == ["look", "tell"]
