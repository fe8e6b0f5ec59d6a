"""That the pinned Streamlit still writes each text where we have it ask for it, and that no language lacks one."""

import re
from pathlib import Path

import pytest
import streamlit as st

from dpdash.core.translations import ENGLISH, LANGUAGES, PSEUDO, language
from dpdash.web.streamlit_internals.own_texts import PARTS, PIECES, TEXTS, asking, words

SCRIPTS = Path(st.__file__).parent / "static/static/js"
STEMS = sorted({*TEXTS, *PARTS})
ASKED = re.compile(rb"dpdashText\(`([^`]*)`\)")


def sent(stem: str) -> bytes:
    """The scripts with this name, of which one may have the texts, as they are sent."""
    found = [asking(file.name, file.read_bytes()) for file in SCRIPTS.glob(f"{stem}.*.js")]
    assert found
    return b"".join(found)


@pytest.mark.parametrize("stem", STEMS)
def test_each_text_is_asked_for_where_streamlit_writes_it(stem: str) -> None:
    script = sent(stem)
    asked = {text.decode().strip() for text in ASKED.findall(script)}
    assert set(TEXTS.get(stem, ())) <= asked
    for part, ours in PARTS.get(stem, ()):
        assert part not in script
        assert script.count(ours) == 1 or ours == b"e"


@pytest.mark.parametrize("stem", STEMS)
def test_what_is_asked_for_has_words(stem: str) -> None:
    known = {text for texts in (*TEXTS.values(), PIECES) for text in texts}
    assert {text.decode().strip() for text in ASKED.findall(sent(stem))} <= known


@pytest.mark.parametrize("stem", STEMS)
def test_no_word_of_the_language_grows_together_with_the_question(stem: str) -> None:
    """`return` and what it returns have nothing between them in a script that was made small."""
    assert not re.search(rb"[\w$]dpdashText", sent(stem))
    assert b"==dpdashText" not in sent(stem).replace(b" ", b"")


def test_other_scripts_are_sent_as_they_are() -> None:
    script = b"const title = `Help`, more = `Select all`;"
    assert asking("Balloons.abc.js", script) == script


def test_every_language_has_every_word_and_english_asks_for_none() -> None:
    assert language(ENGLISH).tag not in words(language(ENGLISH).tag)
    for code in LANGUAGES:
        if code != ENGLISH:
            assert all(said != text for text, said in words("en")[language(code).tag].items() if text != "Menu")


def test_only_a_document_in_the_pseudo_locale_carries_it() -> None:
    pseudo = language(PSEUDO).tag
    assert pseudo not in words("pt-BR")
    assert words(pseudo)[pseudo]["Help for"] == "⟦Help for⟧"
