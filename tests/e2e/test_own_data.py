"""Own data chosen in a real browser: checked, trained, kept over a reload, taken away, and in no address."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.browser import address, wait_for_script, wait_for_status
from tests.e2e.conftest import OpenPage
from tests.e2e.test_exports import download
from tests.e2e.test_train import start

FORM = "[data-testid=stSidebar] input[type=file]"
STATUS = "[data-testid=stSidebar] p[role=status]"
DRAWN = "() => [...document.querySelectorAll('.dpdash-plot')].flatMap((plot) => plot.data.map(({uid}) => uid))"
ROWS = "x,y\n" + "".join(f"{n},{2000 + 12.5 * n + n % 3}\n" for n in range(100, 200))


def choose(page: Page, name: str, text: str) -> None:
    field = page.locator(FORM)
    expect(field).to_be_enabled()
    field.set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def test_a_table_is_chosen_trained_and_taken_away_again(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("?epochs=2000&engine=single&replicas=1")
    page.locator("[data-testid=stSidebar] summary", has_text="Own data").click()
    choose(page, "bad.csv", "x,y\n1,2\n3,oops\n")
    expect(page.locator(STATUS)).to_contain_text("Line 3: x and y must be finite numbers")
    choose(page, "prices.csv", ROWS)
    sidebar = page.locator("[data-testid=stSidebar]")
    expect(sidebar).to_contain_text("Own data: prices.csv, 100 rows")
    assert "prices" not in address(page)
    start(page, "Max")
    wait_for_status(page, "finished")
    metrics = page.locator(".st-key-metrics").first
    expect(metrics).to_contain_text("least squares 12.5 ± 0.0028")
    expect(page.locator("h1")).to_contain_text("prices.csv")
    names = (
        "() => [...document.querySelectorAll('.dpdash-plot')].flatMap((plot) => plot.data.map((one) => one.uid))"
    )
    wait_for_script(page, f"({names})().includes('best')")
    assert "true" not in page.evaluate(names)
    page.reload()
    expect(sidebar).to_contain_text("Own data: prices.csv, 100 rows")
    page.get_by_role("radio", name="Table").click()
    download(page, "Own data (CSV)").save_as(tmp_path / "back.csv")
    assert [tuple(map(float, line.split(","))) for line in (tmp_path / "back.csv").read_text().split()[1:]] == [
        tuple(map(float, line.split(","))) for line in ROWS.split()[1:]
    ]
    page.get_by_role("button", name="Back to y = 3x").click()
    expect(sidebar).not_to_contain_text("prices.csv")
