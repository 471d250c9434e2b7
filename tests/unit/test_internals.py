"""Only one module needs the parts of pyinfra that may change in a minor release; imports form no circle."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from mailstack.text import lines_of
from tests.targets.shell import ROOT

PACKAGE = ROOT / "mailstack"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "run.py"]
#: pyinfra's documented modules for operations, deploys and facts. Types may come from others too.
PUBLIC = {
    "pyinfra": {"logger"},
    "pyinfra.context": {"host"},
    "pyinfra.api.command": {"FunctionCommand", "PyinfraCommand", "StringCommand"},
    "pyinfra.api.deploy": {"deploy"},
    "pyinfra.api.facts": {"FactBase"},
    "pyinfra.api.hiddenvalue": {"HiddenValue"},
    "pyinfra.api.operation": {"OperationMeta", "operation"},
    "pyinfra.api.output": {"format_text"},
}
HIDDEN = re.compile(
    r"(?<!run)\.(current_(deploy|op)_\w+|is_executing|failed_hosts|run_shell_command|op_meta|_inner)\b"
)


#: Reads lines of the kernel alone.
OF_THE_KERNEL = PACKAGE / "on_host/verify/sockets.py"


def imports(tree: ast.Module) -> dict[str, set[str]]:
    """Return the names that a module imports at run time, by their module."""
    found: dict[str, set[str]] = {}
    at_run_time = [each for each in tree.body if not ast.unparse(each).startswith("if TYPE_CHECKING:")]
    for node in (node for statement in at_run_time for node in ast.walk(statement)):
        if isinstance(node, ast.Import):
            found |= {name.name: set() for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, set()).update(name.name for name in node.names)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_needs_no_internals(path: Path) -> None:
    text = path.read_text()
    for module, names in imports(ast.parse(text)).items():
        assert module.partition(".")[0] not in ("gevent", "paramiko", "pyinfra_cli")
        if module.partition(".")[0] == "pyinfra" and module != "pyinfra.api.exceptions":
            assert names and names <= PUBLIC.get(module, set()), module
    assert not HIDDEN.search(text)


def test_imports_form_no_circle() -> None:
    """Then each module can be imported first. Those in functions don't count: they wait for a call."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES]
    modules = dict(zip((name.removesuffix(".__init__") for name in names), MODULES, strict=True))
    needs: dict[str, set[str]] = {}
    for name, path in modules.items():
        body = ast.parse(path.read_text()).body
        first: list[ast.stmt] = [each for each in body if isinstance(each, (ast.Import, ast.ImportFrom))]
        needs[name] = set()
        for module, imported in imports(ast.Module(first, [])).items():
            inner = {each for each in imported if f"{module}.{each}" in modules}
            needs[name] |= {f"{module}.{each}" for each in inner} | ({module} if inner != imported else set())
    assert "mailstack.settings" in needs["mailstack.accounts.inventory"]
    TopologicalSorter({name: found & needs.keys() - {"mailstack"} for name, found in needs.items()}).prepare()


@pytest.mark.parametrize(
    "path",
    sorted({*PACKAGE.rglob("*.py")} - {OF_THE_KERNEL}),
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_only_a_newline_ends_a_line(path: Path) -> None:
    """Text of a host may have U+2028 in it, which a stranger has sent."""
    called = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute))
    assert "splitlines" not in {node.attr for node in called}, "mailstack.text.lines_of"


def test_lines() -> None:
    assert lines_of("a\u2028b\x85c\x1cd\n\ne\r\n") == ["a\u2028b\x85c\x1cd", "", "e\r"]
    assert (lines_of(""), lines_of("\n"), lines_of("a")) == ([], [""], ["a"])


def test_nothing_names_an_architecture() -> None:
    """All that is installed is a package of the host's own architecture, or a script."""
    names = re.compile(r"\b(amd64|x86[-_]64|i[36]86|aarch64|arm64|armhf|riscv64)\b", re.I)
    paths = [path for folder in ("mailstack", "templates") for path in (ROOT / folder).rglob("*")]
    files = [path for path in paths if path.is_file() and path.suffix != ".pyc"]
    assert len(files) > 300
    assert [str(path) for path in files if names.search(path.read_text("utf-8"))] == []
