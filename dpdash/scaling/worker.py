"""What the process of a study does once torch is imported: measure what is ordered, and tell it as it comes."""

import logging
import os
import threading
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any, Never, Self, TypeAlias

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.scaling.exchange_study import ExchangeStudy
from dpdash.core.scaling.study import AnyStudy, Study
from dpdash.core.scaling.variants import Variant
from dpdash.scaling.measure import ExchangeRounds, Rounds, StudyRounds
from dpdash.scaling.messages import Ended, FromProcess, Order, Ready
from dpdash.scaling.other_programs import OtherPrograms
from dpdash.training.ddp.group import RankGroup
from dpdash.training.processes.worker import seclude, standard_pipes
from dpdash.training.threads import ONE_CORE
from dpdash.training.variants.in_process import InThisProcess
from dpdash.training.variants.steady import Steady

Orders: TypeAlias = "Connection[Never, Order[AnyStudy]]"
Answers: TypeAlias = "Connection[FromProcess, Never]"

_log = logging.getLogger(__name__)


def main() -> None:
    """Take the standard pipes, and measure."""
    orders, answers = standard_pipes()
    seclude(ONE_CORE)
    obey(orders, answers)


def obey(orders: Orders, answers: Answers) -> None:
    """Measure one order; the process ends at once when the other one hangs up."""
    answers.send(Ready())
    try:
        order = orders.recv()
    except (EOFError, OSError):
        return
    threading.Thread(target=_end_with, args=(orders,), name="lifeline", daemon=True).start()
    answers.send(measured(order, answers))


def measured(order: Order[AnyStudy], answers: Answers) -> Ended:
    """Measure an order and tell what comes of it, as it comes; what is to be said at its end."""
    try:
        with ExitStack() as stack:
            for told in _rounds(order, stack).measure():
                answers.send(told)
    except DpdashError as error:
        return Ended(str(error) if error.values else error.template)
    except Exception as error:
        _log.exception("A study broke.")
        return Ended(f"{type(error).__name__}: {error}")
    return Ended()


def _rounds(order: Order[AnyStudy], stack: ExitStack) -> Rounds[Any, Any]:
    """The rounds of a study of whichever kind, with what measures it."""
    study, others = order.study, OtherPrograms().share
    if isinstance(study, ExchangeStudy):
        group = stack.enter_context(RankGroup(study.plan.replicas))
        return ExchangeRounds(Order(study, order.deadline), group, others)
    assert isinstance(study, Study)
    measurer = stack.enter_context(OfEachEngine(study.plan.replicas))
    return StudyRounds(Order(study, order.deadline), measurer, others)


def _end_with(orders: Orders) -> None:
    try:
        orders.recv()
    except (EOFError, OSError):
        os._exit(0)  # nothing that measures may hold it up


class OfEachEngine:
    """Measures replicas in this process and, in one group of ranks for a whole study, those of DDP."""

    def __init__(self, most_ranks: int) -> None:
        """`most_ranks` is how many the group has, which is started when it is needed."""
        self._most_ranks = most_ranks
        self._here = InThisProcess()
        self._group: RankGroup | None = None
        self._left_over = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._left_over.close()

    def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        """See `Measurer`."""
        if config.engine is not EngineName.DDP:
            return self._here.measure(config, variant, seconds)
        if self._group is None:
            self._group = self._left_over.enter_context(RankGroup(self._most_ranks))
        return self._group.measure(config, variant, seconds)
