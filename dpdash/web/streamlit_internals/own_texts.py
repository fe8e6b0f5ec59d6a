"""What Streamlit's scripts write by themselves, which has no translation there (ADR 0023).

Each script is sent with a question in the place of such a text; `page.js` answers it in the reader's language. So
a page costs nothing more, and what React draws is what it knows of.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from dpdash.core.errors import N_
from dpdash.core.translations import ENGLISH, LANGUAGES, PSEUDO, language

TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "index": (
        N_("Skip to main content"),
        N_("Sidebar"),
        N_("Collapse sidebar"),
        N_("Expand sidebar"),
        N_("App pages"),
        N_("Main menu"),
        N_("Theme"),
        N_("Print"),
        N_("Made with Streamlit v"),
        N_("Copy version to clipboard"),
        N_("Copied"),
        N_("Close"),
        N_("Dismiss"),
        N_("Running..."),
        N_("Notifications"),
        N_("Connecting"),
        N_("Connecting to Streamlit server"),
        N_("Unable to connect to Streamlit server"),
        N_("Connection error"),
        N_("Connection timed out."),
        N_("Page not found"),
        N_("view more"),
        N_("view less"),
    ),
    "StreamlitMarkdown": (N_("Help"),),
    "useFloatingOverlay": (N_("Dismiss"),),
    "utils": (
        N_("Choose an option"),
        N_("Choose options"),
        N_("Choose or add an option"),
        N_("Choose or add options"),
        N_("Add an option"),
        N_("Add options"),
        N_("No options to select"),
    ),
    "Multiselect": (
        N_("Clear all"),
        N_("Open"),
        N_("Select all"),
        N_("Selected values"),
        N_("No results"),
    ),
    "Selectbox": (N_("Clear value"), N_("No results"), N_("Open")),
    "NumberInput": (
        N_("Clear value"),
        N_("Decrement"),
        N_("Increment"),
        N_("Number is above the allowed range."),
        N_("Number is below the allowed range."),
    ),
    "TextInput": (N_("Clear entry"), N_("Show password"), N_("Hide password")),
    "ProgressBar": (N_("progress"),),
    "Toolbar": (N_("Fullscreen"), N_("Close fullscreen")),
    "DataFrame": (
        N_("Select all"),
        N_("Download as CSV"),
        N_("Show/hide columns"),
        N_("Clear selection"),
        N_("Search"),
        N_("Type to search"),
        N_("Close Search"),
        N_("Next Result"),
        N_("Previous Result"),
        N_("Sort ascending"),
        N_("Sort descending"),
        N_("Autosize"),
        N_("Pin column"),
        N_("Unpin column"),
        N_("Hide column"),
        N_("Format"),
        N_("Statistics"),
        N_("Dataframe column menu"),
        N_("Copy column name"),
        N_("No data"),
    ),
}
"""Whole texts, by the script that has them: its name before the digest."""

ASKED: Final = b"dpdashText(`%s`)"
PARTS: Final[Mapping[str, tuple[tuple[bytes, bytes], ...]]] = {
    "index": (
        # Of the names of the themes, which are also their keys, what is shown.
        (b"size:`lg`})}),e.label]", b"size:`lg`})}),dpdashText(e.label)]"),
        (b"`Shortcut ${", ASKED % b"Shortcut " + b"+`${"),
        (b"`${i.flat().length} more`", b"`${i.flat().length} `+" + ASKED % b"more"),
        (
            b"message:`${t}. Running the app's main page.`",
            b"message:" + ASKED % b"There is no such page here. The first page is shown.",
        ),
        # A film of the screen is nothing to take from a lesson, and its dialogs are a dozen texts more.
        (b"if(OT.isSupportedBrowser()){let t=eE", b"if(!1){let t=eE"),
    ),
    "StreamlitMarkdown": ((b"`Help for ${", ASKED % b"Help for " + b"+`${"),),
    "InputInstructions": (
        (b"`submit form`:`apply`", ASKED % b"Press Enter to submit" + b":" + ASKED % b"Press Enter to apply"),
        (b"`Press Enter to ${e}`", b"e"),
    ),
    "Multiselect": ((b"`Remove ${", ASKED % b"Remove " + b"+`${"),),
}
"""Parts of a script, and what is sent in their place: texts that are made of pieces."""
PIECES: Final = (
    N_("System"),
    N_("Light"),
    N_("Dark"),
    N_("Shortcut"),
    N_("more"),
    N_("Help for"),
    N_("Press Enter to submit"),
    N_("Press Enter to apply"),
    N_("Remove"),
    N_("There is no such page here. The first page is shown."),
)


def asking(name: str, script: bytes) -> bytes:
    """A script of Streamlit's, by the name of its file, that asks the page for each of its texts."""
    stem = name.partition(".")[0]
    for part, ours in PARTS.get(stem, ()):
        script = script.replace(part, ours)
    for pattern in _patterns(stem):
        script = pattern.sub(rb" dpdashText(\g<0>)", script)
    return script


@cache
def words(tag: str) -> Mapping[str, Mapping[str, str]]:
    """Each text in each language that a page can turn to, by the language's tag; English has none to look up.

    The pseudo-locale is none to turn to: it is there where `tag` says that the document is in it.
    """
    spoken = [language(code) for code in (*LANGUAGES, PSEUDO) if code != ENGLISH]
    asked = sorted({text for texts in (*TEXTS.values(), PIECES) for text in texts})
    return {
        one.tag: {text: one.text(text) for text in asked} for one in spoken if one.code != PSEUDO or one.tag == tag
    }


@cache
def _patterns(stem: str) -> tuple[re.Pattern[bytes], ...]:
    return tuple(_all_patterns(stem))


def _all_patterns(stem: str) -> Iterator[re.Pattern[bytes]]:
    """Where a text stands as a value: not compared with another, and no name that nobody sees."""
    for text in TEXTS.get(stem, ()):
        literal = re.escape(f"`{text}`".encode())
        yield re.compile(rb"(?<!==)(?<!case)(?<!displayName=)(?<!id:)(?<!dpdashText\()" + literal)
