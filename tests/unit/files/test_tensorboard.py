import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dpdash.core import extras
from dpdash.core.config import RunConfig
from dpdash.core.errors import RunFileError
from dpdash.core.translations import language
from dpdash.files.tensorboard import TAGS, event_file_name, event_parts, folder_name, zip_parts
from tests.fakes import block_of
from tests.unit.files.made_up import STARTED, whole_run

NUM_EPOCHS = 2_500
ENGLISH = language("en")
RUN = whole_run((STARTED, block_of(1, 2_000), block_of(2_001, 500)), RunConfig(epochs=NUM_EPOCHS))


def test_tensorboard_reads_every_epoch_back(tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (tmp_path / event_file_name(RUN)).write_bytes(b"".join(event_parts(RUN, ENGLISH)))
    read = accumulators.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "tensors": 0})
    read.Reload()
    assert set(read.Tags()["scalars"]) == set(TAGS)
    for tag in TAGS:
        sent = np.concatenate([getattr(block, tag) for block in RUN.blocks()]).astype(np.float32)
        found = read.Scalars(tag)
        assert [event.step for event in found] == list(range(1, NUM_EPOCHS + 1))
        assert np.array_equal(np.array([event.value for event in found], dtype=np.float32), sent)
    assert found[6].wall_time == pytest.approx(RUN.record.created_at + 1.0)
    (settings,) = read.Tensors("settings")
    known = json.loads(settings.tensor_proto.string_val[0])
    assert (known["epochs"], known["name"]) == (NUM_EPOCHS, "epochs 2,500")


def test_the_file_comes_in_pieces() -> None:
    pytest.importorskip("tensorboard")
    assert len(list(event_parts(RUN, ENGLISH))) > 2


def test_several_runs_are_an_archive_with_a_folder_for_each() -> None:
    pytest.importorskip("tensorboard")
    runs = [whole_run(run_id="one", name="the good one / ../50 %"), whole_run(run_id="two")]
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zip_parts(runs, ENGLISH))))
    assert archive.testzip() is None
    assert [path.split("/")[0] for path in archive.namelist()] == [folder_name(run, ENGLISH) for run in runs]
    assert [path.count("/") for path in archive.namelist()] == [1, 1]
    assert folder_name(runs[0], ENGLISH) == "the_good_one_.._50-one"
    for run, path in zip(runs, archive.namelist(), strict=True):
        assert archive.read(path) == b"".join(event_parts(run, ENGLISH))
    assert len(list(zip_parts([RUN], ENGLISH))) > 2, "in pieces"


def test_without_tensorboard_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(RunFileError, match=r"needs tensorboard, which is not installed. Install it: "):
        next(event_parts(RUN, ENGLISH))
    assert not extras.is_installed("a_library_that_is_nowhere")
