"""What the documents say is what the code has."""

import json
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.core.settings import ServerSettings, variable
from dpdash.core.steps import Phase
from dpdash.core.translations import LANGUAGES
from dpdash.ui.guide.page import document_path
from tests.guide.blocks import BLOCK, Block, filled

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
MAKEFILE = (ROOT / "Makefile").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "dpdash").rglob("*.md")])
FOR_READERS = "\n".join(path.read_text() for path in (README, *sorted((ROOT / "docs").glob("*.md"))))
EVERYTHING = "\n".join(path.read_text() for path in DOCUMENTS)

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"DPDASH_[A-Z_]+[A-Z]")
TARGET = re.compile(r"^([a-z][a-z-]*):.*?## ", re.MULTILINE)
CALLED_TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:home|root|work|tmp|Users|opt|mnt|var|usr)/")
OPTION = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
NUMBERED = re.compile(r"\bADR (\d{4})\b")


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def make_targets() -> set[str]:
    return set(TARGET.findall(MAKEFILE))


def code_in(text: str) -> str:
    return "\n".join(CODE.findall(text))


def anchors_of(path: Path) -> set[str]:
    """The anchors that a reader of the file can be sent to."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_documents() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md"} <= set(names(DOCUMENTS))


def test_readme_opens_with_the_two_commands_and_a_picture() -> None:
    text = README.read_text()
    parts = ["make run", "make test", "](docs/images/", "pip install -r requirements.txt && streamlit run app.py"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_every_server_setting_is_described_and_no_other() -> None:
    variables = {f"DPDASH_{name.upper()}" for name in ServerSettings.model_fields}
    assert set(VARIABLE.findall(FOR_READERS)) == variables


def test_every_make_target_is_described_and_no_other() -> None:
    targets = make_targets()
    assert {"run", "test", "check", "bench", "screenshots"} <= targets
    assert set(CALLED_TARGET.findall(code_in(EVERYTHING))) == targets - {"help"}


def test_every_setting_of_a_run_is_in_the_readme() -> None:
    options = {name.replace("_", "-") for name in RunConfig.model_fields}
    assert options - set(OPTION.findall(README.read_text())) == set()


def test_readme_knows_no_other_option_of_train() -> None:
    section = README.read_text().split("## Without a browser")[1].split("\n## ")[0]
    options = {name.replace("_", "-") for name in RunConfig.model_fields}
    assert set(OPTION.findall(section)) - options == {"json", "standardise"}


@pytest.mark.parametrize("choice", [*EngineName, *OptimizerName])
def test_every_choice_is_in_the_readme(choice: str) -> None:
    assert f"`{choice}`" in README.read_text()


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(path.read_text()):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_no_path_of_one_machine(path: Path) -> None:
    assert MACHINE_PATH.findall(path.read_text()) == []


def test_decisions_are_numbered_without_gaps_and_named_rightly() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    sources = [*(ROOT / "dpdash").rglob("*.py"), ROOT / ".streamlit" / "config.toml"]
    cited = NUMBERED.findall(EVERYTHING + "\n".join(path.read_text() for path in sources))
    assert set(cited) <= set(numbers)


def test_files_that_the_code_points_to_exist() -> None:
    sources = [*(ROOT / "dpdash").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]
    cited = {found for path in sources for found in re.findall(r"docs/[\w/.-]+\.md", path.read_text())}
    assert [name for name in sorted(cited) if not (ROOT / name).exists()] == []


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_requirement_is_pinned() -> None:
    for name in ("requirements.txt", "requirements-extras.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text().split("\n")
        pinned = r"-r requirements(-extras)?\.txt|[\w.-]+==[\w.]+(; sys_platform .= \"\w+\")?"
        loose = [line for line in lines if line and not re.fullmatch(pinned, line)]
        assert loose == []


def test_the_tests_that_hold_a_promise_are_there() -> None:
    named = set(re.findall(r"(\w+\.py)", (ROOT / "docs" / "security.md").read_text()))
    known = {path.name for folder in ("tests", "dpdash") for path in (ROOT / folder).rglob("*.py")}
    assert len(named) > 10
    assert named - known == set()


ARCHITECTURE = ROOT / "docs" / "architecture.md"


def tree_in_words() -> dict[str, set[str]]:
    """The modules of each folder of the package, as the tree in docs/architecture.md has them."""
    folders: dict[str, set[str]] = {}
    path: list[str] = []
    inside = ARCHITECTURE.read_text().split("```")[1].split("dpdash/\n")[1].splitlines()
    for line in inside:
        indent = (len(line) - len(line.lstrip())) // 2
        first, *others = line.split()
        if first.endswith("/"):
            path = [*path[: max(0, indent - 1)], first.rstrip("/")]
            folders["/".join(path)] = set()
        elif indent > len(path) and path:
            folders["/".join(path)] |= {first, *others}
    return {name: modules for name, modules in folders.items() if not name.startswith("tests")}


def test_the_tree_is_that_of_the_package() -> None:
    package = ROOT / "dpdash"
    folders = {path.parent for path in package.rglob("*.py")} - {package, package / "store/migrations/versions"}
    real = {
        folder.relative_to(package).as_posix(): {path.stem for path in folder.glob("*.py")} - {"__init__"}
        for folder in folders
    }
    assert tree_in_words() == real


def test_what_is_to_be_opened_is_there() -> None:
    table = ARCHITECTURE.read_text().split("## To change")[1].split("\n## ")[0]
    cited = set(re.findall(r"`([.\w]+/[\w./]*)`", table))
    assert len(cited) > 20
    assert [name for name in sorted(cited) if not (ROOT / name).exists()] == []


def test_nothing_is_loose_in_the_package() -> None:
    assert {path.name for path in (ROOT / "dpdash").glob("*.py")} == {"__init__.py", "__main__.py", "main.py"}


GUIDE = ROOT / "docs" / "how-data-parallelism-works.md"
TRANSLATED_GUIDES = sorted(GUIDE.parent.glob(f"{GUIDE.stem}.*.md"))
IMAGE = re.compile(r"!\[([^\]]+)\]\(images/([\w.-]+)\)")
MARK = re.compile(r"<!-- .*? -->")


def shape_of(path: Path) -> list[str]:
    """Levels of headings, kinds of blocks, sources and figures, in their order, without the words."""
    suffix = path.name.removeprefix(GUIDE.stem).removesuffix(".md")
    shape = []
    for line in path.read_text().splitlines():
        if MARK.fullmatch(line):
            shape.append(line)
        elif image := IMAGE.fullmatch(line):
            assert image[2].endswith(f"{suffix}.svg")
            shape.append(image[2].removesuffix(f"{suffix}.svg"))
        elif block := re.match(r"#+ |\d+\. \*\*\w+\*\*|- |\|", line):
            shape.append(block[0])
        shape += re.findall(r"\]\((https:[^)]+)\)", line)
    return shape


def test_the_guide_is_there_in_every_language() -> None:
    assert {document_path(code) for code in LANGUAGES} == {GUIDE, *TRANSLATED_GUIDES}


@pytest.mark.parametrize("path", TRANSLATED_GUIDES, ids=names(TRANSLATED_GUIDES))
def test_a_guide_has_the_headings_figures_and_sources_of_the_english_one(path: Path) -> None:
    assert shape_of(path) == shape_of(GUIDE)


@pytest.mark.parametrize("path", [GUIDE, *TRANSLATED_GUIDES], ids=names([GUIDE, *TRANSLATED_GUIDES]))
def test_a_guide_names_every_phase_of_a_step_and_has_figures(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"^\d\. \*\*(\w+)\*\*", text, re.MULTILINE) == list(Phase)
    figures = [(GUIDE.parent / "images" / file).read_text() for _, file in IMAGE.findall(text)]
    assert len(figures) >= 4
    for figure in figures:
        assert ElementTree.fromstring(figure).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_guide_that_is_written_anew_keeps_its_words() -> None:
    text = GUIDE.read_text()
    blocks = {name: Block(f"measured {name}", {}) for _, name, _ in BLOCK.findall(text)}
    written = filled(text, blocks)
    assert [found for found in blocks if f"\nmeasured {found}\n" not in written] == []
    assert unmeasured(written) == unmeasured(text)


def unmeasured(text: str) -> str:
    """A guide without what is measured."""
    return BLOCK.sub("", text)


def test_containers_name_what_is_there() -> None:
    """No daemon that could run them is part of the tests."""
    made = (ROOT / "Dockerfile").read_text()
    front = (ROOT / "docs" / "deployment.md").read_text().split("---\n")[1]
    assert "app_port: 8501" in front and "EXPOSE 8501" in made and "sdk: docker" in front
    composed = (ROOT / "compose.yaml").read_text()
    known = {variable(name) for name in ServerSettings.model_fields}
    assert set(VARIABLE.findall(made + composed)) <= known
    for name in re.findall(r"^ARG (\w+)", made, re.MULTILINE):
        assert f"`{name}`" in (ROOT / "docs" / "deployment.md").read_text()
    developing = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    script, _, targets = developing["postCreateCommand"].partition(" && make ")
    assert (ROOT / script).is_file()
    assert all(
        re.search(rf"^({re.escape(name)}|\$\(VENV\)/{name[6:]}):", MAKEFILE, re.MULTILINE)
        for name in targets.split()
    )
    sent = (ROOT / ".dockerignore").read_text().split()
    for name in (
        "app.py",
        "setup.py",
        "pyproject.toml",
        "dpdash",
        "pages",
        "docs",
        ".streamlit",
        "requirements*.txt",
    ):
        assert f"!{name}" in sent
