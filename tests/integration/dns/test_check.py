"""`mailstack.dns.zone` and `.check`: what is printed is right, and what is wrong in the DNS is found."""

from __future__ import annotations

import json

import pytest

from mailstack.components.declarations import Record
from tests.integration.dns.conftest import Named
from tests.support import dns
from tests.targets.pyinfra import PyinfraRun

# this machine asks and compares; test_rows.py looks at the zones of both releases
pytestmark = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)


def finds(run: PyinfraRun, *texts: str) -> None:
    assert run.returncode == 1, run.stdout + run.stderr
    for text in texts:
        assert text in run.stdout, run.stdout


def test_the_printed_zones_are_served_as_they_are_and_right(named: Named) -> None:
    done = named.run("mailstack.dns.check")
    assert done.returncode == 0, done.stdout + done.stderr
    said = {line for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert said == {
        f"{domain}: all records are right"
        for domain in ("example.org", "example.com", "disabled.example", "mail.example.org")
    }


def test_a_domain_alone_and_other_formats(named: Named) -> None:
    one = named.run("mailstack.dns.zone", "example.com", "format=json").check().stdout
    (zone,) = json.loads(one)["zones"].items()
    assert zone[0] == "example.com"
    assert {record["type"] for record in zone[1]} >= {"MX", "TXT", "SRV"}
    # a domain that the server will have later
    table = named.run("mailstack.dns.zone", "later.example", "format=table").check().stdout
    assert "later.example has no DKIM keys yet" in table
    refused = named.run("mailstack.dns.zone", "format=bind")
    assert "format = 'bind': allowed: zone, json, table" in refused.stderr
    refused = named.run("mailstack.dns.check", "resolver=192.0.2.1")
    assert "there is no argument resolver" in refused.stderr


def test_the_name_of_the_host_means_its_records_alone(named: Named) -> None:
    printed = named.run("mailstack.dns.zone", "mail.example.org").check().stdout
    names = {line.split()[0] for line in printed.splitlines() if line and line[0] != ";"}
    assert {"mail.example.org.", "_25._tcp.mail.example.org."} <= names
    assert all(name.endswith("mail.example.org.") for name in names)
    done = named.run("mailstack.dns.check", "mail.example.org").check()
    assert {line for line in done.stdout.splitlines() if not line.startswith(" ")} == {
        "mail.example.org: all records are right"
    }


def test_a_domain_that_does_not_exist_is_one_finding(named: Named) -> None:
    done = named.run("mailstack.dns.check", "nowhere.example")
    finds(done, "missing: nowhere.example: the DNS has no such name", "    nowhere.example. 3600 IN MX 10")
    assert "1 missing in the DNS" in done.stderr


def test_a_resolver_that_does_not_answer_is_told(named: Named) -> None:
    done = named.run("mailstack.dns.check", mail_dns_resolver=named.silent)
    assert done.returncode == 1
    assert f"mail_dns_resolver = {named.silent}: does not answer" in done.stderr
    assert "missing" not in done.stdout


def test_an_spf_record_of_others_is_judged_as_receivers_do_it(named: Named) -> None:
    line = 'example.org. 3600 IN TXT "v=spf1'
    include = Record("spf.example.net", "TXT", '"v=spf1 -ip4:192.0.2.0/24 +all"')
    for text, said in {
        "v=spf1 include:spf.example.net a/99 ~all": "allowed: 0 to 32: receivers ignore it",
        f"v=spf1 -ip4:{named.server.ip} mx -all": f"mail from {named.server.ip} does not pass",
    }.items():
        named.serve(named.without(line, more=(include, Record("example.org", "TXT", f'"{text}"'))))
        finds(
            named.run("mailstack.dns.check", "example.org"), said, "into mail_spf_mechanisms what should stay"
        )


def test_what_is_missing_different_or_too_much_is_found(named: Named) -> None:
    lines = named.zones.splitlines()
    (key,) = [line for line in lines if line.startswith("ed1._domainkey.example.org.")]
    broken = named.without(
        "_imaps._tcp.example.com.",
        "ed1._domainkey.example.org.",
        more=(
            Record("example.org", "TXT", '"v=spf1 a -all"'),
            Record("example.com", "MX", "5 old.example.net."),
        ),
    )
    named.serve(broken)
    done = named.run("mailstack.dns.check")
    finds(
        done,
        "missing: TXT ed1._domainkey.example.org",
        f"    {key}",  # to paste
        "extra: TXT example.org: there are 2",
        "missing: SRV _imaps._tcp.example.com",
        "extra: MX example.com: there is also '5 old.example.net.'",
    )
    assert "2 missing, 2 too much in the DNS" in done.stderr
    # a domain without faults is right alone
    assert named.run("mailstack.dns.check", "disabled.example").returncode == 0


def test_addresses_that_do_not_lead_back_are_found(named: Named) -> None:
    dns.serve(named.dns, dns.host("other.example.net", named.server.ip), named.zones)
    named.forget()
    done = named.run("mailstack.dns.check")
    finds(
        done,
        f"different: PTR {named.server.ip}: there is other.example.net",
        f"missing: PTR {named.server.ip6}: ask the provider",
        "in-addr.arpa. PTR mail.example.org.",
    )


def test_too_many_lookups_are_found(named: Named) -> None:
    texts = [
        Record(f"n{each}.example.org", "TXT", f'"v=spf1 include:n{each + 1}.example.org -all"')
        for each in range(10)
    ]
    last = Record("n10.example.org", "TXT", '"v=spf1 mx:example.org -all"')
    long = Record("example.org", "TXT", '"v=spf1 include:n0.example.org -all"')
    named.serve(named.without('example.org. 3600 IN TXT "v=spf1', more=(*texts, last, long)))
    finds(named.run("mailstack.dns.check", "example.org"), "it needs 12 look-ups; receivers give up after 10")


def test_a_zone_without_dnssec_is_told_and_does_not_fail(named: Named) -> None:
    done = named.run("mailstack.dns.check", dns.UNSIGNED)
    assert f"notice: {dns.UNSIGNED}: it has no DNSSEC" in done.stdout


def test_broken_dnssec_is_found(named: Named) -> None:
    finds(named.run("mailstack.dns.check", dns.BOGUS), f"different: {dns.BOGUS}: DNSSEC is broken")


@pytest.mark.parametrize("right", [True, False])
def test_a_deploy_ends_with_a_warning(named: Named, right: bool) -> None:
    if not right:
        named.serve(named.without("_dmarc.example.org."))
    done = named.run("--json", "deploy.py", mail_dns_check=True).check()
    assert done.changed == []
    warned = "example.org: 1 missing in the DNS; mailstack.dns.check says which"
    assert (warned in done.stderr) is not right
    status = named.run("mailstack.status", "format=json", "changes=false")
    shown = json.loads(status.stdout)
    assert shown["dns"]["failed"] == ([] if right else ["example.org: 1 missing"])
    named_troubles = {each["section"]: each["text"] for each in shown["troubles"]}
    assert named_troubles.get("dns") == (None if right else "the last one failed: example.org: 1 missing")
    assert status.returncode == (1 if named_troubles else 0)
    signing = {key["domain"] for key in shown["dkim"] if key["signs"]}
    assert {"example.org", "example.com", "mail.example.org"} <= signing and "dkim" not in named_troubles
