"""Roles of hosts and their connections, with pyinfra's own inventory. No host is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pyinfra.api.config import Config
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State

from mailstack import Settings
from mailstack.endpoint import Endpoint
from mailstack.engines.postgresql import ENGINE as POSTGRESQL
from mailstack.hosts import checked, topology_of

HOSTS = {"one": "192.0.2.1", "two": "192.0.2.2", "three": "2001:db8::3"}


def inventory(
    addresses: bool = True, data: Mapping[str, object] | None = None, **groups: list[str]
) -> dict[str, Host]:
    """Return three hosts in these groups, all with this data."""
    given = [
        (name, {**(data or {}), **({"mail_address": address} if addresses else {})})
        for name, address in HOSTS.items()
    ]
    made = Inventory((given, {}), **{group: (members, {}) for group, members in groups.items()})  # type: ignore[no-untyped-call]
    State(made, Config())  # type: ignore[no-untyped-call]
    return {host.name: host for host in made}


def settings(**more: Any) -> Settings:
    """Return settings of a whole server."""
    return Settings(mail_hostname="mail.example.org", **more)


def test_without_groups_a_host_has_all_roles() -> None:
    host = inventory()["one"]
    assert all(topology_of(host).here.has_role(role) for role in ("db", "mx", "imap"))
    assert topology_of(host).database_node(settings()) == topology_of(host).here


def test_a_host_has_the_name_that_the_inventory_gives_it() -> None:
    hosts = inventory(data={"mail_hostname": "mail.example.org"})
    assert [node.hostname for node in topology_of(hosts["one"]).nodes] == ["mail.example.org"] * 3


def test_other_groups_are_no_roles() -> None:
    assert topology_of(inventory(web=["one"])["one"]).here.has_role("db")


def test_a_host_in_groups_has_their_roles_only() -> None:
    hosts = inventory(db=["one"], mx=["two"], imap=["two"])
    assert [topology_of(hosts["one"]).here.has_role(role) for role in ("db", "mx", "imap")] == [
        True,
        False,
        False,
    ]
    assert [topology_of(hosts["two"]).here.has_role(role) for role in ("db", "mx", "imap")] == [
        False,
        True,
        True,
    ]


def test_mail_hosts_use_the_database_host() -> None:
    hosts = inventory(db=["one"], mx=["two", "three"], imap=["two", "three"])
    assert topology_of(hosts["one"]).database_endpoints(settings()) == (Endpoint("/run/postgresql"),)
    assert topology_of(hosts["two"]).database_endpoints(settings(mail_db_port=5433)) == (
        Endpoint("192.0.2.1", 5433),
    )
    assert topology_of(hosts["one"]).database_clients(settings()) == ["192.0.2.2", "2001:db8::3"]
    assert topology_of(hosts["two"]).database_clients(settings()) == []


def test_hosts_with_a_database_of_their_own_are_no_clients() -> None:
    hosts = inventory()
    assert topology_of(hosts["one"]).database_clients(settings()) == []


@pytest.mark.parametrize("auth", ["password", "peer"])
@pytest.mark.parametrize("port", [5432, 5433])
def test_over_the_socket(auth: str, port: int) -> None:
    (endpoint,) = topology_of(inventory()["one"]).database_endpoints(
        settings(mail_db_auth=auth, mail_db_port=port)
    )
    assert endpoint.is_socket and endpoint.is_local
    assert f"PGPORT={port}" in POSTGRESQL.postfix_environment([endpoint])


def test_a_chroot_can_not_reach_the_socket() -> None:
    (endpoint,) = topology_of(inventory()["one"]).database_endpoints(settings(mail_map_type="pgsql"))
    assert endpoint == Endpoint("127.0.0.1")
    assert "PGPORT" not in POSTGRESQL.postfix_environment([endpoint])


def test_a_server_outside_the_inventory() -> None:
    host = inventory()["one"]
    given = settings(mail_db_host="db.example.net", mail_db_port=6432)
    assert topology_of(host).database_node(given) is None
    assert topology_of(host).database_endpoints(given) == (Endpoint("db.example.net", 6432),)
    dsn = settings(
        mail_db_dsn="postgresql://admin@db.example.net:6543/?sslmode=verify-full",
        mail_db_lookup_password="x",
    )
    assert topology_of(host).database_node(dsn) is None
    (endpoint,) = topology_of(host).database_endpoints(dsn)
    assert endpoint == Endpoint("db.example.net", 6543, "verify-full")
    assert not endpoint.is_local


def test_mariadb_is_on_the_host_that_asks_it() -> None:
    hosts = inventory(db=["one"], mx=["two", "three"])
    mysql = settings(mail_db_engine="mysql")
    assert topology_of(hosts["one"]).database_endpoints(mysql) == (Endpoint("127.0.0.1", 3306),)
    with pytest.raises(OperationValueError, match="'mysql': two has no database of its own, because two is"):
        topology_of(hosts["two"]).database_endpoints(mysql)


def test_two_databases_without_a_choice() -> None:
    hosts = inventory(db=["one", "two"], mx=["one", "two", "three"])
    with pytest.raises(
        OperationValueError, match=r"mail_db_host: three has .* in the group mx, .* 2 hosts .*: one, two"
    ):
        topology_of(hosts["three"]).database_node(settings())


def test_the_first_database_host_is_the_primary_of_the_others() -> None:
    mail = inventory(db=["one", "two"], mx=["three"], imap=["three"])["three"]
    found = topology_of(mail)
    assert [node.name for node in found.database_nodes(settings())] == ["one", "two"]
    assert [(each.host, each.sslmode) for each in found.database_endpoints(settings())] == [
        ("192.0.2.1", "verify-full"),
        ("192.0.2.2", "verify-full"),
    ]
    chosen = settings(mail_db_primary="two")
    assert [node.name for node in found.database_nodes(chosen)] == ["two", "one"]
    two, one = (found.of(node) for node in found.database_nodes(chosen))
    assert (two.is_standby(chosen), one.is_standby(chosen), found.is_standby(chosen)) == (False, True, False)
    for database, peer in ((one, "two"), (two, "one")):
        assert database.database_clients(chosen) == ["2001:db8::3"]
        assert [node.name for node in database.database_peers(chosen)] == [peer]


def test_a_mail_host_with_a_standby_asks_it_first() -> None:
    found = topology_of(inventory(db=["one", "two"], mx=["two"], imap=["two"])["two"])
    assert [each.host for each in found.database_endpoints(settings())] == ["/run/postgresql", "192.0.2.1"]
    one = found.of(found.database_nodes(settings())[0])
    assert one.database_clients(settings()) == ["192.0.2.2"]
    assert found.database_clients(settings()) == []


def test_whole_servers_have_databases_of_their_own_unless_one_is_named() -> None:
    groups = {group: ["one", "two"] for group in ("db", "mx", "imap")}
    two = topology_of(inventory(True, None, **groups)["two"])
    assert [node.name for node in two.database_nodes(settings())] == ["two"]
    assert not two.is_replicated(settings()) and two.database_peers(settings()) == []
    assert [node.name for node in two.database_nodes(settings(mail_db_primary="one"))] == ["one", "two"]


def test_a_primary_that_is_no_database_host() -> None:
    host = inventory(db=["one"], mx=["two"], imap=["two"])["one"]
    with pytest.raises(OperationValueError, match="'two': not in the group db, which has one; allowed: one"):
        topology_of(host).database_node(settings(mail_db_primary="two"))


def test_a_host_with_clients_needs_an_address() -> None:
    hosts = inventory(addresses=False, db=["one"], mx=["two", "three"])
    with pytest.raises(OperationValueError, match=r"mail_address: one has none.* in the group db"):
        topology_of(hosts["two"]).database_endpoints(settings())


def test_settings_that_changed_are_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    host = inventory(db=["two"], mx=["one"], imap=["one"])["one"]
    monkeypatch.setattr("mailstack.hosts.current_host", lambda: host)
    given = settings()
    assert checked(given) is checked(settings()), "the same settings are checked once"
    with pytest.raises(OperationValueError, match="mail_db_lookup_password: is required"):
        checked(settings(mail_db_host="db.example.net"))
    assert checked(given).here.name == "one"
