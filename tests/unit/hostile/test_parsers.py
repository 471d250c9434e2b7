"""Output of hosts and lines of journals with anything in them: a value or the right error, and soon."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as cases
from hypothesis import strategies as st
from pyinfra.api.exceptions import FactProcessError

from mailstack.facts.fact import Fact
from mailstack.on_host import guesses
from mailstack.on_host.metrics.counting import COUNTERS, Counts
from mailstack.shell import script, with_input
from mailstack.text import lines_of, printable, table
from mailstack.tracing.lines import entries
from mailstack.tracing.messages import gathered
from mailstack.tracing.printed import as_json, as_text
from mailstack.tracing.selection import selected
from tests.support.hostile import CASES, QUICK, changed, check_each, texts
from tests.unit.test_facts_parsing import ANSWERS
from tests.unit.test_trace import journal

SLOW = cases(max_examples=max(CASES // 10, QUICK // 2))
JOURNAL = journal(13).split("\n")


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_facts(number: int) -> None:
    fact: Fact[Any]
    fact, output, _ = ANSWERS[number]
    whole = output or "\n"

    def check(text: str) -> None:
        try:
            fact.answer(text)
        except FactProcessError as error:
            assert "\n" not in str(error)

    # also cut off anywhere, and without a line
    cut = st.integers(0, len(whole)).map(lambda at: whole[:at])
    less = st.integers(0, whole.count("\n")).map(
        lambda at: "\n".join(whole.split("\n")[:at] + whole.split("\n")[at + 1 :])
    )
    check_each(st.one_of(changed(whole), cut, less), check)


def hostile_lines() -> st.SearchStrategy[str]:
    """Return a line of a real journal with hostile text in it."""
    return st.builds(
        lambda at, line, text: f"{line[:at]}{text}{line[at:]}",
        st.integers(0, 300),
        st.sampled_from(JOURNAL),
        texts(),
    )


@SLOW
@given(lines=st.lists(hostile_lines(), min_size=1, max_size=4))
def test_traces(lines: list[str]) -> None:
    text = "\n".join([*JOURNAL[:150], *lines])
    found = gathered(entries("mail", text.split("\n")))
    for wanted in ("alice@example.org", "m1@remote.example.net", "0"):
        shown = as_text(selected(found, wanted))
        assert all(line.isprintable() for line in shown.split("\n"))
        as_json(selected(found, wanted))


@given(line=hostile_lines())
def test_counted_lines(line: str) -> None:
    kept: dict[str, Any] = {}
    counts = Counts(kept)
    for entry in entries("mail", [line]):
        counts.take(entry.program, entry.text)
    assert {name.partition(" ")[0] for name in kept["counted"]} <= COUNTERS.keys()
    samples = [
        label for metric in counts.metrics() for labels, _ in metric.samples for label in labels.values()
    ]
    assert all(re.fullmatch("[a-z0-9_]+", label) for label in samples)


#: What a stranger repeats within a line, each after the beginning of a real one.
REPEATED = (
    "; from=<",
    "; from=<>",
    "> to=<",
    ">, to=<x>",
    "<",
    ">: ",
    ": ",
    ", ",
    "msgid=: ",
    " said: ",
    "[",
    "(",
    "A(1)",
)
STARTS = (
    "postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 ",
    "postfix/smtpd[1]: 4cXyz123456789: client=x[192.0.2.1], sasl_username=",
    "postfix/cleanup[1]: 4cXyz123456789: message-id=",
    "postfix/cleanup[1]: 4cXyz123456789: milter-reject: END-OF-MESSAGE from x: ",
    "postfix/smtp[1]: 4cXyz123456789: to=<",
    "postfix/smtp[1]: 4cXyz123456789: to=<a@b>, relay=x, delay=1, dsn=2.0.0, status=sent (",
    "postfix/smtpd[1]: disconnect from ",
    "dovecot[1]: lmtp(a@b)<1><x>: msgid=",
    "dovecot[1]: imap-login: Login: user=<",
    "dovecot[1]: imap-login: ",
    "rspamd[1]: <x>; task; rspamd_task_write_log: id: ",
    "rspamd[1]: <x>; rspamd_task_write_log: id: x, qid: <4cXyz123456789>, (default: F (no action): [0/1] [",
)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("repeated", REPEATED)
def test_a_long_line_takes_no_longer_than_it_should(start: str, repeated: str) -> None:
    """Of 8,000 characters, more than Postfix logs of an address."""
    line = f"1764400000.000001 {start}{repeated * (8000 // len(repeated))}"
    began = time.process_time()
    as_text(selected(gathered(entries("mail", [line])), "a@b"))
    for entry in entries("mail", [line]):
        Counts({}).take(entry.program, entry.text)
    assert time.process_time() - began < 1


@given(text=texts())
def test_text_for_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    shown = table(["NAME", "VALUE"], [[text, "x"], ["y", text]])
    assert shown.count("\n") == 3
    assert shown.replace("\n", "").isprintable()
    assert "".join(f"{line}\n" for line in lines_of(text)) in (text, f"{text}\n")


@SLOW
@given(
    text=texts(), address=st.sampled_from(["192.0.2.1", "2001:db8::1"]) | changed("192.0.2.1", "fe80::1%x")
)
def test_guesses(tmp_path_factory: pytest.TempPathFactory, text: str, address: str) -> None:
    state = tmp_path_factory.mktemp("guesses")
    argument = text.replace("\0", "")  # no process gets it
    try:
        name = guesses.key(address)
    except ValueError:
        return
    for folder in ("guesses", "good"):
        (state / folder).mkdir()
    if "/" in name or "\0" in name:
        raise AssertionError(f"a path: {name!r}")
    (state / "guesses" / name).write_text(f"\u00b2\tx\n{text}\n12\ty\n", "utf-8")
    assert guesses.count(10, "", address, argument, "ab", state) in (0, guesses.TOO_MANY)
    assert guesses.count(2, "", address, f"{argument}x", "ab", state) == guesses.TOO_MANY
    assert [path.parent.name for path in state.rglob("*") if path.is_file()] == ["banned"]


@SLOW
@given(data=texts(), argument=texts())
def test_scripts_get_their_data_and_arguments(data: str, argument: str) -> None:
    data, argument = (text.replace("\0", "") for text in (data, argument))
    text = script("record", argument, data)
    head = text.removesuffix((Path("mailstack/shell/record.sh")).read_text())
    assert head != text
    show = f"{head}printf '%s\\0' \"$@\"; cat"
    done = subprocess.run(["sh"], input=with_input(show, data).encode(), capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.decode() == f"{argument}\0{data}\0{data.removesuffix(chr(10))}\n"
