"""Impossible combinations of hosts are refused in one sentence, and no host is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.config import Config
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State

from mailstack import Settings
from mailstack.hosts import topology_of
from mailstack.settings import SettingsError
from mailstack.topology import Node, Role, Topology
from mailstack.topology_rules import check, does_accounts
from tests.support.snippets import from_one_host_to_two, python_blocks
from tests.targets.shell import ROOT
from tests.unit.test_hosts import inventory, settings

DSN = {
    "mail_db_dsn": "postgresql://admin@db.example.net/",
    "mail_db_lookup_password": "x",
    "mail_db_upgrade_password": "y",
}


def refusal(given: dict[str, Any] | None = None, asked: str = "one", **groups: list[str]) -> str:
    """Return the error for three hosts in these groups, all with the same settings."""
    given = given or {}
    with pytest.raises(OperationValueError) as refused:
        check(settings(**given), topology_of(inventory(True, given, **groups)[asked]))
    return str(refused.value)


def test_a_host_that_receives_mail_passes_it_on_only_as_a_proxy() -> None:
    said = refusal(db=["one"], mx=["two"], imap=["three"])
    assert "because two is in the group mx alone" in said
    assert "allowed: two in the group imap too, or in proxy" in said
    assert "because one is in the group mx alone" in refusal(mx=["one"])


def test_a_server_has_a_host_for_each_role() -> None:
    said = refusal(asked="two", db=["two"], imap=["two"])
    assert said.startswith("no host of the server receives mail, because two is in the groups db and imap")
    apart = Node("three", ("imap",), "192.0.2.3", {"mail_db_host": "192.0.2.9"})
    here = Node("two", ("mx", "proxy"), "192.0.2.2")
    layout = Topology(here, (Node("one", ("db",), "192.0.2.1"), here, apart))
    with pytest.raises(
        OperationValueError, match=r"^no host of the server has the mailboxes, because two is"
    ):
        check(settings(), layout)


@pytest.mark.parametrize("asked", ["one", "two"])
def test_a_group_of_that_name_may_be_about_something_else(asked: str) -> None:
    said = refusal(asked=asked, proxy=["two"])
    assert said.startswith("proxy: two would pass mail and logins on to hosts in the group imap, ")
    assert said.endswith("another name for a group that is about something else")


def test_several_mail_hosts_with_one_database() -> None:
    layouts: list[dict[str, Any]] = [
        {"db": ["one"], "mx": ["one"], "proxy": ["one"], "imap": ["two", "three"]},
        {"db": ["one"], "mx": ["two", "three"], "imap": ["two", "three"]},
        {"db": ["one"], "mx": ["one", "two"], "imap": ["one", "two"]},
        {"db": ["one"], "mx": ["one"], "proxy": ["one", "two"], "imap": ["three"]},
    ]
    for groups in layouts:
        for host in inventory(**groups).values():
            check(settings(mail_firewall=True), topology_of(host))


def test_a_host_with_mailboxes_takes_no_mail_of_strangers() -> None:
    groups: dict[str, Any] = {"db": ["one"], "mx": ["one"], "proxy": ["one"], "imap": ["two", "three"]}
    said = refusal(asked="two", **groups)
    assert said.startswith(
        "mail_firewall = False: two takes mail of other hosts without a login, because two"
    )
    assert "allowed: True" in said
    check(settings(), topology_of(inventory(**groups)["one"]))


def test_several_mail_hosts_have_addresses() -> None:
    hosts = inventory(addresses=False, db=["one"], mx=["one"], proxy=["one"], imap=["two"])
    with pytest.raises(OperationValueError, match="mail_address: one has none"):
        check(settings(mail_firewall=True), topology_of(hosts["two"]))


def test_two_mail_hosts_with_one_database_outside_the_inventory() -> None:
    given = {"mail_db_host": "db.example.net", "mail_db_lookup_password": "x"}
    assert "one and two and three would have the same mailboxes, because mail_db_host" in refusal(given)
    assert "because mail_db_dsn is the same" in refusal(
        DSN, mx=["two", "three"], imap=["two", "three"], db=["one"]
    )


@pytest.mark.parametrize("groups", [{}, {"db": ["one"], "mx": ["one"], "imap": ["one"]}])
def test_a_database_that_nothing_asks(groups: dict[str, list[str]]) -> None:
    host = inventory(True, None, **groups)["one"]
    with pytest.raises(OperationValueError, match=r"one has a database of its own, because one is in"):
        check(settings(mail_db_host="db.example.net"), topology_of(host))
    for own in ("127.0.0.1", "::1", "localhost", "mail.example.org", "192.0.2.1"):
        check(settings(mail_db_host=own, mail_address="192.0.2.1"), topology_of(host))


def test_the_passwords_of_a_database_outside_the_inventory() -> None:
    alone = inventory(db=["two", "three"], mx=["one"], imap=["one"])["one"]
    given: dict[str, Any] = {"mail_db_host": "db.example.net", "mail_password_upgrade": True}
    for name in ("mail_db_lookup_password", "mail_db_upgrade_password"):
        with pytest.raises(OperationValueError, match=f"{name}: is required .* one is in the groups mx"):
            check(settings(**given), topology_of(alone))
        given[name] = "x"
    check(settings(**given), topology_of(alone))
    del given["mail_db_upgrade_password"]
    check(settings(**{**given, "mail_password_upgrade": False}), topology_of(alone))


def test_mail_is_deleted_where_it_lies() -> None:
    given = {"mail_accounts_policy": "authoritative", "mail_accounts_delete_mail": True}
    said = refusal(given, db=["one"], mx=["two"], imap=["two"])
    assert said.startswith("mail_accounts_delete_mail: one deletes accounts and has no mail, because one")
    check(settings(**given), topology_of(inventory(True, given)["one"]))
    given["mail_accounts_policy"] = "add-only"  # nothing is deleted
    check(settings(**given), topology_of(inventory(True, given, db=["one"], mx=["two"], imap=["two"])["one"]))


def test_a_standby_deletes_no_mail() -> None:
    given = {"mail_accounts_policy": "authoritative", "mail_accounts_delete_mail": True}
    groups = {"db": ["one", "two"], "mx": ["one", "three"], "imap": ["one", "three"]}
    given |= {"mail_firewall": True}
    check(settings(**given), topology_of(inventory(True, given, **groups)["two"]))


def test_one_server_has_several_databases() -> None:
    hosts = inventory(data=DSN, db=["three"])
    hosts["two"].data.mail_db_name = "mail2"
    check(settings(**DSN), topology_of(hosts["one"]))
    check(settings(**DSN, mail_db_name="mail2"), topology_of(hosts["two"]))


@pytest.mark.parametrize("asked", ["one", "two"])
@pytest.mark.parametrize("name, value", [("mail_db_engine", "mysql"), ("mail_db_auth", "peer")])
def test_a_database_that_is_for_its_own_host(asked: str, name: str, value: str) -> None:
    """A run with the database host alone could not find this: --limit, or an inventory for each host."""
    said = refusal({name: value}, asked, db=["one"], mx=["two"], imap=["two"])
    assert said.startswith(
        f"{name} = {value!r}: two has no database of its own, because two is in the groups mx and"
    )


@pytest.mark.parametrize("asked", ["one", "two", "three"])
@pytest.mark.parametrize("name, value", [("mail_db_engine", "mysql"), ("mail_db_auth", "peer")])
def test_a_database_without_standbys(asked: str, name: str, value: str) -> None:
    said = refusal({name: value}, asked, db=["one", "two"], mx=["three"], imap=["three"])
    assert said.startswith(f"{name} = {value!r}: the group db has 2 hosts (one, two), and a standby needs")


@pytest.mark.parametrize("asked", ["one", "two", "three"])
@pytest.mark.parametrize("other", ["one", "two"])
def test_a_database_has_one_primary(asked: str, other: str) -> None:
    """Two that each take the other for the primary, or one that takes itself for a server of its own."""
    hosts = inventory(db=["one", "two"], mx=["three"], imap=["three"])
    hosts[other].data.mail_db_primary = "two"
    with pytest.raises(OperationValueError, match=r"^mail_db_primary: one has .*, and two .* for all"):
        check(settings(mail_db_primary=hosts[asked].data.get("mail_db_primary")), topology_of(hosts[asked]))


def test_a_mail_host_knows_the_primary() -> None:
    hosts = inventory(data={"mail_db_primary": "two"}, db=["one", "two"], mx=["three"], imap=["three"])
    hosts["three"].data.mail_db_primary = "one"
    with pytest.raises(OperationValueError, match="one has 'two', and three 'one'"):
        check(settings(mail_db_primary="one"), topology_of(hosts["three"]))
    for host in inventory(db=["one", "two"], mx=["one", "two"], imap=["one", "two"], web=["three"]).values():
        check(settings(), topology_of(host))
    alone = inventory(
        data={"mail_db_primary": "two"}, db=["one", "two"], mx=["one", "two"], imap=["one", "two"]
    )
    check(settings(mail_db_primary="two", mail_firewall=True), topology_of(alone["one"]))


def test_a_standby_has_an_address() -> None:
    hosts = inventory(False, None, db=["one", "two"], mx=["three"], imap=["three"])
    with pytest.raises(OperationValueError, match="mail_address: one has none"):
        check(settings(), topology_of(hosts["two"]))


def test_accounts_are_changed_on_the_primary() -> None:
    hosts = inventory(db=["one", "two"], mx=["three"], imap=["three"])
    for name in hosts:
        host = hosts[name]
        for other in hosts.values():
            other.connected = True
        assert does_accounts(settings(), topology_of(host)) == (name == "one")


def test_settings_of_another_host_that_are_wrong() -> None:
    hosts = inventory(data=DSN)
    hosts["two"].data.mail_db_port = "x"
    with pytest.raises(SettingsError, match=r"^two: mail_db_port = 'x': must be a whole number"):
        check(settings(**DSN), topology_of(hosts["one"]))


def test_servers_of_their_own() -> None:
    for host in inventory().values():
        check(settings(mail_db_auth="peer"), topology_of(host))
    for host in inventory(db=["one"], mx=["two"], imap=["two"], web=["three"]).values():
        check(settings(), topology_of(host))


@pytest.mark.parametrize(
    ("number", "addresses"), [(0, ("192.0.2.1",)), (1, ("192.0.2.1", "192.0.2.3"))], ids=["one", "standby"]
)
def test_the_groups_of_the_documentation(number: int, addresses: tuple[str, ...]) -> None:
    groups: dict[str, Any] = {}
    page = ROOT / "docs/several-hosts.md"
    example = [block for block in python_blocks(page) if block.startswith("db = ")][number]
    exec(example, {}, groups)
    names = [host if isinstance(host, str) else host[0] for members in groups.values() for host in members]
    assert set(groups) == {"db", "mx", "imap"}
    made = Inventory((names, {}), **{name: (hosts, {}) for name, hosts in groups.items()})  # type: ignore[no-untyped-call]
    assert "`mail_hostname` too, which every host needs: they go into `group_data/all.py`" in page.read_text()
    for host in made:
        with pytest.raises(SettingsError, match=rf"^{host.name}: mail_hostname: is required: a domain"):
            Settings.from_data(host.data)
        host.data.mail_hostname = "mail.example.org"
        check(Settings.from_data(host.data), topology_of(host))
    *databases, mail = made
    asked = topology_of(mail).database_endpoints(settings())
    assert tuple(each.host for each in asked) == addresses and all(each.port == 5432 for each in asked)
    for database in databases:
        assert topology_of(database).database_clients(settings()) == ["192.0.2.2"]


#: In a process of its own, as to import pyinfra's command line changes threads and sockets.
_READ = """
import json, sys
from pyinfra_cli.inventory import make_inventory_from_files
from pyinfra.api.state import State
from pyinfra.context import ctx_state
with ctx_state.use(State()):
    inventory = make_inventory_from_files(sys.argv[1])
print(json.dumps({host.name: [host.data.dict(), host.groups] for host in inventory}))
"""


def as_pyinfra_reads(file: Path) -> Inventory:
    """Return the hosts of an inventory file with their groups, and their data from all places."""
    read = subprocess.run([sys.executable, "-c", _READ, file], capture_output=True, check=True, timeout=60)
    found = json.loads(read.stdout)
    groups: dict[str, list[str]] = {}
    for name, (_, those) in found.items():
        for group in those:
            groups.setdefault(group, []).append(name)
    hosts = [(name, data) for name, (data, _) in found.items()]
    made = Inventory((hosts, {}), **{group: (members, {}) for group, members in groups.items()})  # type: ignore[no-untyped-call]
    State(made, Config())  # type: ignore[no-untyped-call]
    return made


def test_the_way_from_one_host_to_two(tmp_path: Path) -> None:
    """The files of the page, read as pyinfra reads them: which host has the primary at each step."""
    shared, both, apart = from_one_host_to_two()
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data/all.py").write_text(shared)
    mail, database = "mail.example.org", "db.example.org"
    for text, primary, standbys in ((both, mail, [database]), (apart, database, [])):
        (tmp_path / "inventory.py").write_text(text)
        made = as_pyinfra_reads(tmp_path / "inventory.py")
        assert {host.name for host in made} == {mail, database}
        for host in made:
            given, topology = Settings.from_data(host.data), topology_of(host)
            check(given, topology)
            assert (host.data.ssh_user, topology.here.has_mail) == ("root", host.name == mail)
            assert [node.name for node in topology.database_nodes(given)] == [primary, *standbys]
        asked = topology_of(made.get_host(mail)).database_endpoints(given)
        assert [each.host for each in asked] == ["/run/postgresql"] * len(standbys) + ["192.0.2.1"]


def test_account_operations_run_on_one_host() -> None:
    hosts = inventory(db=["one"], mx=["two"], imap=["two"])
    hosts["one"].connected = True
    assert [does_accounts(settings(), topology_of(hosts[name])) for name in ("one", "two")] == [True, False]
    hosts = inventory(data=DSN)
    hosts["two"].connected = hosts["three"].connected = (
        True  # the first is not in the run, by --limit, or away
    )
    assert [does_accounts(settings(**DSN), topology_of(hosts[name])) for name in ("two", "three")] == [
        True,
        False,
    ]


def test_accounts_of_a_host_that_is_not_in_the_run() -> None:
    hosts = inventory(db=["one"], mx=["two"], imap=["two"])
    with pytest.raises(
        OperationValueError, match=r"one was not reached, and two needs .* groups mx and imap"
    ):
        does_accounts(settings(), topology_of(hosts["two"]))
    elsewhere = settings(mail_db_host="192.0.2.1", mail_db_lookup_password="x")
    with pytest.raises(OperationValueError, match=r"no host of this run .* on 192\.0\.2\.1"):
        does_accounts(elsewhere, topology_of(hosts["two"]))
    hosts["one"].connected = True
    assert does_accounts(elsewhere, topology_of(hosts["two"])) is False


@pytest.mark.parametrize("role", ["db", "proxy", "imap"])
def test_a_check_takes_a_time_in_proportion_to_the_hosts(role: Role) -> None:
    """Each host checks all others: with 200 of them, a square of it takes a minute for the run."""

    def calls(number: int) -> int:
        pair: list[tuple[Role, ...]] = [("mx", "proxy"), ("imap",)]
        groups: list[tuple[Role, ...]] = [("db",), ("db",), *pair * (number // 2)]
        nodes = tuple(Node(f"host{i}", group, f"192.0.2.{i}") for i, group in enumerate(groups))
        here = next(node for node in nodes if node.has_role(role))
        settings = Settings(mail_hostname="mail.example.org", mail_firewall=True)
        count = 0

        def counting(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(counting)
        try:
            check(settings, Topology(here, nodes))
        finally:
            sys.setprofile(None)
        return count

    assert calls(160) < 6 * calls(40)
