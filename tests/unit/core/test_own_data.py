import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import RunConfig, bounds
from dpdash.core.errors import ConfigError
from dpdash.core.limits import Limits
from dpdash.core.optimum import Moments, optimum, standard_errors
from dpdash.core.own_data import LARGEST, OwnDataError, Table
from dpdash.core.settings import ServerSettings

TABLE = Table(np.array([1.0, 2.0, 4.0, 5.0]), np.array([10.0, 30.0, 50.0, 80.0]))
NUMBERS = st.floats(-LARGEST, LARGEST, allow_nan=False)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables that can be brought."""
    rows = draw(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=40))
    x, y = np.array(rows).T
    return Table(x, y)


def best_line(table: Table) -> tuple[float, float]:
    best = optimum(Moments.of(table.x, table.y))
    return best.slope, best.intercept


@given(table=tables())
def test_what_is_kept_comes_back_as_the_very_same(table: Table) -> None:
    back = Table.unpacked(table.packed())
    np.testing.assert_array_equal([back.x, back.y], [table.x, table.y])
    assert back.digest == table.digest == pickle.loads(pickle.dumps(table)).digest


def test_other_numbers_have_another_digest() -> None:
    assert Table(TABLE.y, TABLE.x).digest != TABLE.digest


@pytest.mark.parametrize(
    "packed",
    [b"", b"nonsense", TABLE.packed()[:-3], zlib.compress(b"123"), zlib.compress(np.full(4, np.nan).tobytes())],
)
def test_what_is_damaged_is_said_to_be(packed: bytes) -> None:
    with pytest.raises(OwnDataError, match="damaged"):
        Table.unpacked(packed)


def test_a_line_in_standard_units_is_undone() -> None:
    standard = TABLE.standardised()
    assert standard.x.mean() == pytest.approx(0) and standard.y.std() == pytest.approx(1)
    assert TABLE.scale.undone(best_line(standard)) == pytest.approx(best_line(TABLE))


def test_a_column_that_does_not_vary_is_no_division_by_zero() -> None:
    flat = Table(np.array([2.0, 2.0]), np.array([1.0, 3.0])).standardised()
    np.testing.assert_array_equal(flat.x, [0.0, 0.0])


def test_standard_errors_are_those_of_the_textbook() -> None:
    x, y = TABLE.x, TABLE.y
    (slope, intercept), covariance = np.polyfit(x, y, 1, cov=True)
    errors = standard_errors(Moments.of(x, y))
    assert best_line(TABLE) == pytest.approx((slope, intercept))
    assert errors == pytest.approx(np.sqrt(np.diag(covariance)))
    assert standard_errors(Moments.of(x[:2], y[:2])) is None
    assert standard_errors(Moments.of([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])) is None


def test_settings_on_own_data_have_its_rows_and_no_noise() -> None:
    data = TABLE.reference("a.csv", is_standardised=False)
    own = RunConfig(samples=50, global_batch_size=10, seed=3).on(data)
    assert own == RunConfig.parse(dict(own))
    assert (own.samples, own.noise, own.global_batch_size, own.seed) == (4, 0, None, 3)
    assert own.true_line is None and RunConfig().true_line == (3, 0)
    back = own.on_drawn()
    assert (back.data, back.samples, back.noise) == (None, RunConfig().samples, RunConfig().noise)


@pytest.mark.parametrize("changes", [{"samples": 5}, {"noise": 0.5}])
def test_own_data_are_as_they_are(changes: dict[str, float]) -> None:
    own = RunConfig().on(TABLE.reference("a.csv", is_standardised=True))
    with pytest.raises(ConfigError, match="own data"):
        RunConfig.parse(dict(own) | changes)


def test_a_link_has_nothing_of_own_data() -> None:
    query = RunConfig().on(TABLE.reference("secret.csv", is_standardised=True)).to_query()
    assert not {"data", "samples", "noise"} & set(query)
    assert "secret" not in str(query) and TABLE.digest not in str(query)


def test_where_fewer_samples_are_allowed_a_part_of_the_table_is_not_taken() -> None:
    own = RunConfig().on(TABLE.reference("a.csv", is_standardised=False))
    limits = Limits.of(ServerSettings(max_samples=3))
    assert limits.narrowed(own).data is None
    assert limits.narrowed(own).samples == 3
    assert bounds("samples")[0] == 1
