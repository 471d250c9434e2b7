"""Cost against size: what 10, 1,000 and 100,000 mailboxes cost in lookups, room, and runs of pyinfra.

What hosts cost is in a table of the part `many`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import Table, median
from mailstack import Settings
from mailstack.components import postfix_sql
from mailstack.engines.contract import DOVECOT
from mailstack.engines.postgresql import lookups
from tests.support import bulk_accounts, sample_accounts
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.pyinfra import PYINFRA
from tests.targets.shell import ROOT, TargetError

PART = "Growth"
SIZES = (10, 1_000, 100_000)
DEBIAN = 13
#: The number of keys for EXPLAIN, and for postmap(1).
EXPLAINED, ASKED = 25, 2_000
#: Above this number of mailboxes, a run of pyinfra is measured once.
ONCE = 10_000


@dataclass(frozen=True)
class Crowd:
    """A number of mailboxes and aliases; each tenth alias leads to another alias.

    + in_a_domain: how many of each a domain has
    """

    size: int
    in_a_domain: int = 100

    def address(self, name: str, number: int) -> str:
        """Return the address of the mailbox (`user`) or `alias` with this number, from 0 on."""
        return f"{name}{number}@domain{number // self.in_a_domain}.example"

    def declared(self) -> dict[str, Any]:
        """Return the accounts as an inventory has them."""
        numbers = range(self.size)
        return {
            "mail_domains": [
                f"domain{number}.example" for number in range(-(-self.size // self.in_a_domain))
            ],
            "mail_users": [
                {"email": self.address("user", number), "password_hash": bulk_accounts.PASSWORD_HASH}
                for number in numbers
            ],
            "mail_aliases": {
                self.address("alias", number): (
                    self.address("alias", number - 1) if number % 10 == 9 else self.address("user", number)
                )
                for number in numbers
            },
        }

    def sql(self) -> str:
        """Return the same, made by SQL."""
        numbers = f"FROM generate_series(0, {self.size - 1}) AS n"
        domain = f"n / {self.in_a_domain}"
        address = f"format('{{}}%s@domain%s.example', n{{}}, {domain})"
        user, alias, other = (address.format(*of) for of in (("user", ""), ("alias", ""), ("alias", " - 1")))
        return f"""
INSERT INTO mail_domain (domain_name) SELECT DISTINCT format('domain%s.example', {domain}) {numbers};
INSERT INTO mail_users (email, password) SELECT {user}, '{bulk_accounts.PASSWORD_HASH}' {numbers};
INSERT INTO mail_alias (source_email, destination_email)
    SELECT {alias}, CASE n % 10 WHEN 9 THEN {other} ELSE {user} END {numbers};
"""

    def some(self, name: str, count: int) -> list[str]:
        """Return `count` evenly spread addresses, repeated if there are fewer. `name` as for `address`."""
        return [self.address(name, place * self.size // count) for place in range(count)]


@dataclass(frozen=True)
class Runs:
    """Runs of pyinfra against one server.

    + folder: the directory for inventories
    """

    target: Target
    folder: Path

    def run(self, accounts: Mapping[str, Any], *deploy: str) -> tuple[float, float]:
        """Run `deploy`, or the whole server's; seconds, and the most memory that it took, in MiB."""
        data, inventory, log = (self.folder / name for name in ("data.json", "inventory.py", "log"))
        data.write_text(json.dumps({"mail_hostname": sample_accounts.HOSTNAME, **accounts}))
        # JSON, because compiling so many literals would take Python longer than everything else
        load = f"json.load(open({str(data)!r}))"
        inventory.write_text(f"import json\nhosts = [('@docker/{self.target.name}', {load})]\n")
        start = time.monotonic()
        with log.open("w") as said:
            argv = [PYINFRA, str(inventory), "-y", *(deploy or ("deploy.py",))]
            process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise TargetError(f"pyinfra: exit {process.returncode}\n{log.read_text()[-4000:]}")
        return time.monotonic() - start, usage.ru_maxrss / 1024

    def unchanged(self, accounts: Mapping[str, Any], size: int) -> str:
        """Return time and memory of an unchanged run after one with these; medians for a small `size`."""
        self.run(accounts)
        measured = [self.run(accounts) for _ in range(1 if size > ONCE else 5)]
        seconds, memory = (statistics.median(values) for values in zip(*measured, strict=True))
        return f"{seconds:.1f} s, {memory:,.0f} MiB"


def measure() -> list[Table]:
    """Measure one server as it grows."""
    target = Target(f"{networks.TEST_NAME}-bench-growth", DEBIAN, networks.test(DEBIAN))
    with tempfile.TemporaryDirectory(prefix="mailstack-") as folder:
        try:
            runs = Runs(target.create(), Path(folder))
            runs.run({})
            asked = {size: _lookups(target, Crowd(size)) for size in SIZES}
            ran = {size: _runs(runs, Crowd(size)) for size in SIZES}
        finally:
            target.remove()
    columns = ["mailboxes, and as many aliases", *(f"{size:,}" for size in SIZES)]
    return [
        Table("Lookups and room", columns, _rows(asked), _ABOUT_LOOKUPS),
        Table("Runs of pyinfra", columns, _rows(ran), _ABOUT_RUNS),
    ]


_ABOUT_LOOKUPS = (
    "By PostgreSQL: to plan and execute what Postfix and Dovecot ask, and pages of 8 KiB that it looked at. "
    "By proxymap: `postmap -q -` through the running proxymap(8), for each of many keys. Medians."
)
_ABOUT_RUNS = (
    "Seconds of a whole run over `@docker`, pyinfra's start included, and the most memory that it took."
)


def _rows(measured: Mapping[int, Mapping[str, str]]) -> list[list[str]]:
    """Return the measurements of each size as a table, with a row for each quantity."""
    return [[name, *(cells[name] for cells in measured.values())] for name in measured[SIZES[0]]]


def _lookups(target: Target, people: Crowd) -> dict[str, str]:
    start = time.monotonic()
    _sql(target, f"BEGIN; TRUNCATE mail_domain CASCADE; {people.sql()} COMMIT;")
    cells = {"all rows made by SQL": f"{time.monotonic() - start:.1f} s"}
    _sql(target, "VACUUM ANALYZE")
    cells["size of the database"] = _sql(target, "SELECT pg_size_pretty(pg_database_size('mail'))")
    for what, table, name in (
        ("mailbox", "virtual_aliases", "user"),
        ("alias", "virtual_aliases", "alias"),
        ("nobody", "virtual_aliases", "nobody"),
        ("sender", "sender_logins", "user"),
    ):
        query = postfix_sql.queries(_SETTINGS)[table]
        keys = people.some(name, EXPLAINED)
        cells[f"{what}, by PostgreSQL"] = _explained(target, [_of_postfix(query, key) for key in keys])
        cells[f"{what}, by proxymap"] = _postmap(target, table, people.some(name, ASKED))
    for what, query, service in (
        ("login", lookups.dovecot_password(_SETTINGS, "2.3"), "imap"),
        ("delivery", lookups.dovecot_user(_SETTINGS, "2.3"), "lmtp"),
        ("quota of an alias", lookups.dovecot_user(_SETTINGS, "2.3"), "quota-status"),
    ):
        keys = people.some("alias" if service == "quota-status" else "user", EXPLAINED)
        explained = _explained(target, [_of_dovecot(query, key, service) for key in keys])
        cells[f"{what}, by PostgreSQL"] = explained
    seconds = median(lambda: _seconds(target, "doveadm user '*' >/dev/null"))
    return {**cells, "every user, by `doveadm user '*'`": f"{seconds:.2f} s"}


_SETTINGS = Settings.from_data({"mail_hostname": sample_accounts.HOSTNAME})


def _of_postfix(query: str, address: str) -> str:
    """Return the query as pgsql_table(5) asks it."""
    user, _, domain = address.partition("@")
    return query.replace("%s", address).replace("%u", user).replace("%d", domain)


def _of_dovecot(query: str, address: str, service: str) -> str:
    """Return the query as Dovecot 2.3 asks it."""
    user, _, domain = address.partition("@")
    name = DOVECOT["2.3"]
    for variable, value in {
        name.user: address,
        name.local_part: user,
        name.domain: domain,
        name.service: service,
    }.items():
        query = query.replace(variable, value)
    return query


def _explained(target: Target, queries: Sequence[str]) -> str:
    explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING off, SUMMARY, FORMAT JSON)"
    plans = list(_documents(_sql(target, "".join(f"{explain} {query};\n" for query in queries))))
    milliseconds = statistics.median(plan["Planning Time"] + plan["Execution Time"] for plan in plans)
    pages = statistics.median(
        plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] for plan in plans
    )
    return f"{milliseconds:.2f} ms, {pages:.0f} pages"


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield the documents that EXPLAIN printed."""
    while text := text.lstrip():
        (found,), end = json.JSONDecoder().raw_decode(text)
        yield found
        text = text[end:]


def _postmap(target: Target, table: str, keys: Sequence[str]) -> str:
    target.write("/tmp/keys", "".join(f"{key}\n" for key in keys).encode())
    command = f"postmap -q - proxy:pgsql:/etc/postfix/sql/{table}.cf </tmp/keys >/dev/null"
    # postmap exits with 1 if it finds nothing
    seconds = median(lambda: _seconds(target, f"{command} || test $? = 1"))
    return f"{seconds / len(keys) * 1000:.2f} ms"


def _sql(target: Target, statements: str) -> str:
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "mail"]
    return target.exec(psql, input=statements, timeout=900).stdout.strip()


def _seconds(target: Target, command: str) -> float:
    """Return how long a command takes on the host itself."""
    clock = "date +%s%N"
    began, ended = target.exec(f"{clock}; {command}; {clock}", timeout=300).stdout.split()
    return (int(ended) - int(began)) / 1e9


def _runs(runs: Runs, people: Crowd) -> dict[str, str]:
    empty = "TRUNCATE mail_domain CASCADE"
    everyone = people.declared()
    _sql(runs.target, empty)
    moved, _ = runs.run(everyone)
    cells = {
        "all declared: they move in": f"{moved:.1f} s",
        "all declared: nothing to change": runs.unchanged(everyone, people.size),
    }
    ten = Crowd(10).declared()
    cells["ten declared, the others only in the database"] = runs.unchanged(ten, people.size)
    cells["none declared"] = runs.unchanged({}, people.size)
    alias = ("mailstack.accounts.alias", "one@domain0.example", "user0@domain0.example")
    runs.run({}, *alias)
    seconds, _ = runs.run({}, *alias)
    cells["one by the command line"] = f"{seconds:.1f} s"
    return cells
