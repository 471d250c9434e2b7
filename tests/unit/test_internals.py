"""Only one module needs the parts of pyinfra that may change in a minor release."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

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
