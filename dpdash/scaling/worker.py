"""What the process of a study does once torch is imported: measure what is ordered, and tell it as it comes."""

import logging
import os
import threading
from multiprocessing.connection import Connection
from typing import Never, TypeAlias

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.scaling.variants import Variant
from dpdash.scaling.measure import Rounds
from dpdash.scaling.messages import Ended, FromProcess, Order, Ready
from dpdash.scaling.other_programs import OtherPrograms
from dpdash.training.processes.worker import seclude, standard_pipes
from dpdash.training.variants.in_process import ONE_CORE, InThisProcess
from dpdash.training.variants.measurer import MeasuringError
from dpdash.training.variants.steady import Steady

Orders: TypeAlias = "Connection[Never, Order]"
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


def measured(order: Order, answers: Answers) -> Ended:
    """Measure an order and tell what comes of it, as it comes; what is to be said at its end."""
    try:
        for told in Rounds(order, OfEachEngine(), OtherPrograms().share).measure():
            answers.send(told)
    except DpdashError as error:
        return Ended(str(error) if error.values else error.template)
    except Exception as error:
        _log.exception("A study broke.")
        return Ended(f"{type(error).__name__}: {error}")
    return Ended()


def _end_with(orders: Orders) -> None:
    try:
        orders.recv()
    except (EOFError, OSError):
        os._exit(0)  # nothing that measures may hold it up


class OfEachEngine:
    """Measures with whatever measures an engine."""

    def __init__(self) -> None:
        self._here = InThisProcess()

    def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        """See `Measurer`."""
        if config.engine is EngineName.DDP:
            raise MeasuringError("DDP is not measured yet.")
        return self._here.measure(config, variant, seconds)
