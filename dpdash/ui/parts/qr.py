"""A QR code on a page."""

import html
from functools import lru_cache
from typing import Final

import segno

from dpdash.ui.session.language import _

BORDER: Final = 2
"""Modules of white around the code."""
NUM_KEPT: Final = 16


def qr_html(address: str) -> str:
    """An address as a QR code, black on white in either theme."""
    text = html.escape(_("QR code of {address}").format(address=address))
    return f"<img class='dpdash-qr' alt='{text}' src='{html.escape(_picture(address))}'>"


@lru_cache(maxsize=NUM_KEPT)
def _picture(address: str) -> str:
    code = segno.make(address, error="m", micro=False)
    picture: str = code.svg_data_uri(border=BORDER, light="#fff", omitsize=True)
    return picture
