"""What goes to a package index, and the files that others read about the project."""

from __future__ import annotations

import re
import sys
import tarfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from subprocess import run
from zipfile import ZipFile

import pytest
from pyinfra.api.metadata import parse_plugins
from readme_renderer.markdown import render

import mailstack
from mailstack.components.mail_server import COMPONENTS
from tests.targets.shell import ROOT


def build(source: Path, to: Path, *targets: str) -> None:
    """Build packages of a tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(to), *targets]
    run(command, cwd=source, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked source package."""
    folder = tmp_path_factory.mktemp("sdist")
    build(ROOT, folder, "-t", "sdist")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"mailstack-{mailstack.__version__}"


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Return the wheel that is built of the source package."""
    folder = tmp_path_factory.mktemp("wheel")
    build(sdist, folder, "-t", "wheel")
    return ZipFile(next(folder.glob("*.whl")))


def files(folder: Path) -> Iterable[Path]:
    """List the files below a folder of the repository, without what Python has compiled."""
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def test_the_source_package_has_what_a_user_reads(sdist: Path) -> None:
    assert {path.name for path in sdist.iterdir() if path.is_dir()} == {
        "docs",
        "examples",
        "inventories",
        "mailstack",
        "templates",
    }
    for name in ("CHANGELOG.md", "LICENSE", "README.md", "deploy.py", "pyinfra-metadata.toml"):
        assert (sdist / name).read_text() == (ROOT / name).read_text()


def test_the_wheel_of_the_source_package_has_all(wheel: ZipFile) -> None:
    wanted = {
        f"{packed}/{path.relative_to(ROOT / source)}"
        for source, packed in (("templates", "mailstack/templates"), ("mailstack", "mailstack"))
        for path in files(ROOT / source)
    }
    inside = {name for name in wheel.namelist() if not name.startswith("mailstack-")}
    assert inside == {*wanted, "mailstack_cli.py"}


def test_the_readme_renders_on_an_index(wheel: ZipFile) -> None:
    metadata = wheel.read(f"mailstack-{mailstack.__version__}.dist-info/METADATA").decode()
    head, _, readme = metadata.partition("\n\n")
    assert f"Version: {mailstack.__version__}\n" in head
    assert "Description-Content-Type: text/markdown\n" in f"{head}\n"
    page = render(readme)
    assert page
    links = re.findall(r'<(?:a|img) [^>]*(?:href|src)="([^"]*)"', page)
    assert len(links) > 20
    assert [link for link in links if not re.match("https?://|#", link)] == []


def test_pyinfra_reads_what_the_package_has() -> None:
    plugins = parse_plugins((ROOT / "pyinfra-metadata.toml").read_text())
    for plugin in plugins:
        module = import_module(plugin.path.removesuffix("/__init__.py").removesuffix(".py").replace("/", "."))
        assert plugin.type != "deploy" or callable(module.deploy), plugin.path
    deploys = {plugin.name for plugin in plugins if plugin.type == "deploy"}
    assert {component.name for component in COMPONENTS} | {"mail_server", "tls", "redis"} == deploys


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    heads = re.findall(r"^## (.*)$", text, re.M)
    assert heads[0] == "[Unreleased]"
    versions = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", head) for head in heads[1:]]
    assert all(versions)
    numbers = [tuple(map(int, found[1].split("."))) for found in versions if found]
    assert numbers == sorted(numbers, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.M)) <= kinds
    # an item is a line, or goes on indented
    assert [line for line in text.split("\n- ", 1)[1].split("\n") if not re.match(r"(  \S|- |#|$)", line)][
        1:
    ] == []
    # what is not released has a later version than what is
    here = tuple(map(int, mailstack.__version__.split(".dev")[0].split(".")))
    assert here > numbers[0] if ".dev" in mailstack.__version__ else here == numbers[0]


def test_a_release_looks_at_all_files_with_placeholders() -> None:
    (looked,) = re.findall(r"grep -n 'mailstack\\.example' (.*) \|\|", (ROOT / "Makefile").read_text())
    pages = (page for place in ("*.md", "*.toml", "*.yml", "docs/*.md") for page in ROOT.glob(place))
    named = {str(page.relative_to(ROOT)) for page in pages if "mailstack.example" in page.read_text()}
    assert named == set(looked.split())
