"""The domains with certificates on a host, and the servers of nginx that use these."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailstack.on_host.certificates import keeper
from mailstack.on_host.certificates.keeper import Keeper
from tests.support.certificate_keeper import CONFIGURATION, DAY, NOW, Host, World, keeper_in


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Keeper, World]:
    return keeper_in(tmp_path, monkeypatch)


@pytest.fixture
def kept(made: tuple[Keeper, World]) -> Keeper:
    return made[0]


@pytest.fixture
def world(made: tuple[Keeper, World]) -> World:
    return made[1]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(keeper, "run", made.run)
    return made


@pytest.mark.parametrize(
    ("answer", "domains"),
    [
        (".,a.example,b.example\n", {"a.example", "b.example"}),
        (".\n", set()),
        (".,mail.example.org,a.example", {"a.example"}),  # it has a certificate as the host
        (".,../x,a b,-x,a.example", {"a.example"}),
        # postmap(1) prints nothing while the database is away
        ("", None),
        ("a.example", None),
        (None, None),
    ],
)
def test_the_domains_in_the_database(
    kept: Keeper, host: Host, answer: str | None, domains: set[str] | None
) -> None:
    host.domains = answer
    assert kept.domains() == domains


@pytest.mark.parametrize("as_postfix", [False, True])
def test_the_database_is_asked_as_one_who_may(kept: Keeper, host: Host, as_postfix: bool) -> None:
    kept.configuration = {**CONFIGURATION, "as_postfix": as_postfix}
    kept.domains()
    (command,) = host.commands
    assert (command[:4] == ("runuser", "-u", "postfix", "--")) is as_postfix


@pytest.fixture
def serving(
    kept: Keeper, world: World, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Keeper:
    """Return one that has given the web server two domains, on a host with these certificates."""
    monkeypatch.setattr(keeper, "time", SimpleNamespace(time=lambda: NOW))
    template = tmp_path / "template"
    template.write_text("server @DOMAIN@;\n")
    kept.configuration = {**CONFIGURATION, "site": str(template), "sites": str(tmp_path / "sites")}
    host.domains = ".,a.example,b.example"
    for domain in ("a.example", "b.example"):
        place = tmp_path / "domains" / domain
        place.mkdir(parents=True)
        (place / "cert.pem").touch()
    kept.look()
    return kept


def sites(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "sites").iterdir())


def test_each_domain_has_a_server(serving: Keeper, tmp_path: Path) -> None:
    assert sites(tmp_path) == ["a.example.conf", "b.example.conf"]
    assert (tmp_path / "sites" / "a.example.conf").read_text() == "server a.example;\n"
    assert not (tmp_path / "RELOAD").exists()


@pytest.mark.parametrize("answer", ["", None])
def test_while_the_database_is_away_all_sites_stay(
    serving: Keeper, host: Host, tmp_path: Path, answer: str | None
) -> None:
    host.domains = answer
    serving.look()
    assert sites(tmp_path) == ["a.example.conf", "b.example.conf"]
    assert serving.state.keys() == {"mail.example.org", "a.example", "b.example"}
    host.domains = ".,b.example"
    serving.look()
    assert sites(tmp_path) == ["b.example.conf"]
    assert serving.state.keys() == {"mail.example.org", "b.example"}


def test_a_server_that_nginx_refuses_is_tried_again(serving: Keeper, host: Host, tmp_path: Path) -> None:
    host.nginx = "nginx: [emerg] no"
    host.domains = ".,b.example,c.example"
    serving.look()
    assert sites(tmp_path) == ["a.example.conf", "b.example.conf"]
    refused = "nginx refuses another server: nginx: [emerg] no"
    assert serving.faults() == [f"a.example: {refused}", f"c.example: {refused}"]
    host.nginx = ""
    (tmp_path / "domains" / "c.example").mkdir()
    (tmp_path / "domains" / "c.example" / "cert.pem").touch()
    serving.look()
    assert sites(tmp_path) == ["b.example.conf", "c.example.conf"]
    assert serving.faults() == []


def test_a_site_whose_key_is_lost_is_removed(serving: Keeper, world: World, tmp_path: Path) -> None:
    """nginx would not start with it, and so could not show the CA any file."""
    names: Any = serving.names
    names.problems = dict.fromkeys(serving.of_domain("a.example").names, "has no address in the DNS")
    del world.there[serving.of_domain("a.example").certificate]
    serving.tend(serving.of_domain("a.example"), NOW)
    assert sites(tmp_path) == ["b.example.conf"]
    assert (tmp_path / "RELOAD").exists()


def test_a_new_certificate_gets_its_server_in_the_same_look(serving: Keeper, tmp_path: Path) -> None:
    """And one that is not there has none, as nginx could not start with it."""
    names: Any = serving.names
    names.problems = dict.fromkeys(serving.of_domain("d.example").names, "has no address in the DNS")
    serving.tend(serving.of_domain("d.example"), NOW)
    assert "d.example.conf" not in sites(tmp_path)
    names.problems.clear()
    serving.tend(serving.of_domain("d.example"), NOW + DAY)
    assert "d.example.conf" in sites(tmp_path)
