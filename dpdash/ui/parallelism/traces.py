"""Steps that are taken apart without a run: measured beside the pages, and kept for all of them."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.steps import StepTrace
from dpdash.runs.traces import StepTracing
from dpdash.training.trace.step import NOT_TRACED, TraceError
from dpdash.web.process import run_service
from dpdash.web.trainers import training_processes

NUM_KEPT: Final = 64
MOST_WAITING: Final = 16
"""Steps that wait to be measured; a page that asks for one more asks again when it is next drawn."""

_log = logging.getLogger(__name__)
Found = StepTrace | DpdashError


class StepTraces:
    """Measures the first steps of configs, one at a time, so that none takes another's time; safe for threads."""

    def __init__(
        self, measure: Callable[[RunConfig], StepTrace], problem: Callable[[RunConfig], DpdashError | None]
    ) -> None:
        """`problem` says why a step may not be measured now, which whoever asks learns at once."""
        self._measure = measure
        self._problem = problem
        self._lock = threading.Lock()
        self._found: OrderedDict[RunConfig, Found] = OrderedDict()
        self._waiting: dict[RunConfig, None] = {}
        self._is_measuring = False

    def ask(self, config: RunConfig, *, anew: bool = False) -> None:
        """Have the first step of a config measured soon, where it is not yet or is to be `anew`.

        Raises:
            DpdashError: when it may not be measured now.
        """
        with self._lock:
            if config in self._waiting or (config in self._found and not anew):
                return
            problem = self._problem(config)
            if problem is not None:
                raise problem
            if len(self._waiting) >= MOST_WAITING:
                return
            if anew:
                # What was refused for want of a slot is tried again too: the step beside this one has no button.
                self._drop_problems()
            self._waiting[config] = None
            if not self._is_measuring:
                self._is_measuring = True
                # A daemon: a long step does not keep a server that ends.
                threading.Thread(target=self._measure_all, name="step-traces", daemon=True).start()

    def found(self, config: RunConfig) -> tuple[Found | None, bool]:
        """The latest trace of a config, or why there is none, and whether a measurement of it is under way.

        Before it is measured there is None. Both are of one moment: a page that asked for one after the other, and
        was overtaken by the measurement in between, would wait for nothing and never look again.
        """
        with self._lock:
            return self._found.get(config), config in self._waiting

    def _measure_all(self) -> None:
        while True:
            with self._lock:
                config = next(iter(self._waiting), None)
                if config is None:
                    self._is_measuring = False
                    return
            found = self._measured(config)
            with self._lock:
                del self._waiting[config]
                self._found[config] = found
                self._found.move_to_end(config)
                while len(self._found) > NUM_KEPT:
                    self._found.popitem(last=False)

    def _drop_problems(self) -> None:
        for config in [config for config, found in self._found.items() if isinstance(found, DpdashError)]:
            del self._found[config]

    def _measured(self, config: RunConfig) -> Found:
        try:
            return self._measure(config)
        except DpdashError as error:
            return error
        except Exception as error:
            _log.exception("A step could not be taken apart.")
            return TraceError(NOT_TRACED, reason=type(error).__name__)


@st.cache_resource(show_spinner=False)
def step_tracing() -> StepTracing:
    """What takes steps apart for the pages of this process."""
    return StepTracing(run_service(), training_processes())


@st.cache_resource(show_spinner=False)
def step_traces() -> StepTraces:
    """The traces that the pages of this process share."""
    tracing = step_tracing()
    return StepTraces(tracing.trace, tracing.problem)
