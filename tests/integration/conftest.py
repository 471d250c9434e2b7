"""Hosts for the integration tests; each test that uses one runs on Debian 12 and on Debian 13."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence

import pytest

from tests.conftest import KEEP, leave_out, params
from tests.distribution import ON_HOSTS, WAITING
from tests.support import dns, logins, sample_accounts, trust
from tests.support.trust import Protected
from tests.targets import containers, images, networks
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.shell import docker, locked

#: The engine of tests that are independent of it; MAILSTACK_TEST_ENGINE sets another.
ENGINE = sample_accounts.ENGINE
ENGINES = ("postgresql", "mysql")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that runs a file's tests on both engines."""
    config.addinivalue_line("markers", "both_engines: run with PostgreSQL, and with MariaDB on Debian 13")
    config.addinivalue_line("markers", "both_engines_everywhere: run with PostgreSQL and with MariaDB")
    config.addinivalue_line("markers", "mariadb: run with MariaDB alone")
    config.addinivalue_line("markers", "postgresql: run with PostgreSQL alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses the standard server on one engine, or with the marker on both."""
    if "db_engine" in metafunc.fixturenames:
        names: Sequence[str] = [ENGINE]
        if any(map(metafunc.definition.get_closest_marker, ("both_engines", "both_engines_everywhere"))):
            names = ENGINES
        for marker, only in (("mariadb", "mysql"), ("postgresql", "postgresql")):
            if metafunc.definition.get_closest_marker(marker):
                names = [only]
        metafunc.parametrize("db_engine", names, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests, and deselect unmarked ones for the second engine on Debian 12.

    Those that mostly wait come first: others run beside them. Then come tests with their own hosts, as they
    take longest, and of these first those without an image; then those that share a server, server by server;
    and those without a host.
    """

    def order(item: pytest.Item) -> tuple[bool, bool, bool, bool, str]:
        given, fixtures = params(item), getattr(item, "fixturenames", ())
        # a unit test may have a parameter named server
        shares = "server" in fixtures and "db_engine" in given
        name = f"{given['db_engine']}-{given['debian']}" if shares else item.nodeid.split("::")[0]
        on_hosts, waits = (item.nodeid.startswith(f"{folder}/") for folder in (ON_HOSTS, WAITING))
        return not waits, not on_hosts, shares, "bare" not in fixtures, name

    def unwanted(item: pytest.Item) -> bool:
        return bool(
            item.get_closest_marker("both_engines")
            and params(item).get("debian") == 12
            and params(item).get("db_engine") != ENGINE
        )

    leave_out(config, items, unwanted)
    items.sort(key=order)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the engine of `sample_accounts.data()` to the test's."""
    own = "postgresql" if item.get_closest_marker("postgresql") else ENGINE
    sample_accounts.ENGINE = params(item).get("db_engine", own)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the hosts of a failed test logged at the end."""
    report = yield
    if report.failed and call.when == "call":
        given = getattr(item, "funcargs", {}).values()
        within = [each for value in given for each in getattr(value, "__dict__", {}).values()]
        for host in {host.name: host for host in [*given, *within] if isinstance(host, Target)}.values():
            if host.running():
                last = host.exec("journalctl -q --no-pager -n 30 -o short-precise", check=False)
                report.sections.append((f"the log of {host.name}", last.stdout))
    return report


@pytest.fixture(scope="session")
def db_engine(request: pytest.FixtureRequest) -> str:
    """Return the value of `mail_db_engine` for the standard server."""
    name: str = request.param
    return name


@pytest.fixture(scope="session", params=[12, 13], ids=["debian12", "debian13"])
def debian(request: pytest.FixtureRequest) -> int:
    """Return the Debian release that a test runs on."""
    release: int = request.param
    return release


@pytest.fixture(scope="session")
def network(engine: None, debian: int) -> Iterator[Network]:
    """Yield the network of this Debian's tests, on which nothing else is."""
    network = networks.test(debian)
    network.ensure()
    yield network
    if not KEEP:
        docker("network", "rm", network.name, check=False)


@pytest.fixture(scope="session")
def peer(network: Network, debian: int) -> Iterator[Target]:
    """Yield the outside world, remote.example.net: takes all mail for itself; its clients are strangers."""
    target = containers.peer(f"{networks.WORKER_NAME}-peer-{debian}", network, keep=KEEP)
    yield target
    if not KEEP:
        target.remove()


@pytest.fixture(scope="session")
def deployed(network: Network, debian: int, db_engine: str) -> str:
    """Return the image of the standard server."""
    return standard(network, debian, db_engine)


def standard(network: Network, debian: int, db_engine: str) -> str:
    """Return the image of the standard server; the first worker that needs it makes it, by `deploy.py`."""

    def deploy(host: Target) -> None:
        host.create(with_packages(network, debian))
        host.pyinfra("-y", "deploy.py", data=sample_accounts.data(), timeout=900).check()
        logins.make_quick(host)

    host = Target(f"{networks.WORKER_NAME}-deploying-{debian}", debian, network)
    return made_once(f"deployed:{debian}-{db_engine}", host, deploy)


@pytest.fixture(scope="session")
def server(network: Network, debian: int, db_engine: str, deployed: str) -> Iterator[Target]:
    """Yield the standard server, shared by the tests of a worker: leave it as found, or take a `clone`."""
    name = f"{networks.WORKER_NAME}-server-{debian}-{db_engine}"
    server = Target(name, debian, network, aliases=(sample_accounts.HOSTNAME,))
    if not (KEEP and server.running()):
        server.create(deployed)
    if KEEP:
        server.pyinfra("-y", "deploy.py", data=sample_accounts.data(), timeout=900).check()
    yield server
    if not KEEP:
        server.remove()


@pytest.fixture(scope="session")
def filtering(network: Network, debian: int, deployed: str) -> str:
    """Return the image of the standard server with rspamd and SRS; the first worker makes it."""

    def deploy(host: Target) -> None:
        host.create(deployed)
        host.pyinfra("-y", "deploy.py", data=trust.data(), timeout=900).check()
        trust.wait_for_keys(host)  # or each copy makes some

    host = Target(f"{networks.WORKER_NAME}-filtering-{debian}", debian, network)
    return made_once(f"filtering:{debian}-postgresql", host, deploy)


@pytest.fixture(scope="session")
def protected(network: Network, debian: int, filtering: str) -> Iterator[Protected]:
    """Yield the server, with its keys in the DNS."""
    server = Target(f"{networks.WORKER_NAME}-trust-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(filtering)
    resolver = dns.server(f"{networks.WORKER_NAME}-dns-{debian}", network, keep=KEEP)
    try:
        if KEEP:
            server.pyinfra("-y", "deploy.py", data=trust.data(), timeout=900).check()
        dns.use(server, resolver)
        both = Protected(server, resolver)
        both.serve("example.org", "example.com")
        yield both
    finally:
        if not KEEP:
            server.remove()
            resolver.remove()


@pytest.fixture(scope="module")
def installed(network: Network, debian: int) -> str:
    """Return an image of a host that has all packages, and is bare otherwise."""
    return with_packages(network, debian)


def with_packages(network: Network, debian: int) -> str:
    """Make the image by two killed runs: one during apt, which continues alone, and one after it."""

    def install(host: Target) -> None:
        host.create()
        for moment in ("during:1", "after:1"):
            env = {"MAILSTACK_KILL": moment}
            run = ("-y", "tests/support/kill_switch.py", "deploy.py")
            host.pyinfra(*run, data=sample_accounts.data(), env=env, timeout=900)
        assert "postfix" not in host.exec("ls /var/lib/mailstack 2>/dev/null; true").stdout

    host = Target(f"{networks.WORKER_NAME}-installing-{debian}", debian, network)
    return made_once(f"installed:{debian}-{sample_accounts.ENGINE}", host, install)


def made_once(kind: str, host: Target, make: Callable[[Target], None]) -> str:
    """Return the image of a host that `make` creates; the first worker makes it."""
    image = f"{networks.TEST_NAME}-{kind}-{os.environ['MAILSTACK_TEST_SESSION']}"
    with locked(image.replace(":", "-")):
        if not images.exists(image):
            make(host)
            host.stop()
            host.commit(image)
            host.remove()
    return image


Factory = Callable[..., Target]


@pytest.fixture
def factory(network: Network, debian: int) -> Iterator[Factory]:
    """Yield a function `factory(name, image=None, hostname=…)` for targets, removed after the test."""
    yield from _factory(network, debian)


@pytest.fixture(scope="module")
def module_factory(network: Network, debian: int) -> Iterator[Factory]:
    """Yield a function for targets that all tests of a module share, removed after the last test."""
    yield from _factory(network, debian)


def _factory(network: Network, debian: int) -> Iterator[Factory]:
    made: list[Target] = []

    def make(
        name: str,
        image: str | None = None,
        hostname: str = sample_accounts.HOSTNAME,
        ipv6: bool = True,
        nftables: bool = True,
        ptrace: bool = False,
        debian: int = debian,
    ) -> Target:
        whole = f"{networks.WORKER_NAME}-{name}-{debian}"
        target = Target(whole, debian, network, hostname, ipv6=ipv6, nftables=nftables, ptrace=ptrace)
        made.append(target)
        vars(make)[whole] = target  # where a failed test looks for hosts, to show their logs
        return target.create(image)

    yield make
    for target in made:
        target.remove()


@pytest.fixture
def bare(factory: Factory) -> Factory:
    """Return a function for bare targets: `bare()`, or `bare("db")` if a test needs several."""
    return lambda name="bare", **options: factory(name, **options)


@pytest.fixture
def clone(factory: Factory, deployed: str) -> Factory:
    """Return a function `clone()` for copies of the standard server, for tests that break things."""
    return lambda name="clone", **options: factory(name, image=deployed, **options)


@pytest.fixture(scope="module")
def module_clone(module_factory: Factory, deployed: str) -> Factory:
    """Return a function for copies of the standard server that all tests of a module share."""
    return lambda name, **options: module_factory(name, image=deployed, **options)
