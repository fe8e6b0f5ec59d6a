"""Runs out of the page and into it, in a real browser."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Download, Page, expect
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dpdash.files.tensorboard import TAGS
from tests.e2e.browser import address, assert_for_everybody, wait_for_script, wait_for_status
from tests.e2e.conftest import OpenPage
from tests.e2e.test_train import start
from tests.unit.files.made_up import file_of, whole_run

EPOCHS = 3_000


def download(page: Page, name: str) -> Download:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).click()
    return waiting.value


def trained(page: Page) -> None:
    start(page, "Max")
    wait_for_status(page, "finished")
    page.get_by_role("radio", name="Table").click()
    page.get_by_role("link", name="Every epoch (CSV)").wait_for()


def test_a_run_is_taken_away_in_each_format_and_brought_back(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(f"?samples=100&epochs={EPOCHS}&engine=single&replicas=1")
    trained(page)
    csv = pd.read_csv(download(page, "Every epoch (CSV)").path())
    assert list(csv["epoch"]) == list(range(1, EPOCHS + 1))
    parquet = pq.read_table(download(page, "Every epoch (Parquet)").path())
    assert parquet["seconds"].to_pylist() == csv["seconds"].tolist()
    for column in ("epoch", "loss", "slope", "intercept", "learning_rate"):
        np.testing.assert_allclose(parquet[column].to_pylist(), csv[column], rtol=1e-6, err_msg=column)
    file = download(page, "To import elsewhere (JSON)")
    assert re.fullmatch(r"dpdash-\w+\.jsonl", file.suggested_filename)
    file.save_as(tmp_path / "run.jsonl")
    assert json.loads((tmp_path / "run.jsonl").read_text().splitlines()[0])["format"] == "dpdash runs"
    with zipfile.ZipFile(download(page, "Every epoch (TensorBoard)").path()) as archive:
        (path,) = archive.namelist()
        events_file = archive.extract(path, tmp_path / "logs")
    events = EventAccumulator(events_file, size_guidance={"scalars": 0}).Reload()
    for tag in TAGS:
        read = events.Scalars(tag)
        assert [event.step for event in read] == list(csv["epoch"])
        np.testing.assert_allclose([event.value for event in read], csv[tag], rtol=1e-6)
    download(page, "Full report (HTML)").save_as(tmp_path / "report.html")
    report = page.context.new_page()
    report.goto((tmp_path / "report.html").as_uri())
    report.locator(".main-svg").first.wait_for()
    expect(report.get_by_role("row", name=f"Epochs trained {EPOCHS:,}")).to_be_visible()
    report.close()

    before = address(page)
    page.locator("input[type=file]:enabled").set_input_files(tmp_path / "run.jsonl")
    expect(page.get_by_text("This run was imported from a file.")).to_be_visible()
    wait_for_script(page, "(before) => location.href !== before", before)
    again = pd.read_csv(download(page, "Every epoch (CSV)").path())
    assert again.drop(columns="run").equals(csv.drop(columns="run"))


def test_a_file_that_is_no_export_is_refused_with_a_sentence(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("?samples=100&epochs=5&engine=single&replicas=1")
    page.get_by_role("radio", name="Table").click()
    (tmp_path / "bad.jsonl").write_bytes(b"{1}")
    page.locator("input[type=file]:enabled").set_input_files(tmp_path / "bad.jsonl")
    expect(page.get_by_text("line 1 goes wrong at character 2, near 1}.")).to_be_visible()
    (tmp_path / "good.jsonl").write_bytes(file_of(whole_run()).getvalue())
    page.locator("input[type=file]:enabled").set_input_files(tmp_path / "good.jsonl")
    expect(page.get_by_text("Runs imported: 1.")).to_be_visible()
    expect(page.get_by_role("link", name="Every epoch (CSV)")).to_be_visible()


@pytest.mark.long
def test_the_menu_is_for_everybody(open_page: OpenPage) -> None:
    page = open_page("?samples=100&epochs=5&engine=single&replicas=1")
    trained(page)
    assert_for_everybody(page)


def test_a_chart_is_saved_as_an_image(open_page: OpenPage) -> None:
    page = open_page("?samples=100&epochs=5&engine=single&replicas=1")
    chart = page.locator(".dpdash-plot").first
    for title, begin in (("Download plot as a PNG", b"\x89PNG"), ("Download plot as an SVG", b"<svg")):
        chart.hover()
        with page.expect_download() as waiting:
            chart.locator(f"[data-title='{title}']").click()
        assert waiting.value.path().read_bytes().startswith(begin)
