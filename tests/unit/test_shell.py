"""Scripts reach sh(1) completely, with any login shell."""

from __future__ import annotations

import re
import subprocess

import pytest

from mailstack.shell import shell
from tests.targets.shell import ROOT


def given(script: str, data: str | None = None) -> str:
    """Return the input of sh(1)."""
    command = shell(script, data)
    assert str(command) == "sh", "nothing for a login shell to misread"
    text = command.connector_arguments.get("_stdin")
    assert isinstance(text, str)
    return text


def run(text: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a connector does."""
    return subprocess.run(["sh"], input=text, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("data", ["", "one", "two\nlines\n", "$HOME `id` 'quoted' \\ end\n", "x" * 300_000])
def test_data_arrives_as_it_is(data: str) -> None:
    done = run(given("cat; exit 3", data))
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == data.removesuffix("\n") + "\n"


def test_a_script_without_data_reads_nothing_of_itself() -> None:
    assert run(given("cat\necho 'what!'\n")).stdout == "what!\n"


def test_half_a_script_does_nothing() -> None:
    text = given("echo done\necho more")
    assert run(text[: text.index("more")]).stdout == ""


def test_nothing_else_is_left_to_a_login_shell() -> None:
    commands = {
        match
        for path in (ROOT / "mailstack").rglob("*.py")
        for match in re.findall(r"StringCommand\(\s*(.*)", path.read_text())
    }
    assert {command[:4] for command in commands} == {'"sh"', '"tru'}
