"""A table of x and y as a CSV file: checked as it comes in, and written so that the very values come back."""

import re
from collections.abc import Iterator
from typing import IO, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_
from dpdash.core.optimum import Moments, optimum
from dpdash.core.own_data import LARGEST, LONGEST_NAME, MOST_BYTES, MOST_ROWS, OwnData, OwnDataError, Table
from dpdash.core.validation import shown
from dpdash.runs.service import RunService

LONGEST_LINE: Final = 1_000
FEWEST_ROWS: Final = 2
COLUMNS: Final = ("x", "y")
ROWS_IN_PART: Final = 10_000
OVERLONG: Final = re.compile(rf"[^\r\n]{{{LONGEST_LINE + 1}}}")
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
END_OF_LINE: Final = re.compile("\r\n|\n|\r")

TOO_LARGE: Final = N_("The file must have at most {limit} bytes. Received: more. Leave out rows or digits.")
NOT_TEXT: Final = N_(
    "The file must be text in UTF-8. Received: {received} at byte {position}. Save it as CSV (UTF-8) and try "
    "again."
)
LONG_LINE: Final = N_(
    "Line {line} must have at most {limit} characters. Received: more. Write a row with one x and one y a line."
)
BAD_HEADER: Final = N_(
    "The columns must be called x and y, and there are no others. Received: {received}. Rename them, or leave the "
    "first line out."
)
BAD_COLUMNS: Final = N_(
    "Line {line} must have two numbers, x and y. Received: {received}. Separate them with a comma; numbers that "
    "have a decimal comma, with a semicolon."
)
BAD_NUMBERS: Final = N_(
    "Line {line}: x and y must be finite numbers of at most {limit}. Received: {received}. Correct or delete "
    "the line. "
    "Lines like that: {number}."
)
TOO_FEW: Final = N_("The file must have {limit} rows or more. Received: {received}. Add rows with an x and a y.")
TOO_MANY: Final = N_("The file must have at most {limit} rows. Received: {received}. Leave some out.")


def read_table(file: IO[bytes], most_rows: int = MOST_ROWS) -> Table:
    """The rows of a file, whose first line may name the columns, in either order.

    Columns are separated by commas, semicolons or tabs; with the latter two, decimals may have a comma.

    Raises:
        OwnDataError: with one sentence about the first thing that is not as it should be.
    """
    text = _text(file)
    most = min(most_rows, MOST_ROWS)
    return _read_at_once(text, most) or _read_by_line(text, most)


def _read_at_once(text: str, most_rows: int) -> Table | None:
    """The table of a text in which nothing is wrong, as nearly all are; else None: a sentence needs the line."""
    first = text.lstrip("\r\n").partition("\n")[0].strip("\r ")
    separator = _separator(first)
    names = [cell.lower() for cell in _cells(first, separator)]
    has_header = sorted(names) == sorted(COLUMNS)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text.encode()),
            arrow_csv.ReadOptions(column_names=names if has_header else COLUMNS, skip_rows=int(has_header)),
            arrow_csv.ParseOptions(delimiter=separator, quote_char=False),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(COLUMNS, pa.float64()),
                null_values=[],
                decimal_point="." if separator == "," or "." in text else ",",
            ),
        )
    except pa.ArrowInvalid:
        return None
    x, y = (table.column(name).to_numpy() for name in COLUMNS)
    is_right = FEWEST_ROWS <= len(x) <= most_rows and all((np.abs(column) <= LARGEST).all() for column in (x, y))
    return Table(x, y) if is_right else None


def _read_by_line(text: str, most_rows: int) -> Table:
    lines = [(number, line.strip(" ")) for number, line in enumerate(END_OF_LINE.split(text), 1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise OwnDataError(TOO_FEW, limit=FEWEST_ROWS, received=0)
    separator = _separator(lines[0][1])
    rows = [(number, _cells(text, separator)) for number, text in lines]
    is_turned = _is_turned(rows[0][1])
    if is_turned is not None:
        del rows[0]
    if not FEWEST_ROWS <= len(rows) <= most_rows:
        rule, limit = (TOO_FEW, FEWEST_ROWS) if len(rows) < FEWEST_ROWS else (TOO_MANY, most_rows)
        raise OwnDataError(rule, limit=limit, received=len(rows))
    x, y = _numbers(rows, separator).T
    return Table(y.copy(), x.copy()) if is_turned else Table(x.copy(), y.copy())


def brought(file: IO[bytes], file_name: str, service: RunService) -> OwnData:
    """A table that somebody brings to a server: checked, kept there, and standardised where that is needed.

    Raises:
        OwnDataError: with one sentence about the first thing that is not as it should be.
    """
    table = read_table(file, service.limits.samples)
    service.own_tables.take(table)
    return table.reference(name_of(file_name), is_standardised=not fits_as_it_is(table))


def name_of(file_name: str) -> str:
    """What a table is called: its file's name, as it can be shown."""
    signs = (sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in file_name[:LONGEST_NAME])
    return "".join(signs).strip() or "data.csv"


def fits_as_it_is(table: Table) -> bool:
    """Whether the usual settings reach the best line of a table without making standard units of it.

    Adam moves slope and intercept by about the learning rate an epoch, 5 in all; where x is large, SGD diverges.
    """
    moments, usual = Moments.of(table.x, table.y), RunConfig()
    best = optimum(moments)
    reach = usual.learning_rate * usual.epochs
    return max(abs(best.slope), abs(best.intercept)) <= reach and moments.var_x + moments.mean_x**2 <= reach**2


def table_parts(table: Table) -> Iterator[bytes]:
    """A file that reads as the very same table, part by part."""
    yield (",".join(COLUMNS) + "\n").encode()
    for begin in range(0, len(table), ROWS_IN_PART):
        part = slice(begin, begin + ROWS_IN_PART)
        pairs = zip(table.x[part].tolist(), table.y[part].tolist(), strict=True)
        yield "".join(f"{x!r},{y!r}\n" for x, y in pairs).encode()


def _text(file: IO[bytes]) -> str:
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OwnDataError(TOO_LARGE, limit=MOST_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        received = f"0x{data[error.start]:02x}"
        raise OwnDataError(NOT_TEXT, received=received, position=error.start + 1) from None
    long = OVERLONG.search(text)
    if long is not None:
        line = len(END_OF_LINE.findall(text, 0, long.start())) + 1
        raise OwnDataError(LONG_LINE, line=line, limit=LONGEST_LINE)
    return text


def _separator(line: str) -> str:
    return next((sign for sign in ";\t" if sign in line), ",")


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip(' "') for cell in line.split(separator)]


def _is_turned(cells: list[str]) -> bool | None:
    """Whether a first line names y before x; None where it is a row already."""
    if any(_is_number_like(cell) for cell in cells):
        return None
    names = tuple(cell.lower() for cell in cells)
    if sorted(names) != sorted(COLUMNS):
        raise OwnDataError(BAD_HEADER, received=shown(", ".join(cells)))
    return names != COLUMNS


def _is_number_like(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _numbers(
    rows: list[tuple[int, list[str]]], separator: str
) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Shape (num_rows, 2)."""
    numbers, bad = np.empty((len(rows), 2)), list[tuple[int, list[str]]]()
    for place, (line, cells) in enumerate(rows):
        if len(cells) != len(COLUMNS):
            raise OwnDataError(BAD_COLUMNS, line=line, received=shown(separator.join(cells)))
        if separator != ",":
            cells = [cell.replace(",", ".") for cell in cells]
        if not all(map(NUMBER.fullmatch, cells)):
            bad.append((line, cells))
            continue
        x, y = map(float, cells)
        numbers[place] = x, y
        if not (abs(x) <= LARGEST and abs(y) <= LARGEST):
            bad.append((line, cells))
    if bad:
        line, cells = bad[0]
        received = shown(separator.join(cells))
        raise OwnDataError(BAD_NUMBERS, line=line, limit=f"{LARGEST:g}", received=received, number=len(bad))
    return numbers
