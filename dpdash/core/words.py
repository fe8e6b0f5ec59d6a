"""What choices and states are called, and when something was: the same on pages, in files and on the terminal."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final

from dpdash.core.config import EngineName, OptimizerName
from dpdash.core.errors import N_
from dpdash.core.events import RunStatus
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.plan import ScalingMode
from dpdash.core.scaling.waterfall import Beside, Device, Part
from dpdash.core.sweep import Objective, SearchMethod, TrialStatus

NAMES: Final[Mapping[type[StrEnum], Mapping[str, str]]] = {
    EngineName: {
        EngineName.SINGLE: N_("one device"),
        EngineName.DATA_PARALLEL: N_("torch DataParallel"),
        EngineName.CPU_REPLICAS: N_("DataParallel, emulated on CPU"),
        EngineName.DDP: N_("torch DistributedDataParallel"),
    },
    OptimizerName: {
        OptimizerName.ADAM: N_("Adam"),
        OptimizerName.ADAMW: N_("AdamW"),
        OptimizerName.SGD: N_("SGD"),
        OptimizerName.SGD_MOMENTUM: N_("SGD with momentum"),
        OptimizerName.RMSPROP: N_("RMSprop"),
    },
    RunStatus: {
        RunStatus.WAITING: N_("waiting"),
        RunStatus.RUNNING: N_("running"),
        RunStatus.PAUSED: N_("paused"),
        RunStatus.FINISHED: N_("finished"),
        RunStatus.DIVERGED: N_("diverged"),
        RunStatus.STOPPED: N_("stopped"),
        RunStatus.FAILED: N_("failed"),
        RunStatus.INTERRUPTED: N_("interrupted"),
    },
    ScalingMode: {ScalingMode.STRONG: N_("the global batch"), ScalingMode.WEAK: N_("the batch of a replica")},
    Part: {
        Part.IDEAL: N_("ideal"),
        Part.SMALL_SHARDS: N_("small shards"),
        Part.SHARING: N_("sharing"),
        Part.ONE_BACKWARD: N_("one backward"),
        Part.COPIES: N_("copies"),
        Part.BOOKKEEPING: N_("bookkeeping"),
        Part.EXCHANGE: N_("exchange not hidden"),
    },
    Beside: {
        Beside.EXCHANGE_HIDDEN: N_("exchange hidden"),
        Beside.WAITING: N_("waiting for the slowest"),
    },
    Device: {
        Device.ONE_CORE: N_("one core"),
        Device.ONE_GPU: N_("one GPU"),
        Device.WHOLE_CPU: N_("the whole CPU"),
    },
    ExchangeWay: {
        ExchangeWay.ALL_REDUCE: N_("all-reduce"),
        ExchangeWay.RING: N_("ring by hand"),
        ExchangeWay.NAIVE: N_("naive exchange"),
    },
    SearchMethod: {
        SearchMethod.GRID: N_("Grid"),
        SearchMethod.RANDOM: N_("Random"),
        SearchMethod.TPE: N_("TPE"),
    },
    Objective: {
        Objective.FINAL_LOSS: N_("final loss above the optimum"),
        Objective.EPOCHS_TO_REACH: N_("epochs to 1.05 × the noise floor"),
        Objective.SECONDS_TO_REACH: N_("seconds to 1.05 × the noise floor"),
    },
    TrialStatus: {
        TrialStatus.RUNNING: N_("training"),
        TrialStatus.COMPLETE: N_("complete"),
        TrialStatus.NOT_REACHED: N_("not reached"),
        TrialStatus.DIVERGED: N_("diverged"),
        TrialStatus.PRUNED: N_("stopped early"),
        TrialStatus.STOPPED: N_("stopped"),
        TrialStatus.FAILED: N_("failed"),
    },
}

SHORT_ENGINES: Final[Mapping[EngineName, str]] = {
    EngineName.SINGLE: N_("one device"),
    EngineName.DATA_PARALLEL: "DataParallel",
    EngineName.CPU_REPLICAS: N_("emulated"),
    EngineName.DDP: "DDP",
}
"""Engines, for the label of a bar."""
BRIEF: Final[Mapping[str, str]] = {
    "learning_rate": N_("rate {value}"),
    "optimizer": "{value}",
    "global_batch_size": N_("batch {value}"),
    "warmup_epochs": N_("warm-up {value}"),
    "noise": N_("noise {value}"),
    "hidden_depth": N_("layers {value}"),
    "hidden_width": N_("width {value}"),
    "samples": N_("samples {value}"),
    "epochs": N_("epochs {value}"),
    "seed": N_("seed {value}"),
    "devices": N_("GPUs {value}"),
    "bucket_cap_mb": N_("buckets {value} MiB"),
    "accumulation_steps": N_("micro-batches {value}"),
}
"""Settings in the names of runs, those first that tell most; engine and replicas stand beside a name."""
NOT_SET: Final[Mapping[str, str]] = {
    "devices": N_("the first ones"),
    "bucket_cap_mb": N_("torch's own"),
    "data": "–",
}
"""What holds where one of these is not set; of the others that is *all*."""


def moment(at: float, zone: tzinfo | None = None) -> str:
    """A moment of Unix time in seconds, to the second; on this machine's clock where no zone is given."""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")
