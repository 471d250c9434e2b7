"""The probes of components, and the tables of Postfix."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .results import Problem, Report, Skip
from .run import one_line, run


def probe(report: Report, each: Mapping[str, str]) -> None:
    """Run the probe of a component."""

    def prove() -> None:
        code, _, errors = run(["sh", "-c", each["script"]], timeout=60)
        if code:
            raise Problem(one_line(errors) or "it does not", each["advice"])

    report.check("services", each["title"], prove)


def table(report: Report, each: Mapping[str, Any]) -> None:
    """Ask a table of Postfix for a key that it has, and for one that it does not have.

    + each: with ``hit``, unless the table is empty, and ``secret`` if its answers are not shown
    """
    name, hit, miss = each["name"], each["hit"], each["miss"]
    if hit is not None:
        shown = "its first key" if each["secret"] else _short(hit)
        report.check("maps", f"{name} has {shown}", partial(_known, each), each["advice"])
    report.check("maps", f"{name} has no {miss}", partial(_unknown, each), each["advice"])


def other_table(report: Report, path: str) -> None:
    """Say that a table of an administrator's own component is not asked: its keys are not known."""

    def left_out() -> None:
        raise Skip("it is of a component of your own, which can ask it in a probe (Component.probes)")

    report.check("maps", path, left_out)


def _short(key: str) -> str:
    return key if len(key) < 60 else f"{key[:8]}…{key[-16:]}"


def _known(each: Mapping[str, Any]) -> str:
    found, expected = _asked(each, each["hit"]), each["expected"]
    if not found:
        raise Problem("there is no answer")
    shown = "…" if each["secret"] else one_line(found)
    if expected and expected not in (found, *found.split(",")) and not found.startswith(f"{expected} "):
        raise Problem(f"the answer is {shown}, and should be {expected}")
    return shown


def _unknown(each: Mapping[str, Any]) -> None:
    if found := _asked(each, each["miss"]):
        raise Problem(f"the answer is {one_line(found)}, and there should be none")


def _asked(each: Mapping[str, Any], key: str) -> str:
    """Return what postmap(1) says, as the user of Postfix. Its errors are an answer that fails."""
    as_postfix = ["setpriv", "--reuid=postfix", "--regid=postfix", "--init-groups", "--"]
    ask = ["env", *each["environment"], "postmap", "-q", key, each["table"]]
    status, found, errors = run(ask if each["as_root"] else [*as_postfix, *ask])
    if errors.strip() or status not in (0, 1):  # 1: the table does not have it
        raise Problem(one_line(errors) or f"postmap ended with status {status}")
    return found.strip()


def login(report: Report, user: str, password: str, nobody: str) -> None:
    """Have Dovecot check a password, a wrong one, and a user that does not exist."""
    advice = "journalctl -u dovecot says why; mailstack.accounts.show USER says whether a user may log in"

    def right() -> None:
        _allowed(user, password, wanted=True)

    def wrong() -> None:
        _allowed(user, f"{password}x", wanted=False)

    def unknown() -> None:
        _, said, errors = run(["doveadm", "-o", "stats_writer_socket_path=", "user", nobody])
        if "exist" not in said + errors:
            raise Problem(one_line(errors or said) or "Dovecot finds it")

    report.check("maps", "Dovecot takes the right password", right, advice)
    report.check("maps", "Dovecot takes no wrong password", wrong, advice)
    report.check("maps", "Dovecot knows no user that is not there", unknown, advice)


def _allowed(user: str, password: str, *, wanted: bool) -> None:
    """Check a password by doveadm(1), which reads it from its input: others see its arguments."""
    command = ["doveadm", "-o", "stats_writer_socket_path=", "auth", "test", user]
    _, said, errors = run(command, data=f"{password}\n")
    if ("auth succeeded" in said + errors) != wanted:
        raise Problem(one_line((errors or said).replace(password, "…")))
