"""Text is UTF-8 wherever it is read and written, whatever a system takes for usual."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "dpdash").rglob("*.py")]
CALLS = ("read_text", "write_text")
PAGES = """
from dpdash.core.config import RunConfig
from dpdash.core.translations import LANGUAGES, language
from dpdash.files.script import ScriptName, script
from dpdash.ui.guide.page import document_path, _document
from dpdash.web.poster import _style
for code in LANGUAGES:
    assert _document(code)[0]
    assert all(script(name, RunConfig(), language(code)) for name in ScriptName)
assert _style()
"""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_that_is_read_or_written_has_its_encoding(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            assert any(keyword.arg == "encoding" for keyword in node.keywords), f"line {node.lineno}"


def test_what_pages_read_is_read_on_a_system_that_takes_another_encoding_for_usual() -> None:
    elsewhere = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning:dpdash", "-c", PAGES]
    subprocess.run(command, cwd=ROOT, env=os.environ | elsewhere, check=True)
