"""Runs as TensorBoard event files: every epoch, with the wall time that training had reached."""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from dpdash.core.events import EpochBlock
from dpdash.core.translations import Language
from dpdash.files.buffer import Outbox
from dpdash.files.libraries import needing
from dpdash.files.run import WholeRun

TAGS: Final = ("loss", "slope", "intercept", "learning_rate")
LIBRARY: Final = "tensorboard"
ROWS_AT_ONCE: Final = 1_024
LONGEST_FOLDER: Final = 60
"""Letters of a run's name in its folder's."""


def folder_name(run: WholeRun, language: Language) -> str:
    """The folder of a run, by which TensorBoard tells it from others: what it is called, and its id."""
    name = re.sub(r"[^\w.→-]+", "_", run.name(language))[:LONGEST_FOLDER].strip("._")
    return f"{name}-{run.record.run_id}".lstrip("-")


def zip_parts(runs: Sequence[WholeRun], language: Language) -> Iterator[bytes]:
    """An archive with a folder for each run, and its event file in that.

    Raises:
        RunFileError: with what to install where TensorBoard is missing.
    """
    outbox = Outbox()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for run in runs:
            path = f"{folder_name(run, language)}/{event_file_name(run)}"
            with archive.open(path, "w", force_zip64=True) as file:
                for part in event_parts(run, language):
                    file.write(part)
                    yield outbox.take()
    yield outbox.take()


def event_file_name(run: WholeRun) -> str:
    """What TensorBoard takes for an event file, by its name."""
    return f"events.out.tfevents.{int(run.record.created_at)}.dpdash-{run.record.run_id}"


def event_parts(run: WholeRun, language: Language) -> Iterator[bytes]:
    """The records of the file. TensorBoard keeps float32 of each number.

    Raises:
        RunFileError: with what to install where TensorBoard is missing.
    """
    with needing(LIBRARY):
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text.metadata import create_summary_metadata
        from tensorboard.summary.writer.record_writer import RecordWriter
    began = run.record.created_at
    changes = [asdict(change) for change in run.history.learning_rate_changes]
    known = {"name": run.name(language), "run": run.record.run_id, "learning_rate_changes": changes}
    settings = json.dumps(run.record.config.model_dump(mode="json") | known)
    text = Summary.Value(
        tag="settings",
        metadata=create_summary_metadata("settings", ""),
        tensor=TensorProto(dtype=DT_STRING, string_val=[settings.encode()]),
    )
    outbox = Outbox()
    writer = RecordWriter(outbox)
    writer.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
    writer.write(Event(wall_time=began, summary=Summary(value=[text])).SerializeToString())
    for block in run.blocks():
        for row, (epoch, seconds, *values) in enumerate(_rows(block)):
            scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in zip(TAGS, values, strict=True)]
            event = Event(wall_time=began + seconds, step=epoch, summary=Summary(value=scalars))
            writer.write(event.SerializeToString())
            if row % ROWS_AT_ONCE == 0:
                yield outbox.take()
    yield outbox.take()


def _rows(block: EpochBlock) -> Iterator[tuple[float, ...]]:
    epochs = range(block.first_epoch, block.last_epoch + 1)
    columns = (getattr(block, name).tolist() for name in ("seconds", *TAGS))
    return zip(epochs, *columns, strict=True)
