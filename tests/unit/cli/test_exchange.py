"""`python -m dpdash exchange`: what an exchange costs, out of real ranks, and what is wrong said in a sentence."""

from pathlib import Path

import pytest

from dpdash.store.store import RunStore
from tests.unit.cli.test_app import called

TINY = ("exchange", "--samples", "200", "--hidden-width", "4", "--hidden-depth", "1", "--repeats", "1")


@pytest.mark.long
def test_real_ranks_print_a_curve_steps_and_what_follows_and_it_is_kept(tmp_path: Path) -> None:
    database, file = tmp_path / "runs.db", tmp_path / "exchange.csv"
    said = called(database, *TINY, "--csv", str(file))
    assert said.status == 0, said.stderr
    for part in (
        "all-reduce",
        "ring by hand",
        "naive exchange",
        "64 MiB",
        "all-reduce taken away",
        "buckets: 1, torch's own",
        "8 micro-batches, an exchange after each",
        "An all-reduce over 2 ranks takes ",
        "The gradient of this model has 52 bytes",
        "A gradient so small is in one bucket",
    ):
        assert part in said.stdout
    store = RunStore(f"sqlite:///{database}")
    (head,) = store.exchanges.heads(2)
    study = store.exchanges.get(head.value_id)
    store.close()
    assert study is not None
    assert len(study.measurements) == study.num_wanted
    assert len(file.read_text().splitlines()) == 1 + study.num_wanted


@pytest.mark.long
def test_json_is_one_object(tmp_path: Path) -> None:
    said = called(tmp_path / "runs.db", *TINY, "--json")
    assert (said.status, said.stderr) == (0, "")
    values = said.json
    assert values["status"] == "finished"
    assert [(curve["way"], curve["replicas"]) for curve in values["curves"]] == [
        ("all_reduce", 2),
        ("ring", 2),
        ("naive", 2),
    ]
    assert values["gradient"]["num_bytes"] == 52
    assert [one["buckets"] for one in values["steps"]["buckets"]] == [1]
    assert "owner" not in values


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--replicas", "1"), "replicas must be at least 2. Received: 1. Try 2."),
        (("--replicas", "64"), "DDP takes at most"),
        (("--samples", "0"), "samples must be at least 1"),
        (("--hidden-width", "8,16"), "hidden width must be a whole number. Received: 8,16. Try 512."),
        (("--seconds", "nan"), "seconds must be a number. Received: nan. Try 0.05."),
        (("--csv", "/nowhere/at/all.csv"), "there is no folder /nowhere/at."),
    ],
)
def test_what_cannot_be_measured_is_said(options: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    said = called(tmp_path / "runs.db", *TINY, *options)
    assert said.status == 2
    assert sentence in said.stderr
    assert said.stdout == ""
