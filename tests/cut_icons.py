"""Cuts the icons that pages use out of Streamlit's font; run by `make icons`."""

import ast
import hashlib
import re
from pathlib import Path
from typing import Any, Final

import streamlit as st
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

ROOT: Final = Path(__file__).resolve().parents[1]
STATIC: Final = ROOT / "dpdash/web/static"
NAME: Final = re.compile(r"[a-z0-9_]+")
STREAMLITS: Final = re.compile(r":material/([a-z0-9_]+)\b")


def main() -> None:
    """Write `icons.woff2` and, in `icons.txt`, which font it was cut from and the icons in it."""
    streamlit = Path(st.__file__).parent
    [file] = (streamlit / "static/static/media").glob("MaterialSymbols-Rounded.*.woff2")
    font = TTFont(file)
    glyphs = _ligatures(font)
    names = sorted((_ours() | _streamlits(streamlit)) & glyphs.keys())
    options = Options(flavor="woff2", layout_features=["*"], layout_closure=False)
    subsetter = Subsetter(options)
    subsetter.populate(glyphs=[glyphs[name] for name in names], text="".join(names))
    subsetter.subset(font)
    font.flavor = "woff2"
    font.save(STATIC / "icons.woff2")
    lines = [hashlib.sha256(file.read_bytes()).hexdigest(), *names]
    (STATIC / "icons.txt").write_text("\n".join(lines) + "\n")


def _ligatures(font: Any) -> dict[str, str]:
    """The glyph of each icon, by the letters that it is written with."""
    letters = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
    found = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            for first, ligatures in getattr(table, "ExtSubTable", table).ligatures.items():
                for ligature in ligatures:
                    found["".join(letters[glyph] for glyph in (first, *ligature.Component))] = ligature.LigGlyph
    return found


def _ours() -> set[str]:
    """Every word in the pages' code that may be an icon."""
    words = set()
    for file in (*(ROOT / "dpdash/ui").rglob("*.py"), ROOT / "dpdash/main.py", *(ROOT / "pages").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words |= {node.value} if NAME.fullmatch(node.value) else set(STREAMLITS.findall(node.value))
    return words


def _streamlits(streamlit: Path) -> set[str]:
    scripts = (streamlit / "static/static/js").glob("*.js")
    return {name for script in scripts for name in STREAMLITS.findall(script.read_text())}


if __name__ == "__main__":
    main()
