"""The training loop, once for all engines.

Events leave it through a generator, so that what the receiver of an event raises never looks like a failure of
training: it surfaces at the receiver, and the generator is closed.
"""

import time
import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace

import torch
from torch import nn

from dpdash.core.config import RunConfig
from dpdash.core.events import Checkpoint, RunDiverged, RunEvent, RunFailed, RunStarted, TerminalEvent
from dpdash.core.sharding import shard_sizes
from dpdash.problem.data import Data, as_column, draw
from dpdash.problem.model import build_model
from dpdash.training.checkpoint import State
from dpdash.training.control import RunControl
from dpdash.training.engine import Emit
from dpdash.training.failures import sentence
from dpdash.training.loop.epoch_loop import DivergedError, EpochLoop, Events, Progress
from dpdash.training.loop.placement import Placement
from dpdash.training.loop.setup import batch_size, set_up
from dpdash.training.loop.turns import step_turns
from dpdash.training.threads import AS_HERE, as_many_threads


def train(
    config: RunConfig,
    emit: Emit,
    control: RunControl,
    place: Callable[[], Placement],
    clock: Callable[[], float] = time.perf_counter,
    start: Checkpoint | None = None,
    num_threads: int = AS_HERE,
) -> None:
    """Train a run to its end; see `Engine.run`.

    `place` says where to train; it is called here, so that its failure is the run's. `clock` gives seconds. Each
    operation has `num_threads`, unless the run has begun with others.
    """
    with closing(_events(config, control, place, clock, start, num_threads)) as events:
        for event in events:
            emit(event)


def _events(
    config: RunConfig,
    control: RunControl,
    place: Callable[[], Placement],
    clock: Callable[[], float],
    start: Checkpoint | None,
    num_threads: int,
) -> Generator[RunEvent, None, None]:
    """All events of a run; the last is the terminal one."""
    progress = Progress(start.epoch, start.seconds) if start else Progress(0, 0.0)
    ending: TerminalEvent
    try:
        state = State.of(start) if start else None
        with as_many_threads((state.num_threads if state else AS_HERE) or num_threads):
            ending = yield from _train(config, control, place(), clock, progress, state)
    except DivergedError as error:
        ending = RunDiverged(progress.num_epochs, error.epoch, progress.seconds)
    except Exception as error:
        ending = RunFailed(progress.num_epochs, sentence(error), traceback.format_exc(), progress.seconds)
    finally:
        # The tensors died with the frame that held them; other runs need what torch keeps of their memory.
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()
    yield ending


def drawn_on(config: RunConfig, device: torch.device) -> tuple[Data, nn.Module]:
    """The data of a run and its untrained model, on the device that trains."""
    data = draw(config)
    model = build_model(config, data.generator).to(device)
    x, y = data.x.to(device), data.y.to(device)
    return replace(data, x=as_column(x) if device.type == "cpu" else x, y=y), model


def _train(
    config: RunConfig,
    control: RunControl,
    placement: Placement,
    clock: Callable[[], float],
    progress: Progress,
    state: State | None,
) -> Events:
    data, model = drawn_on(config, placement.device)
    turns = step_turns(config, data, model, placement)
    with placement.distribute(model) as distributed:
        training = set_up(config, data, model, distributed, placement)
        if state is not None:
            training.keeper.restore(state)
        yield RunStarted(
            started_at=time.time(),
            devices=placement.names,
            shard_sizes=shard_sizes(batch_size(config), len(placement.names)),
            emulated=placement.emulated,
            turns=turns,
        )
        # Only now, because what is restored takes the place of the optimizer's own groups.
        trainer, tracer = placement.traceable(config, data, model, training.trainer, training.optimizer)
        training = replace(training, trainer=trainer)
        return (yield from EpochLoop(config, control, training, tracer, clock, progress).run())
