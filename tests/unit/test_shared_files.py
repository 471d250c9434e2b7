"""mailstack's block in shared files: it is fixed, and no other line is changed."""

from __future__ import annotations

import pytest

from mailstack.shared_files import BEGIN, END, has_ours, whole

BLOCK = f"{BEGIN}\nours 1\nours 2\n{END}\n"
THEIRS = "# theirs\n\n  odd\tline \r\nlast, without a newline"


def ours(theirs: str) -> str:
    return "ours 1\nours 2\n"


@pytest.mark.parametrize("theirs", ["", "one\n", "one", "\n", THEIRS, THEIRS + "\n\n", "\udcff\n"])
def test_the_block_comes_first_and_the_rest_stays(theirs: str) -> None:
    assert whole(theirs, ours) == BLOCK + theirs
    assert whole(BLOCK + theirs, ours) == BLOCK + theirs, "a second run changes nothing"


@pytest.mark.parametrize(
    "tampered",
    [
        BLOCK.replace("ours 1", "harm"),
        BLOCK.replace("ours 1\n", ""),
        BLOCK.replace(END, "harm\n" + END),
        BLOCK + BLOCK,
        BLOCK.replace(f"\n{END}", ""),
        BLOCK.replace(f"{BEGIN}\nours 1\nours 2\n", ""),
        f"{BEGIN}\n",
        f"{END}\n",
        "",
    ],
    ids=["changed", "less", "more", "twice", "no end", "an end alone", "a begin alone", "end", "gone"],
)
def test_a_changed_block_is_fixed(tampered: str) -> None:
    assert whole(tampered + THEIRS, ours) == BLOCK + THEIRS


def test_a_block_is_moved_to_the_top() -> None:
    assert whole("above\n" + BLOCK + "below\n", ours) == BLOCK + "above\nbelow\n"


def test_without_an_end_no_line_of_others_is_removed() -> None:
    torn = f"{BEGIN}\nours 1\nharm\n" + THEIRS
    assert whole(torn, ours) == BLOCK + "harm\n" + THEIRS
    assert whole(torn + f"\n{BLOCK}", ours) == BLOCK + "harm\n" + THEIRS + "\n"


def test_without_lines_there_is_no_block() -> None:
    assert whole(BLOCK + THEIRS, lambda _: "") == THEIRS
    assert whole(THEIRS, lambda _: "") == THEIRS


def test_a_file_of_an_earlier_version_is_replaced_as_a_whole() -> None:
    earlier = "# Written by mailstack; changes made here are undone by the next run. See aliases(5).\nx: y\n"
    assert whole(earlier, ours) == BLOCK


def test_a_line_outside_the_block_may_be_mailstack_s() -> None:
    assert whole("a 1\nb 2\na 3\n", ours, lambda line: line.startswith("a ")) == BLOCK + "b 2\n"


def test_the_block_may_depend_on_the_others() -> None:
    assert whole(BLOCK + "one\n", lambda theirs: f"{len(theirs)}\n") == f"{BEGIN}\n4\n{END}\none\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BLOCK, True),
        ("x\n" + BLOCK, True),
        ("# Written by mailstack; changes made here are undone by the next run.\nlocal x\n", True),
        (THEIRS, False),
        ("", False),
    ],
)
def test_whether_we_wrote_it_before(text: str, expected: bool) -> None:
    assert has_ours(text) == expected
