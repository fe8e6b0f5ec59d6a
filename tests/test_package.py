"""The wheel holds all that the dashboard needs, and from it alone a run is trained and a page is answered."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
import zipfile
from collections.abc import Mapping
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.e2e.server import ROOT, STOP_SECONDS, free_port
from tests.fakes import eventually
from tests.raw_client import RawPage, new_cookie, texts

LEFT_HERE = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests")
BUILD_SECONDS, INSTALL_SECONDS, START_SECONDS = 100, 1500, 60
OPENER = '#!/bin/sh\necho "$1" > "$OPENED"\n'


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from a copy: setuptools leaves what it makes on the way beside what it was made from."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "copy", ignore=LEFT_HERE)
    shutil.copytree(ROOT / ".streamlit", folder / "copy" / ".streamlit")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run([*command, "--wheel-dir", folder], cwd=folder / "copy", check=True, timeout=BUILD_SECONDS)
    (made,) = folder.glob("*.whl")
    return made


def files_below(*folders: str, suffixes: str = r".*") -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and re.fullmatch(suffixes, path.suffix) and path.suffix != ".pyc"
    }


def test_the_wheel_has_every_file_and_one_name_in_site_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as made:
        names = {name for name in made.namelist() if ".dist-info/" not in name}
        head = made.read("dpdash-0.1.0.dist-info/METADATA")
        scripts = made.read("dpdash-0.1.0.dist-info/entry_points.txt").decode()
    beside = {"app.py", ".streamlit/config.toml", *files_below("pages", suffixes=r"\.py")}
    beside |= {name for name in files_below("docs") if re.fullmatch(r"docs/(how-[^/]*\.md|images/.*\.svg)", name)}
    assert names == files_below("dpdash") | {f"dpdash/dashboard/{name}" for name in beside}
    assert "dpdash = dpdash.cli.app:main" in scripts
    needed = [text for text in message_from_bytes(head).get_all("Requires-Dist", []) if "extra ==" not in text]
    pinned = (ROOT / "requirements.txt").read_text().split("\n")
    assert [re.sub(r'[ "\']', "", text) for text in needed] == [
        re.sub(r'[ "\']', "", line) for line in pinned if line
    ]


def test_nothing_names_an_index_of_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "tool" in project and "uv" not in project["tool"]
    for path in (ROOT / "requirements.txt", ROOT / "requirements-dev.txt", ROOT / "requirements-extras.txt"):
        assert "//" not in path.read_text()


@pytest.mark.long
def test_an_installed_wheel_trains_and_serves(wheel: Path, tmp_path: Path) -> None:
    """With the libraries of this environment: to fetch them takes minutes, which the next one does."""
    environment = empty_environment(tmp_path)
    install(environment, "--no-deps", str(wheel))
    folder = next(environment.glob("lib*/python*/site-packages"))
    (folder / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    trains_and_serves(environment, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(INSTALL_SECONDS + 120)
def test_a_wheel_brings_all_that_it_needs(wheel: Path, tmp_path: Path) -> None:
    environment = empty_environment(tmp_path)
    install(environment, str(wheel))
    trains_and_serves(environment, tmp_path)


def empty_environment(tmp_path: Path) -> Path:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    return environment


def install(environment: Path, *what: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    subprocess.run([*command, "install", "--quiet", *what], check=True, timeout=INSTALL_SECONDS)


def trains_and_serves(environment: Path, tmp_path: Path) -> None:
    """In a folder of its own, with nothing written where it is installed."""
    folder = next(environment.glob("lib*/python*/site-packages"))
    before = sorted((folder / "dpdash").rglob("*"))
    home = tmp_path / "home"
    home.mkdir()
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("DPDASH_", "PYTHON"))}
    variables = {
        **usual,
        "HOME": str(home),
        "DPDASH_DATABASE_URL": f"sqlite:///{home / 'runs.db'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = environment / "bin" / "dpdash"
    train = [str(command), "train", "--samples", "100", "--epochs", "50", "--json"]
    trained = subprocess.run(train, cwd=home, env=variables, capture_output=True, check=True, text=True)
    result = json.loads(trained.stdout)
    assert (result["status"], len(result["losses"])) == ("finished", 50)
    assert (
        "Usage: dpdash train"
        in subprocess.run(
            [command, "train", "--help"], cwd=home, env=variables, capture_output=True, check=True, text=True
        ).stdout
    )
    opens_the_dashboard(command, home, variables, result["run_id"])
    assert sorted((folder / "dpdash").rglob("*")) == before


def opens_the_dashboard(command: Path, home: Path, variables: Mapping[str, str], run_id: str) -> None:
    """`dpdash` alone: a page for the browser that it opens, with the run that the command has trained."""
    opened = home / "opened"
    opener = home / "browser"
    opener.write_text(OPENER)
    opener.chmod(0o755)
    port = free_port()
    seen = {
        "BROWSER": f"{opener} %s",
        "DISPLAY": ":9",
        "OPENED": str(opened),
        "STREAMLIT_SERVER_PORT": str(port),
        "DPDASH_TRAINING_PROCESSES": "1",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([command], cwd=home, env={**variables, **seen}, stdout=log, stderr=log)
    try:
        eventually(lambda: opened.exists() or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, (home / "log").read_text()
        eventually(lambda: opened.read_text(), START_SECONDS)
        url = opened.read_text().strip()
        assert url == f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{url}/how_it_works") as response:
            assert b"dpdash-poster" in response.read()
        assert run_id in asyncio.run(drawn(url, f"run={run_id}"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
    assert "Traceback" not in (home / "log").read_text()


async def drawn(url: str, query: str) -> str:
    async with RawPage.opened(url, query, new_cookie(url)) as page:
        return texts(await page.run())
