"""docs/reliability.md: a section for each part of the suite, with its table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from bench import report
from faults.resources import MOST_FILES, MOST_MEBIBYTES
from faults.row import SESSIONS, Outcome, Row
from tests.targets import images
from tests.targets.shell import ROOT

PAGE = ROOT / "docs" / "reliability.md"
_COLUMNS = (
    "what happened",
    "Debian",
    "first 250",
    "logins again",
    "accepted",
    "delivered",
    "lost",
    "doubled",
    "refused",
    "held more",
)
HEAD = f"""# Reliability

What became of mail as parts of a server failed. `make faults` writes this page. It deploys a server of each
Debian with everything that handles mail, and lets each of these happen while {SESSIONS} sessions send
numbered messages. The servers share the machine, and their rows run at the same time. A client that is
refused for now sends its message again until the server takes it. Afterwards all mailboxes are read, and
each text is compared byte for byte.

- *first 250, logins again*: seconds until the first message is accepted after the cause is gone, and
  until logins by SMTP and by IMAP work.
- *accepted*: messages that got a 250. *delivered*: those of them that are in a mailbox. *lost*: those
  that are in none, nor in the queue.
- *doubled*: messages of which a mailbox has two. *sent again*: the connection broke after the server had
  the message and before the client heard so. *delivered again*: the same between Postfix and Dovecot.
  SMTP can't exclude either (RFC 1047).
- *refused*: answers to clients on port 25 by code, and attempts without an answer. A client waits 20 seconds
  for an answer, also for that of an address that the server no longer has.
- *held more*: open files and memory that processes hold afterwards, and did not hold before. Only processes
  that lived all the while count.

A lost or changed message, a double without one of these reasons, a final refusal (5xx), and a login that
calls a good password wrong are broken promises. So is a process that holds {MOST_FILES} files or
{MOST_MEBIBYTES} MiB more. The suite fails then, and names them below the table. There is one exception: a
login by SMTP whose session had begun before Dovecot stopped, or on Debian 12 the database
([troubleshooting.md](troubleshooting.md#senders-get-451-users-cant-log-in)).

`docker kill` ends all processes of a host at once, but the machine below it goes on. So it can't show
that a message is on the disk when the 250 is sent: `tests/integration/faults/test_durability.py` traces
that. Disks that are full are file systems in memory. The clock that jumps is that of all programs but
systemd, by a library below them. The kernel's own goes on, and from it files have their times.

"""


def section(part: str, outcomes: Sequence[Outcome]) -> str:
    """Return the section of one part: its table, and what was wrong."""
    in_order = sorted(
        outcomes, key=lambda each: ([other.row for other in outcomes].index(each.row), each.debian)
    )
    table = report.Table("", _COLUMNS, [cells(each) for each in in_order], _problems(in_order))
    return report.section(part, report.conditions(), [table])


def cells(outcome: Outcome) -> list[str]:
    """Return the cells of a row."""
    counted = outcome.tally
    logins = [seconds for port, seconds in outcome.back.items() if port != "25"]
    numbers = [
        str(len(counted.accepted)),
        str(len(counted.accepted & counted.copies.keys())),
        str(len(counted.lost)),
        _said(outcome.doubled),
    ]
    return [
        outcome.row.what,
        str(outcome.debian),
        f"{outcome.back['25']:.1f} s" if outcome.back else "not",
        f"{max(logins):.1f} s" if logins else "not",
        *(numbers if counted.accepted else ["not counted"] * len(numbers)),
        _said(outcome.codes),
        f"{outcome.grown.files} files, {outcome.grown.memory} MiB",
    ]


def line(outcome: Outcome) -> str:
    """Return what was seen of a row, for the terminal."""
    shown = "; ".join(
        f"{name} {cell}" for name, cell in zip(_COLUMNS[1:], cells(outcome)[1:], strict=True) if cell
    )
    wrong = "".join(f"\n  PROBLEM {problem}" for problem in outcome.problems)
    return f"{outcome.row.name}: {shown}{wrong}"


def keep(part: str, text: str, rows: Mapping[str, Sequence[Row]]) -> None:
    """Put the section of a part in the page, instead of its older one; all are in the order of the parts.

    + rows: the rows of all parts, by title
    """
    report.keep(part, text, PAGE, HEAD)
    page = PAGE.read_text()
    found = {each.partition("\n")[0]: each for each in re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]}
    in_order = [found[title].strip() + "\n" for name in rows if (title := f"## {name}") in found]
    PAGE.write_text(HEAD + not_run(page, rows) + "\n".join(in_order))


def not_run(page: str, rows: Mapping[str, Sequence[Row]]) -> str:
    """Return what the page says of rows that it lacks: not run, or newer than the last run of their part."""
    lines = []
    for part, own in rows.items():
        missing = {
            debian: sum(f"| {row.what} | {debian} |" not in page for row in own)
            for debian in sorted(images.CODENAMES)
        }
        said = [
            f"Debian {debian}: {f'{len(own) - left} of {len(own)} rows' if left < len(own) else 'not'} run"
            for debian, left in missing.items()
            if left
        ]
        if said:
            lines.append(f"- *{part}*. {'; '.join(said)}.")
    return "\n".join(["Not everything was run for this page:", "", *lines, "", ""]) if lines else ""


def _said(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counted.items())) or "0"


def _problems(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(
        f"- **Broken promise**, Debian {each.debian}, “{each.row.what}”: {problem.splitlines()[0]}"
        for each in outcomes
        for problem in each.problems
    )
