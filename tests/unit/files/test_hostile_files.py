"""Files that nobody exported: each is refused with a sentence, in bounded memory, and never with anything else."""

import io
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.errors import RunFileError
from dpdash.core.translations import language
from dpdash.files import json_reader as json_reading
from dpdash.files import run_reader as run_reading
from dpdash.files.bounds import MOST_PART_BYTES
from dpdash.files.run_reader import read_runs
from tests.strategies import HOSTILE_VALUES
from tests.unit.files.made_up import NUM_EPOCHS, file_of, file_with, parts_of, whole_run

MB = 2**20
MOST_MEMORY_MB = 6
WHOLE = file_of(whole_run()).getvalue()
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | HOSTILE_VALUES | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def refusal(file: io.BufferedIOBase | io.RawIOBase) -> str:
    with pytest.raises(RunFileError) as caught:
        read_runs(file)  # type: ignore[arg-type]  # all that it needs is read
    sentence = str(caught.value)
    assert len(sentence) < 1_000
    return sentence


def read_or_refused(data: bytes) -> None:
    """Read a file that may be anything: runs come of it, or a sentence that can be shown."""
    try:
        read_runs(io.BytesIO(data))
    except RunFileError as error:
        sentence = str(error)
        assert sentence.isprintable()
        assert len(sentence) < 2_000


@given(data=st.binary(max_size=200))
def test_any_bytes_are_no_file_of_runs(data: bytes) -> None:
    refusal(io.BytesIO(data))


@given(value=JSON_VALUES)
def test_any_json_is_no_file_of_runs(value: Any) -> None:
    refusal(io.BytesIO(json.dumps(value).encode()))


@given(parts=st.lists(JSON_VALUES, max_size=4))
def test_any_parts_after_a_rightful_head(parts: list[Any]) -> None:
    read_or_refused(file_with([parts_of(whole_run())[0], *parts]).getvalue())


@given(at=st.integers(0, len(WHOLE) - 1), cut=st.integers(0, 40), junk=st.binary(max_size=6))
def test_a_damaged_file(at: int, cut: int, junk: bytes) -> None:
    read_or_refused(WHOLE[:at] + junk + WHOLE[at + cut :])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a file where a value stands."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value[:2]))
    return [path, *(place for key, part in inside for place in places(part, (*path, key)))]


PLACES = places(parts_of(whole_run()))[1:]


@given(place=st.sampled_from(PLACES), value=JSON_VALUES)
def test_any_value_in_any_place(place: tuple[Any, ...], value: Any) -> None:
    parts = parts_of(whole_run())
    inside = parts
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    read_or_refused(file_with(parts).getvalue())


@given(place=st.sampled_from([place for place in PLACES if isinstance(place[-1], str)]))
def test_any_field_that_is_missing(place: tuple[Any, ...]) -> None:
    parts = parts_of(whole_run())
    inside = parts
    for key in place[:-1]:
        inside = inside[key]
    del inside[place[-1]]
    read_or_refused(file_with(parts).getvalue())


Change = Callable[[list[Any]], None]


def rows(parts: list[Any]) -> Any:
    return parts[3]["rows"]


CHANGES: dict[str, tuple[Change, str]] = {
    "another format": (lambda parts: parts[0].update(format="x"), "format in part 1 of the file must be one of"),
    "another version": (lambda parts: parts[0].update(version=2), "version in part 1 of the file must be one of"),
    "no run": (lambda parts: parts.__delitem__(slice(1, None)), "There is no run in the file"),
    "rows of no run": (lambda parts: parts.pop(1), "belongs to no run"),
    "a setting beyond its bound": (
        lambda parts: parts[1]["run"]["config"].update(samples=10**9),
        "samples must be at most 10000000. Received: 1000000000.",
    ),
    "an unknown setting": (
        lambda parts: parts[1]["run"]["config"].update(__class__="x"),
        "There is no setting called __class__",
    ),
    "an unknown field": (lambda parts: parts[1]["run"].update(owner="me"), "There is no field owner in part 2"),
    "a gap": (lambda parts: rows(parts).update(first_epoch=5), "must go on with epoch 1. Received: 5."),
    "a column that is short": (
        lambda parts: rows(parts)["slope"].pop(),
        "slope in part 4 of the file must have as",
    ),
    "a text for a number": (
        lambda parts: rows(parts)["loss"].__setitem__(0, "1.5"),
        "loss in part 4 of the file must be finite numbers. Received: 1.5.",
    ),
    "a number that is missing": (lambda parts: rows(parts)["loss"].__setitem__(0, None), "Received: None."),
    "a number beyond its width": (lambda parts: rows(parts)["loss"].__setitem__(0, 1e300), "Received: 1e+300."),
    "a time before the run": (
        lambda parts: rows(parts)["seconds"].__setitem__(0, -1.0),
        "must begin at 0.0 or later, and never fall. Received: -1.0.",
    ),
    "a time that falls": (lambda parts: rows(parts)["seconds"].__setitem__(1, 0.0), "never fall. Received: 0.0."),
    "a time that falls in the next part": (
        lambda parts: parts[-1]["rows"].__setitem__("seconds", [0.0] * len(parts[-1]["rows"]["seconds"])),
        "never fall. Received: 0.0.",
    ),
    "an end before the run": (lambda parts: parts[1]["run"]["ended"].__setitem__("seconds", -1.0), "at least 0"),
    "a number beyond any": (lambda parts: rows(parts)["seconds"].__setitem__(0, 10**399), "must be finite"),
    "a list for a number": (lambda parts: rows(parts)["loss"].__setitem__(0, [1]), "Received: [1]."),
    "more epochs than the run has": (
        lambda parts: parts[1]["run"]["config"].update(epochs=9),
        "go to epoch 10, but the run has 9",
    ),
    "an end that counts other epochs": (
        lambda parts: parts[1]["run"]["ended"].update(num_epochs=7),
        f"trained 7 epochs, and has the rows of {NUM_EPOCHS}",
    ),
    "more devices than there may be": (
        lambda parts: parts[1]["run"]["started"].update(devices=["cpu"] * 65),
        "may have at most 64 entries. Received: 65.",
    ),
    "too deep": (
        lambda parts: parts[1]["run"].update(note=json.loads("[" * 20 + "]" * 20)),
        "objects and lists more than 8 deep",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_wrong_is_said(name: str) -> None:
    change, expected = CHANGES[name]
    parts = parts_of(whole_run())
    change(parts)
    assert expected in refusal(file_with(parts))


def test_a_refusal_is_told_whole_in_the_readers_language() -> None:
    def in_portuguese(name: str) -> str:
        parts = parts_of(whole_run())
        CHANGES[name][0](parts)
        with pytest.raises(RunFileError) as caught:
            read_runs(file_with(parts))
        return language("pt_BR").error(caught.value)

    assert in_portuguese("another version") == (
        "version na parte 1 do arquivo: deve ser um destes: 1. Recebido: 2. Corrija ou exporte de novo."
    )
    assert in_portuguese("a setting beyond its bound").endswith(
        "Amostras: deve ser no máximo 10.000.000. Recebido: 1000000000. Tente 10.000."
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "ends in the middle, in line 1"),
        (b"[", "ends in the middle, in line 1"),
        (b"\xff\xfe[", "not text in UTF-8"),
        (b"[1]", "must be one JSON object. Received: [1] in line 1"),
        (b'{"format": NaN}', "NaN in part 1 of the file is no number"),
        (b'{"format": ' + b"9" * 5_000 + b"}", "in part 1 of the file is no number"),
        (b'\n{"a" 1}', "line 2 goes wrong at character 6, near 1}"),
        (WHOLE[:-100], "ends in the middle, in line 5"),
        (WHOLE + b"x", "line 6 goes wrong at character 1, near x"),
        (b"[" * 100_000, "deep"),
        (b'{"a": ' + b"[" * 100_000, "deep"),
        (b'[\n{"format": "dpdash runs", "version": 1}\n', "ends in the middle"),
        (b'[\n{"format": "dpdash runs", "version": 1}\n]\n]', "line 4 goes wrong at character 1, near ]"),
    ],
)
def test_what_is_no_json_is_said(data: bytes, expected: str) -> None:
    assert expected in refusal(io.BytesIO(data))


class Endless(io.RawIOBase):
    """A file that never ends, and is nowhere whole."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        super().__init__()
        self._begin = begin
        self._again = again
        self.num_bytes = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        begun, self._begin = self._begin, b""
        assert size is not None
        data = self._again if self._again.endswith(b"\n") else self._again * (size // len(self._again))
        self.num_bytes += len(begun + data)
        return begun + data


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b'{"rows": [', b"[],"),
        (b'{"rows": [', b"{},"),
        (b'{"rows": "', "\N{UNICORN FACE}".encode()),
        (b"", b'{"rows": [1.5]}\n'),
        (b"[", b"    "),
        (b"[\n", b"  \n"),
    ],
)
def test_a_file_without_end_costs_bounded_memory(
    begin: bytes, again: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_reading, "MOST_FILE_BYTES", 3 * MB)
    file = Endless(begin, again)
    tracemalloc.start()
    try:
        refusal(file)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY_MB * MB
    assert file.num_bytes < 4 * MB


def test_too_many_parts_runs_and_epochs_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_reading, "MOST_PARTS", 5)
    assert "more than 5 parts" in refusal(file_of(whole_run(), whole_run()))
    monkeypatch.undo()
    monkeypatch.setattr(run_reading, "MOST_RUNS", 2)
    assert "more than 2 runs" in refusal(file_of(whole_run(), whole_run(), whole_run()))
    monkeypatch.setattr(run_reading, "MOST_FILE_EPOCHS", NUM_EPOCHS)
    assert f"more than {NUM_EPOCHS} epochs" in refusal(file_of(whole_run(), whole_run()))


def test_a_part_that_is_too_long_is_said() -> None:
    long = b'{"format": "' + b"x" * MOST_PART_BYTES + b'"}'
    assert "Line 1 of the file has more than" in refusal(io.BytesIO(long))
