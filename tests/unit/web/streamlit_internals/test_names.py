"""Private names of Streamlit stand in one folder, and the pinned Streamlit has each of them."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.state import SafeSessionState

from dpdash.web.streamlit_internals import refusals

ROOT = Path(__file__).resolve().parents[4]
FOLDER = ROOT / "dpdash" / "web" / "streamlit_internals"
SOURCES = [*(ROOT / "dpdash").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"]
PUBLIC = {"streamlit", "streamlit.delta_generator"}


def imported(path: Path) -> set[str]:
    """What a file imports of Streamlit."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {
                f"{node.module}.{name.name}" for name in node.names if node.module == "streamlit"
            }
    return {name for name in found if name.split(".")[0] == "streamlit"}


def test_no_other_folder_imports_a_private_name() -> None:
    outside = {path: imported(path) - PUBLIC for path in SOURCES if path.parent != FOLDER}
    assert {path.name: names for path, names in outside.items() if names} == {}
    assert any(imported(path) - PUBLIC for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", [path for path in FOLDER.glob("*.py") if path.stem != "__init__"])
def test_each_file_names_its_decision(path: Path) -> None:
    assert "ADR 00" in (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")


def attributes(kind: type) -> set[str]:
    """What an object of a class has, also what its methods set."""
    tree = ast.parse(inspect.getsource(kind))
    set_there = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    return set_there | set(dir(kind)) | set(getattr(kind, "__annotations__", {}))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            AppSession,
            {
                "_create_new_session_message",
                "_scriptrunner",
                "_client_state",
                "request_rerun",
                "session_state",
                "id",
            },
        ),
        (Runtime, {"_get_async_objs", "_session_mgr", "get_app_session", "is_active_session"}),
        (
            ScriptRunContext,
            {
                "_enqueue",
                "cached_message_hashes",
                "fragment_ids_this_run",
                "is_history_navigation",
                "session_id",
                "session_state",
                "script_requests",
            },
        ),
        (SafeSessionState, {"_yield_callback"}),
        (ScriptRequests, {"_state"}),
    ],
)
def test_the_pinned_streamlit_has_what_is_used(kind: type, names: set[str]) -> None:
    assert names - attributes(kind) == set()


@pytest.mark.parametrize(("module", "name"), sorted(refusals.READING))
def test_the_pinned_streamlit_has_the_functions_that_read_what_a_page_sends(module: str, name: str) -> None:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found) or isinstance(found, property)


def test_the_pinned_streamlit_has_a_page_with_scripts() -> None:
    streamlit = importlib.import_module("streamlit")
    assert streamlit.__file__ is not None
    assert (Path(streamlit.__file__).parent / "static" / "index.html").is_file()
