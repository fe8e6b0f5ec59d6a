"""CONTRIBUTING's recipes, each followed to the letter on a copy of the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "images")
SECONDS = 100


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project, to be changed."""
    return Path(shutil.copytree(ROOT, tmp_path / "copy", ignore=LEFT_OUT, symlinks=True))


def put(tree: Path, name: str, old: str, new: str) -> None:
    """Put `new` in the place of `old`, which stands once in a file."""
    text = (tree / name).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
    (tree / name).write_text(text.replace(old, new), encoding="utf-8")


def python(tree: Path, *arguments: str) -> str:
    """What Python prints in the copy, which must end well."""
    environment = os.environ | {"DPDASH_DATABASE_URL": f"sqlite:///{tree / 'runs.db'}", "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def drawn(tree: Path, page: str, says: str) -> str:
    """A script that opens a page of the copy without a browser, and looks for a text or a label on it."""
    return f"""
from streamlit.testing.v1 import AppTest
page = AppTest.from_file({str(tree / "dpdash" / "main.py")!r}, default_timeout=60)
page.session_state["owner"] = "a browser"
page.run()
page.switch_page("../pages/{page}.py").run()
assert not page.exception, page.exception
labels = [found.proto.label for found in [*page.slider, *page.select_slider, *page.number_input]]
assert {says!r} in [*labels, *(found.value for found in page.markdown)], labels
from dpdash.web.process import run_service
run_service().shutdown(timeout=5)
"""


def test_the_copy_is_what_the_recipes_are_followed_on(tree: Path) -> None:
    assert "train" in python(tree, "-m", "dpdash", "--help")
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## A new engine")[1]
    assert [line.split("**")[1] for line in text.splitlines() if line.startswith("- **")] == [
        "Engine",
        "Database",
        "Setting",
        "Page",
        "Language",
        "Text",
    ], "each has a test below"


def test_a_new_engine(tree: Path) -> None:
    source = (tree / "dpdash/training/engines/single.py").read_text()
    own = source.replace("class Single", "class Mine").replace("EngineName.SINGLE", "EngineName.MINE")
    (tree / "dpdash/training/engines/mine.py").write_text(own)
    put(tree, "dpdash/core/config.py", '    SINGLE = "single"\n', '    SINGLE = "single"\n    MINE = "mine"\n')
    catalog = "dpdash/training/catalog.py"
    put(tree, catalog, "(Single(), ", "(Single(), Mine(), ")
    imported = "from dpdash.training.engines.single import Single\n"
    put(tree, catalog, imported, f"from dpdash.training.engines.mine import Mine\n{imported}")
    names = '        EngineName.SINGLE: N_("one device"),\n'
    put(tree, "dpdash/core/words.py", names, f'{names}        EngineName.MINE: N_("mine"),\n')
    assert '"status": "finished"' in python(tree, "-m", "dpdash", "train", "--engine=mine", "--epochs=3", "--json")
    suite = ("tests/contract/test_engines.py", "-k", "mine and (listing or paused)")
    assert "passed" in python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *suite)


def test_a_new_database(tree: Path) -> None:
    own = "from dpdash.store.sqlite import SqliteDatabase\n\n\nclass MyDatabase(SqliteDatabase):\n    pass\n"
    (tree / "dpdash/store/mine.py").write_text(own)
    url = "dpdash/store/url.py"
    line = '    "sqlite": _sqlite,\n'
    put(tree, url, line, f'{line}    "mine": lambda parsed: MyDatabase(Path(str(parsed.database))),\n')
    imported = "from dpdash.store.postgresql"
    put(tree, url, imported, f"from dpdash.store.mine import MyDatabase\n{imported}")
    line = '    "sqlite": lambda request: _new_files(request.getfixturevalue("tmp_path_factory")),\n'
    new_files = '_new_files(request.getfixturevalue("tmp_path_factory"))'
    mine = f'    "mine": lambda request: lambda: {new_files}().replace("sqlite", "mine", 1),\n'
    put(tree, "tests/contract/conftest.py", line, line + mine)
    suite = ("tests/contract/test_stores.py", "-k", "mine and saved")
    assert "passed" in python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *suite)


def test_a_new_setting(tree: Path) -> None:
    field = "    noise: Annotated[float, Field(ge=0, le=100)] = Field(\n"
    own = '    luck: Annotated[int, Field(ge=1, le=7)] = Field(default=3, title=N_("Luck"), description=N_("."))\n'
    put(tree, "dpdash/core/config.py", field, own + field)
    line = '        _choices("noise", NOISES, later, fixed=fixed)\n'
    put(tree, "dpdash/ui/parts/sidebar.py", line, f'{line}        _choices("luck", tuple(range(1, 8)), later)\n')
    line = '    noise: Annotated[str | None, option("noise", usual=usual("noise"))] = None,\n'
    put(tree, "dpdash/cli/app.py", line, f'{line}    luck: Annotated[str | None, option("luck")] = None,\n')
    assert '"luck": 7' in python(tree, "-m", "dpdash", "train", "--luck=7", "--epochs=3", "--json")
    python(tree, "-c", drawn(tree, "train", "Luck"))


def test_a_new_page(tree: Path) -> None:
    folder = tree / "dpdash/ui/hello"
    folder.mkdir()
    (folder / "__init__.py").touch()
    own = 'import streamlit as st\n\n\ndef show_hello() -> None:\n    st.markdown("Hello there")\n'
    (folder / "page.py").write_text(own)
    (tree / "pages/hello.py").write_text("from dpdash.ui.hello.page import show_hello\n\nshow_hello()\n")
    line = '    st.Page(PAGES / "runs.py", title=_("Runs"), icon=":material/history:"),\n'
    put(tree, "dpdash/main.py", line, f'{line}    st.Page(PAGES / "hello.py", title="Hello"),\n')
    python(tree, "-c", drawn(tree, "hello", "Hello there"))


def test_a_new_language_and_a_new_text(tree: Path) -> None:
    line = 'LANGUAGES: Final[Mapping[str, str]] = {ENGLISH: "English", '
    put(tree, "dpdash/core/translations.py", line, f'{line}"de": "Deutsch", ')
    catalogue = tree / "dpdash/core/locale/de/LC_MESSAGES/dpdash.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Hi"\nmsgstr "Hallo"\n'
    )
    script = (
        "from dpdash.core.translations import language\n"
        "from dpdash.ui.guide.page import document_path\n"
        "assert document_path('de').exists()\n"
        "print(language('de').text('Hi'), language('de').number(1.25))\n"
    )
    assert python(tree, "-c", script).split() == ["Hallo", "1,25"]
