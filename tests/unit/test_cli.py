"""The console command `mailstack`: its commands are those of pyinfra, and no host is asked here."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from mailstack import run
from mailstack.cli import start
from mailstack.cli.examples import in_short
from mailstack.cli.main import SHELLS, mailstack
from mailstack.cli.options import SHARED
from mailstack.cli.verbs import Verb, find, names
from tests.support import snippets
from tests.targets.shell import ROOT

VERBS = [verb for name in names() for verb in (find(name).own, *find(name).further.values()) if verb]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "mailstack").rglob("*.py")]
COMMAND = re.compile(r"pyinfra (-y )?(?:INVENTORY|@local) (mailstack[.][a-z_.]*[a-z])")


def leaves(command: click.Command, path: Sequence[str] = ()) -> dict[str, click.Command]:
    """Return all commands that do something, by what is typed."""
    found = (
        {}
        if isinstance(command, click.Group) and not command.invoke_without_command
        else {" ".join(path): command}
    )
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below, name
            found |= leaves(below, (*path, name))
    return found


LEAVES = leaves(mailstack)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the list of what pyinfra is called with."""
    calls: list[list[str]] = []

    def command_line(arguments: Sequence[str]) -> int:
        calls.append([*arguments])
        return 0

    monkeypatch.setattr(run, "command_line", command_line)
    monkeypatch.setattr(start, "has_terminal", lambda: True)
    return calls


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with an inventory and a deploy."""
    monkeypatch.chdir(tmp_path)
    for name in ("inventory.py", "deploy.py"):
        (tmp_path / name).touch()
    return tmp_path


def invoke(*words: str, **options: Any) -> Result:
    return CliRunner().invoke(mailstack, words, prog_name="mailstack", **options)


def test_every_command_of_pyinfra_is_here() -> None:
    """Those in the documentation, found by their text."""
    found = {path for page in PAGES for _, path in COMMAND.findall(page.read_text())}
    here = {verb.path for verb in VERBS}
    assert found - here == set()
    assert len(here) > 30
    assert not {"mailstack.accounts.declared", "mailstack.dns.warn", "mailstack.postfix.deploy"} & here


def test_a_new_command_appears_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailstack import ban

    monkeypatch.setattr(ban, "forget", ban.add, raising=False)
    monkeypatch.setattr(ban, "__all__", [*ban.__all__, "forget"])
    from mailstack.cli import verbs

    verbs._of_module.cache_clear()
    try:
        assert "ban forget" in leaves(mailstack)
    finally:
        monkeypatch.undo()
        verbs._of_module.cache_clear()


@pytest.mark.parametrize("typed", sorted(LEAVES))
def test_each_has_help_and_examples_that_can_be_typed(typed: str) -> None:
    said = invoke(*typed.split(), "--help")
    assert said.exit_code == 0
    examples = re.findall(r"^ +(mailstack .*)$", said.output.partition("Examples:")[2], re.MULTILINE)
    assert examples
    assert re.search(r"^ +Examples:$", said.output, re.MULTILINE)
    for example in examples:
        assert example.startswith(f"mailstack {typed}")
        words = shlex.split(example.partition(">")[0], comments=True)[1 + len(typed.split()) :]
        LEAVES[typed].make_context(typed, words, resilient_parsing=typed == "init")


def test_no_help_shows_marks_of_click_or_errors_of_python() -> None:
    for command in (mailstack, *LEAVES.values()):
        with click.Context(command) as context:
            assert not re.search(r"\\b|Raises|OperationValueError", command.get_help(context)), command.name


@pytest.mark.parametrize("typed", sorted(each for each in LEAVES if each.endswith((" add", " remove"))))
def test_add_and_remove_say_which_they_are(typed: str) -> None:
    assert (LEAVES[typed].help or "").startswith(
        ("Add or change", "Shut out") if " add" in typed else ("Remove", "Let")
    )


def typed_and_rest(words: list[str]) -> tuple[str, list[str]]:
    """Return which command the words begin with, and the others."""
    begun = [each for each in LEAVES if words[: len(each.split())] == each.split()]
    assert begun, words
    typed = max(begun, key=len)
    return typed, words[len(typed.split()) :]


@pytest.mark.parametrize("page", snippets.PAGES, ids=snippets.name)
def test_the_documented_commands_can_be_typed(page: Path) -> None:
    for program, *words in snippets.commands(page):
        if program == "mailstack":
            typed, rest = typed_and_rest(words)
            options = [word for word in rest if word != "--help"]
            lenient = typed == "init" or options != rest
            LEAVES[typed].make_context(typed, options, resilient_parsing=lenient)
    for words in snippets.in_sentences(page):
        assert any(each.startswith(" ".join(words[:1])) for each in LEAVES), words


def test_the_documented_commands_are_found() -> None:
    found = [words for page in snippets.PAGES for words in snippets.commands(page) if words[0] == "mailstack"]
    assert len(found) > 50
    assert ["mailstack", "postfixadmin", "postfixadmin.dump", "--dry"] in found


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.path)
def test_no_option_hides_one_of_all_commands(verb: Verb) -> None:
    for command in LEAVES.values():
        options = [name for one in command.params for name in (*one.opts, *one.secondary_opts)]
        assert len(options) == len(set(options)), command.name
    described = {one.name for one in verb.parameters}
    assert not described & {option.name for option in SHARED}


def test_what_only_looks_is_documented_without_a_question() -> None:
    marked = {verb.path: verb.only_looks for verb in VERBS}
    for page in PAGES:
        for yes, path in COMMAND.findall(page.read_text()):
            assert bool(yes) == marked[path], (page.name, path)


@pytest.mark.parametrize(
    ("typed", "path", "words", "named"),
    [
        (
            "user add a@example.org --quota-mb 0 --no-active",
            "accounts.user",
            [],
            {"email": "a@example.org", "quota_mb": 0, "active": False},
        ),
        (
            "user remove a@example.org --delete-mail",
            "accounts.user",
            [],
            {"email": "a@example.org", "delete_mail": True, "present": False},
        ),
        (
            "alias add i@example.org a@example.org b@example.org",
            "accounts.alias",
            [],
            {"source_email": "i@example.org", "destinations": ["a@example.org", "b@example.org"]},
        ),
        ("list --over 80 --json", "accounts.list", [], {"over": 80, "format": "json"}),
        ("trace 0123456789 --since 2h", "trace", [], {"message": "0123456789", "since": "2h"}),
        ("trace SRS0=a=b@example.org", "trace", [], {"message": "SRS0=a=b@example.org"}),
        ("status --no-changes", "status", [], {"changes": False}),
        (
            "dns zone example.org example.com --format table",
            "dns.zone",
            ["example.org", "example.com"],
            {"format": "table"},
        ),
        ("dkim retire example.org --now", "dkim.retire", [], {"domain": "example.org", "now": True}),
        (
            "import-mail all --source mbox:/x --exclude Trash --exclude Junk",
            "accounts.import_mail",
            [],
            {"users": "all", "source": "mbox:/x", "exclude": ["Trash", "Junk"]},
        ),
        ("verify", "verify", [], {}),
        ("restore --at 12345e67", "restore", [], {"at": "12345e67"}),
    ],
)
def test_the_call(
    typed: str, path: str, words: list[str], named: dict[str, Any], called: list[list[str]], folder: Path
) -> None:
    assert invoke(*typed.split()).exit_code == 0
    (call,) = called
    assert call[-3:-1] == ["inventory.py", f"mailstack.{path}"]
    assert json.loads(call[-1]) == [words, named]


@pytest.mark.parametrize(
    ("typed", "switches"),
    [
        ("status", ["--yes", "--", "inventory.py"]),
        ("backup now", ["--", "inventory.py"]),
        ("backup now --json", ["--json", "--", "inventory.py"]),
        ("backup now -y -vv --limit a --limit b", ["--yes", "-v", "-v", "--limit=a", "--limit=b", "--"]),
        ("verify from-outside example.org", ["--yes", "--", "@local"]),
        ("metrics files x --inventory other.py", ["--yes", "--", "other.py"]),
        ("deploy --dry --diff", ["--dry", "--diff", "--", "inventory.py", "deploy.py"]),
    ],
)
def test_what_pyinfra_is_told(typed: str, switches: list[str], called: list[list[str]], folder: Path) -> None:
    assert invoke(*typed.split()).exit_code == 0
    assert called[0][: len(switches)] == switches


def test_the_deploy_beside_the_inventory(
    called: list[list[str]],
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("MAILSTACK_INVENTORY", str(folder / "inventory.py"))
    assert invoke("deploy").exit_code == 0
    assert called[0][-2:] == [str(folder / "inventory.py"), str(folder / "deploy.py")]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("accounts", "No such command 'accounts'"),
        ("trace", "Missing argument 'MESSAGE'"),
        ("user add a@example.org --quota 5", "No such option"),
        ("user add a@example.org --password x", "No such option"),
        ("user add a@example.org --quota-mb much", "'much' is not a valid integer"),
        ("export a@example.org", "Missing option '--to'"),
        ("status", "there is no inventory.py in"),
        ("deploy", "there is no deploy.py in"),
    ],
)
def test_wrong_usage(
    typed: str, said: str, called: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*typed.split())
    assert (result.exit_code, called) == (2, [])
    assert said in " ".join(result.output.split())


def test_hosts_one_after_the_other(folder: Path, called: list[list[str]]) -> None:
    assert invoke("deploy", "-y", "--serial").exit_code == 0
    assert called == [["--yes", "--serial", "--fail-percent=0", "--", "inventory.py", "deploy.py"]]


@pytest.mark.parametrize("typed", ["import-mail --no-tls-verify", "import_mail --no-tls_verify"])
def test_names_may_be_those_of_messages(typed: str, called: list[list[str]], folder: Path) -> None:
    name, option = typed.split()
    assert invoke(name, "a@example.org", option, "--source", "mbox:/srv/mbox", "-y").exit_code == 0
    assert called[0][-2] == "mailstack.accounts.import_mail"
    assert json.loads(called[0][-1])[1]["tls_verify"] is False


def test_without_a_terminal_nobody_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "command_line", lambda arguments: 0)
    result = invoke("deploy")
    assert result.exit_code == 2
    assert "no terminal to ask at: -y makes the changes" in result.output
    assert [invoke("deploy", option).exit_code for option in ("-y", "--dry")] == [0, 0]


@pytest.mark.parametrize(
    ("command", "short"),
    [
        ("pyinfra INVENTORY mailstack.accounts.user a@b.org present=false", "mailstack user remove a@b.org"),
        (
            "pyinfra -y INVENTORY mailstack.accounts.list users over=80 format=json",
            "mailstack list users --over 80 --json",
        ),
        ("pyinfra INVENTORY mailstack.status changes=false", "mailstack status --no-changes"),
        ("pyinfra INVENTORY mailstack.trace message='a=b@c.org'", "mailstack trace a=b@c.org"),
        (
            """pyinfra INVENTORY mailstack.accounts.alias a@b.org '["c@d.org", "e@f.org"]'  # x""",
            "mailstack alias add a@b.org c@d.org e@f.org",
        ),
        ("pyinfra -y @local mailstack.verify.from_outside b.org", "mailstack verify from-outside b.org"),
    ],
)
def test_short_forms(command: str, short: str) -> None:
    assert in_short(command) == short


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_for_a_shell(shell: str) -> None:
    result = invoke("completion", shell)
    assert result.exit_code == 0
    assert f"_MAILSTACK_COMPLETE={shell}_complete" in result.output


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ([], "sta", {"status"}),
        (["user"], "", {"add", "remove"}),
        (["backup"], "p", {"password"}),
        (["trace"], "--si", {"--since"}),
        (["status"], "--no", {"--no-changes"}),
        (["completion"], "z", {"zsh"}),
    ],
)
def test_completion(words: list[str], incomplete: str, expected: set[str]) -> None:
    completing = ShellComplete(mailstack, {}, "mailstack", "_MAILSTACK_COMPLETE")
    assert {item.value for item in completing.get_completions(words, incomplete)} == expected


def test_the_version() -> None:
    assert re.fullmatch(r"mailstack \d+\.\d+\.\d+\S*\n", invoke("--version").output)


ANSWERS = ["--host", "mail.example.org", "--domain", "example.org", "--user", "alice@example.org"]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inventory(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    exec((folder / "inventory.py").read_text(), values)
    return values


def test_init_asks_until_the_settings_take_the_answer(empty: Path) -> None:
    answers = ["mail", "mail.example.org", "example", "Example.org", "alice", "alice@example.org"]
    result = invoke("init", input="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert result.output.count("Error:") == 3
    assert "mailstack user add alice@example.org" in result.output
    assert "ssh root@mail.example.org    # must work" in result.output
    ((name, data),) = inventory(empty)["hosts"]
    assert (name, data["ssh_user"], data["mail_domains"]) == ("mail.example.org", "root", ["example.org"])


def test_init_writes_what_the_settings_take(empty: Path) -> None:
    from mailstack import Settings

    assert invoke("init", *ANSWERS, "--ssh-user", "admin").exit_code == 0
    ((_, data),) = inventory(empty)["hosts"]
    assert data.pop("_sudo") is True
    assert data.pop("ssh_user") == "admin"
    assert Settings(**data).mail_postmaster == "alice@example.org"
    own, ours = (ast.parse(path.read_text()).body for path in (empty / "deploy.py", ROOT / "deploy.py"))
    assert {ast.unparse(each) for each in own[1:]} <= {ast.unparse(each) for each in ours}


@pytest.mark.parametrize("name", ["inventory.py", "deploy.py"])
def test_init_overwrites_nothing(empty: Path, name: str) -> None:
    (empty / name).write_text("mine")
    result = invoke("init", *ANSWERS)
    assert result.exit_code == 2
    assert f"{name} exists in" in result.output
    assert [path.read_text() for path in empty.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--host", "mail"),
        ("--domain", "x y"),
        ("--user", "alice"),
        ("--user", "alice@example.com"),
        ("--ssh-user", 'a"b'),
    ],
)
def test_init_refuses(empty: Path, option: str, value: str) -> None:
    result = invoke("init", *ANSWERS, option, value)
    assert (result.exit_code, [*empty.iterdir()]) == (2, [])
    assert value in result.output
