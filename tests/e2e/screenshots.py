"""`make screenshots`: the README's pictures, taken from the running app."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.e2e.browser import button, launched_browser, wait_for_points, wait_until_drawn
from tests.e2e.server import ROOT, Server, running_server

FOLDER = ROOT / "docs" / "images"
SIZES = {"": {"width": 1440, "height": 1000}, "-phone": {"width": 380, "height": 820}}
POINTS_SHOWN = 260
"""The picture shows a run on its way: more than half of the default run's epochs."""


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder)) as server,
        launched_browser() as browser,
    ):
        for theme in ("light", "dark"):
            for suffix in SIZES:
                take(browser, server, theme, suffix)


def take(browser: Browser, server: Server, theme: str, suffix: str) -> None:
    width, height = SIZES[suffix]["width"], SIZES[suffix]["height"]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-US",
    )
    page = context.new_page()
    page.goto(server.url)
    wait_until_drawn(page)
    button(page, "start").click()
    page.mouse.move(width / 2, 5)
    wait_for_points(page, POINTS_SHOWN)
    page.screenshot(path=FOLDER / f"train-{theme}{suffix}.png")
    context.close()


if __name__ == "__main__":
    main()
