"""Links that no page has written, as a browser opens them: on a phone, with what the page then says."""

from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.browser import address, wait_for_script
from tests.e2e.conftest import OpenPage

PHONE: Final = {"width": 380, "height": 800}
LINKS: Final = {
    "&".join(f"parameter={number}" for number in range(1_499)): "A link can have at most 1,000 parameters. "
    "Received: 1,500. Try it with settings alone.",
    "samples=%F0%9F%A6%84": "Samples must be a whole number. Received: 🦄. Try 10,000.",
    "noise=%0A%0A%3Cscript%3Ealert(1)%3C/script%3E": "Noise must be a number. Received: "
    "��<script>alert(1)</script>. Try 0.5.",
    "run=../../etc/passwd": "There is no run ../../etc/passwd here, perhaps because it was never saved. "
    "Press Start for a new one.",
}


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link[:20])
def test_a_wrong_link_says_so_and_the_rest_of_it_applies(link: str, open_page: OpenPage) -> None:
    page = open_page(f"?{link}&epochs=30", viewport=PHONE)
    [sentence] = page.get_by_test_id("stAlert").all_inner_texts()
    assert sentence == LINKS[link]
    wait_for_script(page, "location.search.includes('learning_rate')")
    assert parse_qs(urlsplit(address(page)).query)["epochs"] == ["30"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
