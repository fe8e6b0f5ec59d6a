"""The table of the parts of a step: what is written in it adds up, in every language."""

import re
from decimal import Decimal

import pytest

from dpdash.core.config import EngineName
from dpdash.core.scaling.waterfall import Part
from dpdash.core.translations import LANGUAGES, language
from dpdash.findings.scaling.parts import waterfalls
from dpdash.ui.scaling.waterfall import parts_html
from dpdash.ui.session.language import speaking
from tests.unit.findings.scaling.made_up import measured_study
from tests.unit.sweeps.conftest import REPLICAS

BOTH = (REPLICAS, EngineName.DDP)


def rows(code: str, **changes: object) -> dict[str, list[str]]:
    with speaking(language(code)):
        table = parts_html(waterfalls(measured_study(**changes)))  # type: ignore[arg-type]
    found = re.findall(r"<tr><th scope='row'>(.*?)</th>(.*?)</tr>", table)
    return {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in found}


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_written_parts_add_up_to_the_written_step(code: str) -> None:
    spoken = language(code)
    table = rows(code, engines=BOTH, replicas=3)

    def written(cell: str) -> Decimal:
        number = cell.partition(" ")[0].replace("−", "-")
        return Decimal(0) if number == "–" else Decimal(number.replace(spoken.separators[0], "."))

    for column, step in enumerate(table[spoken.text("measured step")]):
        assert sum(written(table[spoken.name(part)][column]) for part in Part) == written(step)


def test_it_says_what_it_is_compared_with_and_what_stands_beside_the_sum() -> None:
    table = rows("en", engines=BOTH)
    assert [cell.partition(" ±")[0] for cell in table["one core"]] == ["4.00", "4.00"]
    assert table["times the whole CPU"][0].startswith("0.566 ± ")
    assert table["exchange hidden"][0] == "–" and table["exchange hidden"][1].startswith("0.40 ± ")
    alone = rows("en", num_cores=1)
    assert "the whole CPU" not in alone and "exchange hidden" not in alone
