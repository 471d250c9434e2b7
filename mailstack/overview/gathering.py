"""Everything about the current host, read by one command, and one more for quotas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack import topology_rules
from mailstack.accounts.listed import USER, USERS, user_of
from mailstack.accounts.look import FEW, with_used
from mailstack.components.component import with_required
from mailstack.components.converge import each_declared
from mailstack.components.difference import Difference
from mailstack.components.mail_server import wanted
from mailstack.components.tls import CERTIFICATE, KEY
from mailstack.dns.domains import domains_of
from mailstack.engines import engine_of
from mailstack.engines.contract import Rows
from mailstack.engines.lookups import HAS_QUOTA
from mailstack.facts.acme import AcmeState
from mailstack.facts.bans import Bans
from mailstack.facts.certificates import Certificate
from mailstack.facts.dkim import KEYS, DkimKeys
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import announce, read, together
from mailstack.operations.units import announce_units, state_of
from mailstack.overview import backups, database, queue, services, storage, traffic, trust
from mailstack.overview.host import Host, HostState
from mailstack.overview.screen import Screen, Section, Trouble
from mailstack.tracing.journal import MailJournal
from mailstack.tracing.lines import entries

if TYPE_CHECKING:
    from mailstack.components.component import Site

_PLACES = ("/", "/var/lib", "/var/log", "/var/spool/postfix")
_JOURNAL = MailJournal.of("-1d", traffic.PATTERN)


@dataclass(frozen=True)
class Wishes:
    """What may be left out or added.

    + changes: whether the host is compared with the settings, as a deploy does it
    + quotas: whether Dovecot is asked about all users with a quota, however many there are
    """

    changes: bool = True
    quotas: bool = False


def screen(site: Site, wishes: Wishes) -> Screen:
    """Return the state of the current host.

    Raises ``OperationError`` if it can't be asked.
    """
    return _Gathering(site, wishes).screen()


class _Gathering:
    """The questions, and the sections made of the answers."""

    def __init__(self, site: Site, wishes: Wishes) -> None:
        settings = site.settings
        self.site, self.settings, self.wishes = site, settings, wishes
        self.components = with_required(wanted(site), site)
        self.names = {component.name for component in self.components}
        there = [each for each in self.components if each.is_installed(site)]
        self.units = each_declared(site, there, "units")
        self.engine = engine_of(settings)
        self.database = self.engine.database(settings)
        mail = settings.mail_home_root if site.here.has_mail else ""
        keys = KEYS if "rspamd" in self.names else ""
        self.has_bans = settings.mail_fail2ban and "fail2ban" in self.names
        self.state = HostState.of(mail, keys, [*_PLACES, *([mail] if mail else [])])
        self.certificate = Certificate.of(settings.mail_hostname, CERTIFICATE, KEY)
        self.has_server = site.runs_database or settings.mail_db_dsn is not None
        owner = site.topology.database_node(settings)
        self.unreached = ""
        if owner is not None and owner.name not in {site.here.name, *site.topology.reached}:
            self.unreached = site.topology.not_reached(owner)
        self.difference = Difference(site, self.components) if wishes.changes and not self.unreached else None

    def screen(self) -> Screen:
        """See ``screen``."""
        with together():
            self._announce()
        state = read(self.state)
        return Screen(self.site.here.name, state.now, [*self._sections(state)])

    def _announce(self) -> None:
        announce(self.state)
        announce_units(self.units)
        if self.site.here.has_mail:
            announce(self.certificate, AcmeState.of(), DkimKeys.of(), domains_of(self.site), _JOURNAL)
        if self.has_bans:
            announce(Bans.of())
        if self.has_server:
            self.database.announce(self.settings.mail_db_name, self.engine.dialect.health())
        if self._counts_quotas():
            self.database.announce(self.settings.mail_db_name, self._users())
        if self.difference:
            self.difference.announce()

    def _sections(self, state: Host) -> Iterator[Section]:
        units = self.units(read(PLATFORM))
        yield services.services(state.now, ((unit, state_of(unit)) for unit in units), state.failed)
        mail = self.settings.mail_home_root if self.site.here.has_mail else ""
        if mail:
            yield queue.queue(state.now, state.queue, state.rescued)
            yield _section("mail", self._mail)
        yield storage.disks(state.disks, state.store, mail)
        if self._counts_quotas():
            yield _section("quota", self._quotas)
        if mail:
            yield from self._trust(state)
        if self.has_bans:
            possible = read(PLATFORM).nftables
            yield trust.bans(read(Bans.of())) if possible else Section("bans", ["none: no nftables here"])
        yield _section("database", self._database)
        if "backup" in self.names and self.settings.mail_backup_repository:
            yield backups.backup(state.now, self._backup_settings(), state.records)
        if self.wishes.changes:
            yield _section("deploy", self._deploy)

    def _mail(self) -> Section:
        return traffic.traffic(traffic.counted_day(entries(self.site.here.name, read(_JOURNAL))))

    def _trust(self, state: Host) -> Iterator[Section]:
        settings = self.settings
        kept = read(AcmeState.of()) if settings.mail_acme else {}
        hostname, own = settings.mail_hostname, read(self.certificate)
        yield trust.certificates(state.now, hostname, own, kept, self._certificate_advice())
        if "rspamd" in self.names:
            found = read(domains_of(self.site))
            domains = None if found is None else found.local
            keys = read(DkimKeys.of()).values()
            yield trust.dkim(state.now, keys, state.keys, state.signing, domains)
        for name, record, command, changed in (
            ("dns", "dns-check", "mailstack.dns.check", 0),
            ("verify", "verify", "mailstack.verify", state.deployed),
        ):
            last, again = state.records.get(record, {}), f"pyinfra -y INVENTORY {command}"
            yield trust.last(name, state.now, last, again, changed)

    def _backup_settings(self) -> backups.Wanted:
        settings = self.settings
        return backups.Wanted(
            str(settings.mail_backup_repository),
            settings.mail_backup_hours,
            known=settings.mail_backup_password is not None,
        )

    def _certificate_advice(self) -> str:
        settings = self.settings
        if settings.mail_acme:
            return "pyinfra INVENTORY fact mailstack.facts.AcmeState has the answer of the CA"
        if settings.tls_on_host:
            return f"The program that writes {settings.tls_on_host[0]} must renew it"
        if settings.mail_tls_certificate is not None:
            return "Put a newer one into mail_tls_certificate and mail_tls_key, and deploy"
        return "pyinfra INVENTORY deploy.py makes another; mail_acme = True gets one of a CA"

    def _database(self) -> Section:
        if self.has_server:
            found = self.database.query(self.settings.mail_db_name, self.engine.dialect.health())
            return database.server(
                found, "mariadb" if self.settings.mail_db_engine == "mysql" else "postgresql"
            )
        addresses = ", ".join(each.host for each in self.site.endpoints)
        return database.client(addresses, read(domains_of(self.site)) is not None)

    def _counts_quotas(self) -> bool:
        """Return whether the accounts are in the database that this host asks."""
        try:
            return topology_rules.does_accounts(self.settings, self.site.topology)
        except OperationValueError:
            return False

    def _users(self) -> str:
        limited = f"{USERS} WHERE u.active AND d.active AND {HAS_QUOTA}"
        count = f"(SELECT COUNT(*) AS n {limited})"
        few = "" if self.wishes.quotas else f" AND {count.replace(' AS n', '')} <= {FEW}"
        queries = {"number": Rows(("c.n",), f"FROM {count} c"), "users": Rows(USER, f"{limited}{few}")}
        return self.engine.dialect.read_rows(queries)

    def _quotas(self) -> Section:
        answer: Any = self.database.query(self.settings.mail_db_name, self._users())
        if answer is None:
            return Section("quota", ["not known, as the database does not answer"])
        rows = self.engine.dialect.rows(answer)
        ((number,),) = rows["number"]
        return storage.quotas(number, with_used(self.settings, [*map(user_of, rows.get("users", ()))]))

    def _deploy(self) -> Section:
        if self.difference is None:
            return services.deploy([], [], self.unreached)
        return services.deploy(self.difference.problems(), [*self.difference.lines(read(PLATFORM))])


def _section(name: str, make: Callable[[], Section]) -> Section:
    """Return the section, or one that says why there is none."""
    try:
        return make()
    except (OperationError, OperationValueError) as error:
        return Section(name, ["not known"], None, [Trouble(str(error), "docs/troubleshooting.md")])
