"""The commands about DNS records. They run on the host with the mail server, and do nothing on others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Unpack, cast

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.deploy import deploy
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.components.component import Site, site_of
from mailstack.dns import updates
from mailstack.dns.asking import Answer, Asker, Server, zone_at
from mailstack.dns.checks import NO_IPV4, Check, Finding
from mailstack.dns.known import known_to, unreached, unreached_of_name
from mailstack.dns.printed import FORMATS, printed
from mailstack.dns.records import Known, Zone, host_zone, reverse, zones
from mailstack.dns.updates import Change
from mailstack.operation import local_command, naming_the_host, only_looks, operation, reason, warn_once
from mailstack.operations.sql import deployed_with
from mailstack.record import record
from mailstack.run import answer, is_executing, leave_out
from mailstack.settings import Domain, Settings
from mailstack.text import lines_of

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments

P = ParamSpec("P")


def _command(function: Callable[P, None]) -> Callable[P, None]:
    """Make a function a command: its arguments are domains, and those with a name that it has.

    pyinfra removes its own arguments before; they are in the signature for type checkers only.
    """
    call = cast("Any", function)

    @wraps(function)
    def checked(*domains: str, **arguments: Any) -> None:
        allowed = call.__kwdefaults__ or {}
        if unknown := sorted(arguments.keys() - allowed.keys()):
            listed = ", ".join(["domains", *(f"{name}=…" for name in allowed)])
            raise OperationValueError(
                f"mailstack.dns.{call.__name__}: there is no argument {unknown[0]}; allowed: {listed}"
            )
        names = [str(Domain(domain_name=str(domain)).domain_name) for domain in domains]
        if not hosts.topology().here.has_mail:
            host.log("the DNS records are those of the host with the mail server")
            return
        with naming_the_host():
            call(*names, **arguments)

    return cast("Callable[P, None]", deploy("DNS records")(checked))


@_command
@only_looks
def zone(*domains: str, format: str = "zone", **pyinfras: Unpack[GlobalArguments]) -> None:
    """Print the DNS records of domains, and of the host, on standard output.

    + domains: domains, or the host's name; without them all in the database and the settings, and the host
    + format: ``zone`` for lines of a zone file, ``json``, or ``table`` for the forms of a web page

    Raises ``OperationValueError`` for a malformed domain or another format.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.dns.zone
        pyinfra -y INVENTORY mailstack.dns.zone example.org format=table
    """
    if format not in FORMATS:
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}")
    site = _site()
    known = known_to(site, domains)
    chosen = _zones(site, known, domains)
    has_host = any(record.name == site.settings.mail_hostname for each in chosen for record in each.records)
    backwards = reverse(site, known) if has_host else []
    answer(printed(format, host.name, chosen, backwards, _notes(site, known, domains)))


@_command
@only_looks
def check(*domains: str, **pyinfras: Unpack[GlobalArguments]) -> None:
    """Compare the DNS with the records of domains and of the host; fail if one is missing or different.

    + domains: domains, or the host's name; without them all in the database and the settings, and the host

    The name servers of each zone are asked, and a resolver, by the machine that runs pyinfra.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.dns.check
        pyinfra -y INVENTORY mailstack.dns.check example.org
    """
    findings = _findings(_site(), domains)
    failed = [finding for each in findings.values() for finding in each if finding.kind != "notice"]
    if not domains:
        _record(findings)
    for name, found in findings.items():
        answer("".join(f"{each}\n" for each in (f"{name}: {_summary(found)}", *_lines(found))))
    if failed:
        leave_out(f"{_count(failed)} in the DNS: see above")


@_command
def publish(*domains: str, **pyinfras: Unpack[GlobalArguments]) -> None:
    """Write the records of domains, and of the host, on the name server that takes updates (RFC 2136).

    + domains: domains, or the host's name; without them all in the database and the settings, and the host

    Raises ``OperationValueError`` without ``mail_dns_server`` and its key.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.dns.publish example.org
    """
    settings = _settings()
    if settings.mail_dns_server is None:
        raise OperationValueError(
            "mailstack.dns.publish: needs mail_dns_server, mail_dns_key_name and mail_dns_key_secret"
        )
    _publish(domains=domains, name=f"Publish on {settings.mail_dns_server}")


def warn(settings: Settings) -> None:
    """Warn at the end of a deploy if the DNS lacks records, and never fail."""
    _warn(settings=settings, name="Check DNS records")


@operation
def _warn(settings: Settings) -> Generator[PyinfraCommand]:
    if is_executing():  # before that, an earlier operation may still have to make the keys
        try:
            _log(_record(_findings(_site(settings), ())))
        except Exception as error:  # whatever it is, the server is deployed
            _log_warning(f"the DNS records could not be checked: {reason(error)}")
    host.noop("the DNS is only looked at")
    yield from ()


def _log(failures: Iterable[str]) -> None:
    for failure in failures:
        _log_warning(f"{failure} in the DNS; mailstack.dns.check says which")


def _record(findings: Mapping[str, Sequence[Finding]]) -> list[str]:
    """Keep the result of a whole check for ``mailstack.status``, and return a line for each failed zone."""
    failed = {
        name: [finding for finding in found if finding.kind != "notice"] for name, found in findings.items()
    }
    failures = [f"{name}: {_count(found)}" for name, found in failed.items() if found]
    record("dns-check", failures)
    return failures


def _log_warning(text: str) -> None:
    host.log_styled(text, fg="yellow", log_func=logger.warning)


@operation
def _publish(domains: Sequence[str]) -> Generator[PyinfraCommand]:
    site = _site()
    settings = site.settings
    server = str(settings.mail_dns_server)
    key = updates.Key(
        str(settings.mail_dns_key_name),
        settings.mail_dns_key_algorithm,
        settings.mail_dns_key_secret.get_secret_value() if settings.mail_dns_key_secret else "",
    )
    changed = _changed(site, server, domains)
    for name, some in changed.items():
        for change in some:
            host.log(str(change))
        if some:
            yield local_command(partial(updates.send, server, key, name, some))
    if not any(changed.values()):
        host.noop("the DNS records are as they should be")


def _changed(site: Site, server: str, domains: Sequence[str]) -> dict[str, list[Change]]:
    """Return the changes of each zone. Raises ``OperationError`` that names all that is in the way."""
    if away := unreached(site):
        raise OperationError(
            f"{' and '.join(away)}: not reached, and the records of all mail hosts are published together; "
            "allowed: a run that reaches all mail hosts, or an inventory without those that are gone"
        )
    # it has a name, so that it is not asked to ask others
    asker, at = Asker(server), Server("mail_dns_server", server)

    def ask(name: str, kind: str) -> Answer:
        return asker.ask(name, kind, at)

    hostname = site.settings.mail_hostname
    # who has a certificate of their own publishes the key of the next one before they use it
    others = updates.OTHERS | ({"TLSA"} if site.settings.mail_tls_certificate else set())
    changed: dict[str, list[Change]] = {}
    problems: list[str] = []
    known = known_to(site, domains)
    for each in _zones(site, known, domains):
        apex = zone_at(each.name, ask)
        if apex.is_silence:
            raise OperationError(f"mail_dns_server = {server}: does not answer")
        if apex.code not in ("NOERROR", "NXDOMAIN") or not apex.zone or not apex.authoritative:
            warn_once(f"{each.name} is in no zone of {server}, and left alone: {updates.elsewhere(apex)}")
            continue
        changed.setdefault(apex.zone, [])
        parts, away = updates.parts(each, apex.zone, ask)
        for text in away:
            warn_once(text)
        for name, part in parts.items():
            some, wrong = updates.changes(part.records, ask, hostname, part.former, others, known.others)
            problems += wrong
            changed.setdefault(name, []).extend(some)
    if problems:
        raise OperationError("; ".join(problems))
    if not changed:
        raise OperationError(f"mail_dns_server = {server}: has none of these domains")
    return changed


def _findings(site: Site, domains: Sequence[str]) -> dict[str, list[Finding]]:
    """Return the findings of each domain, and of the host if it or nothing is named."""
    hostname = site.settings.mail_hostname
    if away := unreached_of_name(site):
        raise OperationError(
            f"{' and '.join(away)}: not reached, and {hostname} leads there too; allowed: a run that reaches "
            "all mail hosts, or an inventory without those that are gone"
        )
    known = known_to(site, domains)
    asker = Asker(site.settings.mail_dns_resolver)
    if asker.ask("localhost", "A").is_silence:  # a name that it knows by itself (RFC 6761)
        address = asker.resolver.address
        if site.settings.mail_dns_resolver:
            raise OperationError(f"mail_dns_resolver = {address}: does not answer")
        raise OperationError(
            f"the resolver of this machine, {address}, does not answer; mail_dns_resolver names another"
        )
    if away := unreached(site):
        warn_once(f"the records of {' and '.join(away)} are not checked: not reached")
    asking = Check(asker, hostname, known.addresses, known.others)
    found = {each.name: list(asking.zone(each)) for each in _zones(site, known, domains)}
    if not domains or hostname in domains:
        found.setdefault(hostname, []).extend(asking.host())
    return found


def _settings() -> Settings:
    return deployed_with() or Settings.from_data(host.data)


def _site(settings: Settings | None = None) -> Site:
    settings = settings or _settings()
    return site_of(settings, hosts.checked(settings))


def _zones(site: Site, known: Known, named: Sequence[str]) -> list[Zone]:
    every, hostname = zones(site, known), site.settings.mail_hostname
    chosen = [each for each in every if not named or each.name in named]
    if hostname in named and not any(record.name == hostname for each in chosen for record in each.records):
        chosen.append(host_zone(every, hostname))
    return chosen


def _notes(site: Site, known: Known, named: Sequence[str]) -> list[str]:
    """Return what the printed zones lack."""
    signed = {key.domain for key in known.keys.values()}
    notes = [f"The records of {name} are missing: not reached." for name in unreached(site)]
    away = unreached_of_name(site)
    if not (known.addresses or away):
        notes.append("The host has no address that the world reaches: set mail_dns_addresses.")
    elif not (away or any("." in address for address in known.addresses)):
        notes.append(f"The {NO_IPV4}.")
    if not site.settings.mail_rspamd:
        notes.append(
            "Without mail_rspamd there are no DKIM keys and no DMARC records: add your own signer's."
        )
    else:
        without = [name for name in known.domains if name not in signed and (not named or name in named)]
        notes += [
            f"{name} has no DKIM keys yet: they are made once it is in the database." for name in without
        ]
    return notes


def _summary(found: Sequence[Finding]) -> str:
    failed = [finding for finding in found if finding.kind != "notice"]
    return _count(failed) if failed else "all records are right"


def _count(found: Sequence[Finding]) -> str:
    kinds = ("missing", "different", "extra")
    counts = {kind: sum(1 for finding in found if finding.kind == kind) for kind in kinds}
    words = {"extra": "too much"}
    return ", ".join(f"{number} {words.get(kind, kind)}" for kind, number in counts.items() if number)


def _lines(found: Sequence[Finding]) -> list[str]:
    return [f"  {text}" for finding in found for text in lines_of(str(finding))]
