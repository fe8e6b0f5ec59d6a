import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import RunFileError
from dpdash.files.mlflow import EXPERIMENT, VARIABLE, send_to_mlflow
from dpdash.files.tensorboard import TAGS
from tests.fakes import block_of
from tests.unit.files.made_up import STARTED, whole_run

NUM_EPOCHS = 600
RUN = whole_run((STARTED, block_of(1, NUM_EPOCHS)), RunConfig(epochs=NUM_EPOCHS), name="The best")

# MLflow uses what SQLAlchemy 2.1 no longer likes.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sqlalchemy.exc.SADeprecationWarning", "ignore::DeprecationWarning"
)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A reader of what MLflow keeps in a file of its own."""
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv(VARIABLE, uri)
    return mlflow.MlflowClient(tracking_uri=uri)


def test_mlflow_reads_every_epoch_back(client: Any) -> None:
    sent = client.get_run(send_to_mlflow(RUN))
    assert client.get_experiment(sent.info.experiment_id).name == EXPERIMENT
    assert sent.info.run_name == "The best"
    assert sent.info.start_time == 1_000_500
    assert sent.data.params["epochs"] == str(NUM_EPOCHS)
    assert sent.data.tags["dpdash.run"] == "abc"
    (block,) = RUN.blocks()
    for tag in TAGS:
        found = client.get_metric_history(sent.info.run_id, tag)
        assert [metric.step for metric in found] == list(range(1, NUM_EPOCHS + 1))
        assert np.array_equal([metric.value for metric in found], getattr(block, tag).astype(np.float64))
        since = np.array([metric.timestamp for metric in found]) - sent.info.start_time
        assert np.allclose(since, 1000 * block.seconds, rtol=0, atol=1), "in milliseconds"


def test_a_second_run_goes_into_the_same_experiment(client: Any) -> None:
    first, second = send_to_mlflow(RUN), send_to_mlflow(RUN)
    assert first != second
    assert len({client.get_run(run_id).info.experiment_id for run_id in (first, second)}) == 1


def test_without_an_address_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(RunFileError, match="Set MLFLOW_TRACKING_URI to where MLflow keeps its runs"):
        send_to_mlflow(RUN)


def test_an_address_that_leads_nowhere_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv(VARIABLE, "nowhere://x")
    with pytest.raises(RunFileError, match="MLflow at MLFLOW_TRACKING_URI did not take the run"):
        send_to_mlflow(RUN)


def test_without_mlflow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(RunFileError, match=r"needs mlflow, which is not installed. Install it: python -m pip"):
        send_to_mlflow(RUN)
