"""What a person may call a run."""

import pytest

from dpdash.core.errors import DpdashError
from dpdash.store.query import LONGEST_NAME, LONGEST_NOTE, LONGEST_TAG, MOST_TAGS, RunLabel


def test_what_was_typed_is_tidied() -> None:
    label = RunLabel.parse("  my \n run ", " a note\nof two lines ", "b, a ,b;  with  space,,")
    assert label == RunLabel("my run", "a note\nof two lines", ("b", "a", "with space"))


def test_nothing_typed_is_no_name() -> None:
    assert RunLabel.parse("  ", "", " , ") == RunLabel(None, "", ())


def test_what_no_text_can_hold_is_left_out() -> None:
    assert RunLabel.parse("a\ud800b\x00c\x1b[31m", "\u202e", "\ud800") == RunLabel("ab c [31m", "", ())


def test_what_is_as_long_as_it_may_be_is_taken() -> None:
    tags = ("x" * LONGEST_TAG, *(f"t{number}" for number in range(MOST_TAGS - 1)))
    label = RunLabel.parse("x" * LONGEST_NAME, "x" * LONGEST_NOTE, ",".join(tags))
    assert label == RunLabel("x" * LONGEST_NAME, "x" * LONGEST_NOTE, tags)


@pytest.mark.parametrize(
    ("name", "note", "tags", "limit"),
    [
        ("x" * (LONGEST_NAME + 1), "", "", LONGEST_NAME),
        ("", "x" * (LONGEST_NOTE + 1), "", LONGEST_NOTE),
        ("", "", "ok," + "x" * (LONGEST_TAG + 1), LONGEST_TAG),
        ("", "", ",".join(f"t{number}" for number in range(MOST_TAGS + 1)), MOST_TAGS),
    ],
)
def test_what_is_too_long_gets_a_sentence(name: str, note: str, tags: str, limit: int) -> None:
    with pytest.raises(DpdashError, match=rf"at most {limit} (characters|tags)\. Received"):
        RunLabel.parse(name, note, tags)
