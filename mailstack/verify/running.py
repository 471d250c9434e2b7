"""Run the checks on a host, with accounts that exist only meanwhile."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from pyinfra.api.exceptions import OperationError
from pyinfra.context import host

from mailstack import hosts
from mailstack.components.component import Site, site_of
from mailstack.engines import engine_of
from mailstack.engines.locks import explained
from mailstack.engines.postgresql.database import DsnDatabase
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.on_host import verify as program
from mailstack.programs import archive
from mailstack.run import current_host, run_script
from mailstack.shell import script
from mailstack.verify.accounts import PREFIX, Accounts, chosen, domains, removing
from mailstack.verify.plan import plan

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.settings import Settings
    from mailstack.topology import Node

NO_DOMAIN = "there is no active domain in the database: mailstack.accounts.domain creates one"
_LEFT = "the accounts of the checks could not be removed"
"""As verify.sh says it."""


def verified(settings: Settings) -> dict[str, Any]:
    """Return what the checks of the current host have found: ``host``, ``seconds``, ``checks``.

    Raises ``OperationError`` if they can't be run.
    """
    site = site_of(settings, hosts.checked(settings))
    platform = read(PLATFORM)
    accounts, catch_all, left_out = _accounts(site)
    wanted = plan(site, platform, accounts, catch_all=catch_all, left_out=left_out)
    begin, end = ":", ""
    around: AbstractContextManager[None] = nullcontext()
    if accounts is not None:
        begin, end, around = _creating(site, accounts)
    with around:
        found = _run(json.dumps(wanted), begin, f"{end}{unfinished()}")
    return {"host": host.name, **found}


def _creating(site: Site, accounts: Accounts) -> tuple[str, str, AbstractContextManager[None]]:
    """Return scripts that create accounts here and remove them, and a context that does it elsewhere."""
    settings = site.settings
    engine, name, root = engine_of(settings), settings.mail_db_name, settings.mail_home_root
    database = engine.database(settings)
    creating = accounts.creating(engine.dialect, settings.mail_db_owner, root)
    away = removing(engine.dialect, settings.mail_db_owner)
    # Of a run that was killed, mail may be in the queue, and it would bounce to nobody. It goes after the
    # accounts: a delivery between the two would make the directory again
    mail = f"(\n{script('verify_queue_end', PREFIX)}\n)\nrm -rf {shlex.quote(f'{root}/{PREFIX}')}*\n"
    if isinstance(database, DsnDatabase):
        from mailstack.verify.guard import guarded

        return ":", mail, guarded(database, name, creating, away)
    first, last = database.changing(name, creating), database.changing(name, away)
    owner = _owner(site)
    if owner is None:
        return first, f"{_noted(last)}{mail}", nullcontext()
    return ":", mail, _on_another(owner, first, _noted(last))


def _noted(last: str) -> str:
    """Return a script that removes the accounts, and notes whether that worked.

    If the database has refused to create them, it is not asked again: a locked table would take as long.
    """
    return f'if [ -e "${{0%/*}}/refused" ]; then removed=0; else\n{last}\nremoved=$?\nfi\n'


def _accounts(site: Site) -> tuple[Accounts | None, bool, str]:
    """Return accounts, whether their domain has a catch-all, and why there are none."""
    if not site.here.has_mail:
        return None, False, ""
    if site.backends:
        return None, False, "the mailboxes are on several hosts, where they would have to be on each"
    settings = site.settings
    owner = None
    if not site.runs_primary and settings.mail_db_dsn is None:
        owner = _owner(site)
        if owner is None:
            where = f" on {settings.mail_db_host}" if settings.mail_db_host else ""
            return None, False, f"no host of this run has the database{where}, in which they need accounts"
    engine = engine_of(settings)
    sql = engine.dialect.read_rows(domains(engine.dialect))
    answer = engine.database(settings).query(settings.mail_db_name, sql, owner)
    if answer is None:
        return None, False, "the mail database does not answer, in which they need accounts"
    domain, catch_all = chosen(engine.dialect.rows(answer))
    return (Accounts.of(domain), catch_all, "") if domain else (None, False, NO_DOMAIN)


def _owner(site: Site) -> Host | None:
    """Return another host of this run that has the database."""
    if site.runs_primary or site.settings.mail_db_dsn is not None:
        return None
    node = site.topology.database_node(site.settings) or _named(site)
    if node is None or node.name not in site.topology.reached:
        return None
    return hosts.host_of(node)


def _named(site: Site) -> Node | None:
    """Return the host of the inventory that ``mail_db_host`` names, if it is one."""
    nodes = (node for node in site.topology.nodes if node.has_role("db"))
    return next((node for node in nodes if site.settings.mail_db_host in (node.name, node.address)), None)


@contextmanager
def _on_another(owner: Host, first: str, last: str) -> Iterator[None]:
    """Create the accounts on the host with the database, which removes them even if this run is killed."""
    done = run_script(owner, script("verify_accounts", _encoded(first), _encoded(last)))
    if not done.succeeded:
        said = explained(" ".join(done.errors.split()))
        raise OperationError(f"{owner.name}: no accounts for the checks: {said}")
    try:
        yield
    finally:
        done = run_script(owner, script("verify_accounts_end"))
    if not done.succeeded:
        raise OperationError(f"{owner.name}: {_LEFT}: {' '.join(done.errors.split())}")


def unfinished() -> str:
    """Return a script that notes for ``mailstack.status`` that the checks did not end, if they did not.

    The result of an earlier run would look like theirs.
    """
    plan, kept = "/run/mailstack-verify/plan", "/var/lib/mailstack/verify.json"
    note = script("record", "verify", json.dumps(["the checks did not end"]))
    return f"if [ ! -e {kept} ] || [ {plan} -nt {kept} ]; then (\n{note}\n) fi\n"


def _run(wanted: str, begin: str, end: str) -> dict[str, Any]:
    parts = (archive(program), _encoded(wanted), _encoded(begin), _encoded(end))
    done = run_script(current_host(), script("verify", *parts))
    try:
        found: dict[str, Any] = json.loads(done.output.strip().rpartition("\n")[2])
    except ValueError:
        said = " ".join((done.errors or done.output).split())
        raise OperationError(f"the checks ended early: {explained(said) or 'without a word'}") from None
    if _LEFT in done.errors:
        advice = "the next mailstack.verify removes them, once the database takes changes"
        check = _skipped("services", "the accounts of the checks are removed", " ".join(done.errors.split()))
        found["checks"].append({**check, "state": "failed", "advice": advice})
    return found


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _skipped(group: str, title: str, text: str) -> dict[str, Any]:
    return {"group": group, "title": title, "state": "skipped", "text": text, "advice": "", "seconds": 0.0}
