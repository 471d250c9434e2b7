"""A hook of MkDocs: pages that are kept outside of docs/, and links between all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = ("SECURITY.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md", "LICENSE")


def on_config(config: Any) -> Any:
    """Add pages of docs/ that mkdocs.yml has no place for yet to the end of the navigation."""
    placed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    left = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f" {page.name}\n" not in placed]
    if left:
        config["nav"].append({"More": left})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the repository's root, and the measurements with their plots."""
    for name in PAGES:
        # an index may not tell CONTRIBUTING.md from contributing.md, so these are in a folder of their own
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, f"project/{name.removesuffix('.md').lower()}.md", content=text))
    files.append(File("bench/results.md", str(ROOT), config["site_dir"], config["use_directory_urls"]))
    for plot in (ROOT / "bench/history").glob("*.svg"):
        path = f"bench/history/{plot.name}"
        files.append(File(path, str(ROOT), config["site_dir"], config["use_directory_urls"]))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Change links to files of the repository to those of the site."""
    at = page.file.src_uri
    names = "|".join(name.removesuffix(".md") for name in PAGES)
    if at.startswith("project/"):
        markdown = re.sub(r"\]\(docs/", "](../", markdown)
        markdown = re.sub(rf"\]\(({names})(\.md)?\)", lambda found: f"]({found[1].lower()}.md)", markdown)
        return markdown if at != "project/license.md" else f"# Licence\n\n{markdown}"
    if at == "bench/results.md":
        return re.sub(r"\]\(\.\./docs/", "](../", markdown)
    pattern = rf"\]\(\.\./({names})(\.md)?\)"
    markdown = re.sub(pattern, lambda found: f"](project/{found[1].lower()}.md)", markdown)
    return re.sub(r"\]\(\.\./(?=bench/)", "](", markdown)
