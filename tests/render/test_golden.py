"""The files that mailstack writes are as recorded."""

from __future__ import annotations

import pytest

from tests.render import golden


@pytest.mark.parametrize("case", golden.CASES)
def test_files_are_as_recorded(case: str) -> None:
    assert golden.texts(case) == golden.recorded(case), "meant? then run: python -m tests.render.golden"


@pytest.mark.parametrize("case", golden.CASES)
def test_nothing_is_left_to_fill_in_but_secrets(case: str) -> None:
    for path, text in golden.texts(case).items():
        assert text.endswith("\n"), path
        # `{{/` is Postfix's own, of a table within main.cf
        assert "None" not in text and "{{ " not in text and "{%" not in text, path
        assert "\n\n\n" not in text, path


def test_no_secret_is_rendered() -> None:
    assert "not in any golden file" not in str(golden.texts("elsewhere"))
    assert "bm90IGluIGFueSBmaWxl" not in str(golden.texts("acme"))
