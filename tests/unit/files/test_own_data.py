import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.own_data import MOST_BYTES, OwnDataError, Table
from dpdash.core.translations import LANGUAGES, language
from dpdash.files import own_data
from dpdash.files.own_data import fits_as_it_is, name_of, read_table, table_parts
from tests.unit.core.test_own_data import TABLE, tables


def read(text: str | bytes, most_rows: int = 1000) -> Table:
    return read_table(io.BytesIO(text if isinstance(text, bytes) else text.encode()), most_rows)


def rows_of(table: Table) -> list[tuple[float, float]]:
    return list(zip(table.x.tolist(), table.y.tolist(), strict=True))


@settings(deadline=None)
@given(table=tables())
def test_what_is_written_reads_as_the_very_same(table: Table) -> None:
    back = read(b"".join(table_parts(table)))
    np.testing.assert_array_equal([back.x, back.y], [table.x, table.y])


@settings(deadline=None)
@given(table=tables(), separator=st.sampled_from(";\t"), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_decimal_commas_and_other_ends_of_lines(table: Table, separator: str, end: str) -> None:
    lines = [f"{x!r}{separator}{y!r}".replace(".", ",") for x, y in rows_of(table)]
    back = read(end.join([f"x{separator}y", *lines]))
    np.testing.assert_array_equal([back.x, back.y], [table.x, table.y])


@settings(deadline=None)
@given(garbage=st.one_of(st.binary(max_size=200), st.text('xy,;\t.0123456789eE+-na"\n\r \0_', max_size=80)))
def test_garbage_is_a_sentence_in_every_language_and_never_another_error(garbage: str | bytes) -> None:
    try:
        table = read(garbage)
    except OwnDataError as error:
        said = [language(code).error(error) for code in LANGUAGES]
    else:
        assert np.isfinite([table.x, table.y]).all() and len(table) >= 2
        return
    assert all(said)


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n3,4.5",
        "1,2\n3,4.5",
        "y,x\n2,1\n4.5,3",
        "\ufeffX,Y\r\n1,2\r\n\r\n3,4.5\r\n",
        "x;y\n1;2\n3;4,5",
        "x\ty\n1\t2\n3\t4.5",
        '"x","y"\n"1","2"\n3,4.5',
        " x , y \n 1 , 2 \n 3 , 4.5 ",
        "x,y\n1e0,+2\n3,.45E1",
    ],
)
def test_the_ways_to_write_a_table(text: str) -> None:
    assert rows_of(read(text)) == [(1, 2), (3, 4.5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "2 rows or more. Received: 0"),
        ("x,y\n1,2", "2 rows or more. Received: 1"),
        ("x,y\n1,2\n3,oops\n5,nan\n6,7", "Line 3: .* Received: 3,oops. .* Lines like that: 2."),
        ("1,2\ninf,3", "Line 2"),
        ("1,2\n1e16,3", "at most 1e.15. Received: 1e16,3"),
        ("1,2\n1_0,3", "Line 2"),
        ("1,2\n,3", "Line 2"),
        ("a,b\n1,2\n3,4", "must be called x and y.* Received: a, b"),
        ("x,y,z\n1,2,3\n4,5,6", "must be called x and y"),
        ("1,2\n3,4,5", "Line 2 must have two numbers"),
        ("1,5,2,5\n3,4", "semicolon"),
        (b"x,y\n1,\xe9\n", "UTF-8. Received: 0xe9 at byte 7"),
        ("1,2\n" + "3" * 2000 + ",4", "Line 2 must have at most 1000 characters"),
        ("1,2\n" * 1001, "at most 1000 rows. Received: 1001"),
        (b"1,2\n" * (MOST_BYTES // 4 + 1), "bytes"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(text: str | bytes, said: str) -> None:
    with pytest.raises(OwnDataError, match=said):
        read(text)


def test_reading_at_once_and_by_line_give_the_same() -> None:
    text = "x;y\n1,25;2\n3;4,5\n"
    at_once = own_data._read_at_once(text, 10)
    assert at_once is not None
    assert rows_of(at_once) == rows_of(own_data._read_by_line(text, 10))


@pytest.mark.parametrize(
    ("name", "shown"), [("a.csv", "a.csv"), ("", "data.csv"), ("a\x1b\u202eb", "a��b"), ("é" * 99, "é" * 60)]
)
def test_a_name_can_be_shown(name: str, shown: str) -> None:
    assert name_of(name) == shown
    TABLE.reference(name_of(name), is_standardised=False)


@pytest.mark.parametrize(("factor", "offset", "fits"), [(1, 0, True), (1000, 0, False), (1, 1500, False)])
def test_large_numbers_want_standard_units(factor: float, offset: float, fits: bool) -> None:
    x = np.linspace(-2, 2, 20)
    assert fits_as_it_is(Table(factor * x, 2 * x + offset)) is fits
