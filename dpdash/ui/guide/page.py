"""How data parallelism works, as a page: the document in `docs/` in the reader's language, from this very server.

A workshop has no network but its own, so nothing is fetched from elsewhere.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import streamlit as st

from dpdash.core.places import DOCUMENTS, PAGES
from dpdash.ui.parts.header import show_title
from dpdash.ui.session.language import _, current

PAGE: Final = PAGES / "how_it_works.py"
ADDRESS: Final = "how_it_works"
DOCUMENT: Final = DOCUMENTS / "how-data-parallelism-works.md"
COMMENT: Final = re.compile(r"<!--.*?-->\n?", re.DOTALL)
"""The marks of `make figures`, which markdown in Streamlit would show."""
IMAGE: Final = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)$", re.MULTILINE)
LINE_WIDTH: Final = 760
"""Pixels: a line of a text is read up to some ninety letters."""
FIGURE_WIDTH: Final = 620


def guide_help() -> str:
    """A sentence for help texts that leads to the document, in a tab of its own: a run goes on in this one."""
    return _("Read [how data parallelism works]({address}).").format(address=ADDRESS)


def guide_link() -> None:
    """Show the link to the document."""
    st.page_link(PAGE, label=_("How data parallelism works"), icon=":material/school:")


def show_guide() -> None:
    """Show the document."""
    title, text = _document(current().code)
    show_title(title)
    # Its figures are drawn on white; a dark page shows them the other way round.
    shade = "guide_dark" if st.context.theme.type == "dark" else "guide_light"
    with st.container(width=LINE_WIDTH, key="guide"), st.container(key=shade):
        # Text, alternative text and path of an image in turns.
        texts = IMAGE.split(text)
        st.markdown(texts[0])
        for alternative, path, after in zip(texts[1::3], texts[2::3], texts[3::3], strict=True):
            st.image(str(DOCUMENT.parent / path), alt=alternative, width=FIGURE_WIDTH)
            st.markdown(after)


def document_path(code: str) -> Path:
    """The document in a language; the English one where there is no other."""
    path = DOCUMENT.with_suffix(f".{code.replace('_', '-')}.md")
    return path if path.exists() else DOCUMENT


@cache
def _document(code: str) -> tuple[str, str]:
    """Title and text of the document in a language."""
    title, _line, text = document_path(code).read_text(encoding="utf-8").partition("\n")
    return title.removeprefix("# "), COMMENT.sub("", text)
