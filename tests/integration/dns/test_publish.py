"""`mailstack.dns.publish`: an empty DNS gets all records, and records of others stay."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from mailstack.components.declarations import Record
from mailstack.dns.asking import Asker, Server
from tests.integration.dns.conftest import Named
from tests.support import dns
from tests.targets.pyinfra import PyinfraRun

# this machine asks and updates; test_rows.py looks at the zones of both releases
pytestmark = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)

OTHERS = (
    Record("example.org", "TXT", '"google-site-verification=x"'),
    Record("example.org", "MX", "50 backup.example.net."),
    Record("www.example.org", "A", "192.0.2.80"),
)
STALE = Record("example.org", "TXT", '"v=spf1 a -all"')


def publish(named: Named, *args: str, domains: Sequence[str] = (), **more: str | bool) -> PyinfraRun:
    updates = {"mail_dns_server": named.dns.ip, **dns.UPDATES, **more}
    done = named.run(*args, "mailstack.dns.publish", *domains, **updates)
    assert dns.UPDATES["mail_dns_key_secret"] not in done.stdout + done.stderr
    return done


def there(named: Named, name: str, kind: str) -> set[str]:
    asker = Asker(named.dns.ip)
    return set(asker.ask(name, kind, Server("", named.dns.ip)).data)


def test_an_empty_dns_gets_all_records_and_those_of_others_stay(unserved: Named) -> None:
    lines = "".join(f"{each.name}. 1 {each.type} {each.data}\n" for each in (*OTHERS, STALE))
    unserved.serve(lines)
    assert unserved.run("mailstack.dns.check").returncode == 1

    dry = publish(unserved, "--dry").check()
    assert '- example.org. TXT "v=spf1 a -all"' in dry.stderr
    assert "+ example.org. MX 10 mail.example.org." in dry.stderr
    assert there(unserved, "example.org", "MX") == {"50 backup.example.net."}

    assert publish(unserved, "--json").check().changed == [f"DNS records | Publish on {unserved.dns.ip}"]
    assert there(unserved, "example.org", "MX") == {"50 backup.example.net.", "10 mail.example.org."}
    assert there(unserved, "example.org", "TXT") == {"google-site-verification=x", "v=spf1 mx -all"}
    assert there(unserved, "www.example.org", "A") == {"192.0.2.80"}
    unserved.forget()
    checked = unserved.run("mailstack.dns.check")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    assert publish(unserved, "--json").check().changed == []


def test_a_wrong_key_changes_nothing_and_is_told_without_the_secret(unserved: Named) -> None:
    unserved.serve("")
    other = "b3RoZXIga2V5"
    done = publish(unserved, mail_dns_key_secret=other)
    assert done.returncode == 1
    assert "it has another secret for the key mail_dns_key_name" in done.stderr
    assert other not in done.stdout + done.stderr
    done = publish(unserved, mail_dns_key_name="unknown")
    assert "it does not know the key mail_dns_key_name" in done.stderr
    done = publish(unserved, mail_dns_key_algorithm="hmac-sha512")
    assert "mail_dns_key_algorithm = hmac-sha512" in done.stderr
    assert there(unserved, "example.org", "MX") == set()


def test_a_wildcard_is_in_nobodys_way_and_a_record_is(unserved: Named) -> None:
    wildcard, alias = Record("*.example.org", "A", "192.0.2.80"), "autoconfig.example.org"
    line = f"{wildcard.name}. 1 A {wildcard.data}\n"
    unserved.serve(f"{line}{alias}. 1 A 192.0.2.80\nautodiscover.example.org. 1 A 192.0.2.81\n")
    refused = publish(unserved, mail_web=True)
    assert refused.returncode == 1
    for name in (alias, "autodiscover.example.org"):
        assert f"{name} has A records, so that it can't be a CNAME" in refused.stderr

    unserved.serve(line)
    publish(unserved, mail_web=True).check()
    assert there(unserved, alias, "CNAME") == {"mail.example.org."}
    assert there(unserved, "other.example.org", "A") == {wildcard.data}
    assert publish(unserved, "--json", mail_web=True).check().changed == []


def test_what_was_its_own_before_is_deleted(unserved: Named) -> None:
    """As of a web server or a DKIM key. A key of others stays, and a name that leads elsewhere."""
    key = '"v=DKIM1; k=rsa; p=AAAA"'
    others = (
        Record("other._domainkey.example.org", "TXT", key),
        Record("mta-sts.example.com", "CNAME", "policies.example.net."),
        Record("_mta-sts.example.com", "TXT", '"v=STSv1; id=20261129;"'),
    )
    old = Record("rsa0._domainkey.example.org", "TXT", key)
    unserved.serve("".join(f"{each.name}. 1 {each.type} {each.data}\n" for each in (*others, old)))
    publish(unserved, domains=["example.org"], mail_web=True).check()
    assert there(unserved, "autoconfig.example.org", "CNAME") == {"mail.example.org."}

    keys = "/var/lib/rspamd/dkim/example.org"
    unserved.server.exec(f"echo rsa0 > {keys}/retired")
    gone = [
        ("mta-sts.example.org", "CNAME"),
        ("autoconfig.example.org", "CNAME"),
        ("autodiscover.example.org", "CNAME"),
        ("_autodiscover._tcp.example.org", "SRV"),
        ("_mta-sts.example.org", "TXT"),
        (old.name, "TXT"),
    ]
    try:
        dry = publish(unserved, "--dry").check().stderr
        assert sorted(re.findall(r"- (\S+)\. ([A-Z]+) ", dry)) == sorted(gone)
        publish(unserved).check()
        assert publish(unserved, "--json").check().changed == []
    finally:
        unserved.server.exec(f"rm {keys}/retired")
    assert [there(unserved, *each) for each in gone] == [set()] * len(gone)
    assert there(unserved, "rsa1._domainkey.example.org", "TXT")
    for name, kind, _ in others:
        assert len(there(unserved, name, kind)) == 1


def test_what_is_delegated_to_others_is_left_to_them(unserved: Named) -> None:
    """As senders of newsletters ask for. Below a delegation nobody sees a record."""
    names = ("_dmarc.example.org", "_domainkey.example.com")
    unserved.serve("".join(f"{name}. 1 NS ns.vendor.example.\n" for name in names))
    dry = publish(unserved, "--dry").check().stderr
    assert f"{names[0]} is left alone: it is delegated to ns.vendor.example" in dry
    assert f"rsa1.{names[1]} is left alone: it is delegated to ns.vendor.example" in dry
    added = re.findall(r"\+ (\S+)\. [A-Z]+ ", dry)
    assert "_dmarc.example.com" in added and "rsa1._domainkey.example.org" in added
    assert not [name for name in added if name.endswith(names)]
    publish(unserved).check()
    assert publish(unserved, "--json").check().changed == []


def test_a_server_that_does_not_answer_is_told(unserved: Named) -> None:
    done = unserved.run("mailstack.dns.publish", mail_dns_server=unserved.silent, **dns.UPDATES)
    assert done.returncode == 1
    assert f"mail_dns_server = {unserved.silent}: does not answer" in done.stderr


def test_it_is_off_without_a_server(unserved: Named) -> None:
    done = unserved.run("mailstack.dns.publish")
    assert done.returncode == 1
    assert "needs mail_dns_server, mail_dns_key_name and mail_dns_key_secret" in done.stderr
