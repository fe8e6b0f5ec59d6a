"""A run sent to an MLflow tracking server or store, with every epoch."""

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from dpdash.core.errors import N_, RunFileError
from dpdash.core.events import RunStatus
from dpdash.core.translations import ENGLISH, language
from dpdash.files.libraries import needing
from dpdash.files.run import WholeRun
from dpdash.files.tensorboard import TAGS

LIBRARY: Final = "mlflow"
VARIABLE: Final = "MLFLOW_TRACKING_URI"
EXPERIMENT: Final = "dpdash"
METRICS_IN_BATCH: Final = 1_000
"""The most that MLflow takes in one request."""
MILLISECONDS: Final = 1_000
STATUS: Final = {RunStatus.FINISHED: "FINISHED", RunStatus.STOPPED: "KILLED", RunStatus.INTERRUPTED: "KILLED"}

NO_ADDRESS: Final = N_(
    "Set {variable} to where MLflow keeps its runs, as in http://127.0.0.1:5000 or sqlite:///mlflow.db, and "
    "try again."
)
REFUSED: Final = N_("MLflow at {variable} did not take the run ({detail}). Check that address, and try again.")


def tracking_uri() -> str | None:
    """Where runs are sent to; None where nobody has said."""
    return os.environ.get(VARIABLE) or None


def send_to_mlflow(run: WholeRun) -> str:
    """Send the run to the tracking URI that is set; the id that it has there.

    Raises:
        RunFileError: when MLflow is missing, no address is set, or the run is not taken.
    """
    with needing(LIBRARY):
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    uri = tracking_uri()
    if uri is None:
        raise RunFileError(NO_ADDRESS, variable=VARIABLE)
    try:
        return _sent(MlflowClient(tracking_uri=uri), run)
    except (MlflowException, OSError) as error:
        detail = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise RunFileError(REFUSED, variable=VARIABLE, detail=detail) from error


def _sent(client: Any, run: WholeRun) -> str:
    from mlflow.entities import Param, RunTag

    record = run.record
    known = client.get_experiment_by_name(EXPERIMENT)
    experiment = known.experiment_id if known is not None else client.create_experiment(EXPERIMENT)
    began = int(record.created_at * MILLISECONDS)
    name = run.name(language(ENGLISH))
    run_id: str = client.create_run(experiment, start_time=began, run_name=name).info.run_id
    params = [Param(key, str(value)) for key, value in record.config.model_dump(mode="json").items()]
    values = {"run": record.run_id, "status": record.status.value, "imported": str(record.is_imported).lower()}
    tags = [RunTag(f"dpdash.{key}", value) for key, value in values.items()]
    client.log_batch(run_id, params=params, tags=tags)
    metrics = _metrics(run, began)
    while batch := list(islice(metrics, METRICS_IN_BATCH)):
        client.log_batch(run_id, metrics=batch)
    ended = began if record.ended_at is None else int(record.ended_at * MILLISECONDS)
    client.set_terminated(run_id, STATUS.get(record.status, "FAILED"), ended)
    return run_id


def _metrics(run: WholeRun, began: int) -> Iterator[Any]:
    from mlflow.entities import Metric

    for block in run.blocks():
        times = (began + block.seconds * MILLISECONDS).astype("int64").tolist()
        for tag in TAGS:
            for row, value in enumerate(getattr(block, tag).tolist()):
                yield Metric(tag, value, times[row], block.first_epoch + row)
