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
from dpdash.training.trace.step import NOT_TRACED, TraceError, trace_config

NUM_KEPT: Final = 64
MOST_WAITING: Final = 16
"""Steps that wait to be measured; a page that asks for one more asks again when it is next drawn."""

_log = logging.getLogger(__name__)
Found = StepTrace | DpdashError


class StepTraces:
    """Measures the first steps of configs, one at a time, so that none takes another's time; safe for threads."""

    def __init__(self, measure: Callable[[RunConfig], StepTrace] = trace_config) -> None:
        self._measure = measure
        self._lock = threading.Lock()
        self._found: OrderedDict[RunConfig, Found] = OrderedDict()
        self._waiting: dict[RunConfig, None] = {}
        self._is_measuring = False

    def ask(self, config: RunConfig, *, anew: bool = False) -> None:
        """Have the first step of a config measured soon, where it is not yet or is to be `anew`."""
        with self._lock:
            is_known = config in self._waiting or (config in self._found and not anew)
            if is_known or len(self._waiting) >= MOST_WAITING:
                return
            self._waiting[config] = None
            if not self._is_measuring:
                self._is_measuring = True
                # A daemon: a long step does not keep a server that ends.
                threading.Thread(target=self._measure_all, name="step-traces", daemon=True).start()

    def found(self, config: RunConfig) -> Found | None:
        """The latest trace of a config, or why there is none; None before it is measured."""
        with self._lock:
            return self._found.get(config)

    def is_waiting(self, config: RunConfig) -> bool:
        """Whether a measurement of this config is under way."""
        with self._lock:
            return config in self._waiting

    @property
    def is_busy(self) -> bool:
        """Whether anything is being measured, or waits to be."""
        with self._lock:
            return bool(self._waiting)

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

    def _measured(self, config: RunConfig) -> Found:
        try:
            return self._measure(config)
        except DpdashError as error:
            return error
        except Exception as error:
            _log.exception("A step could not be taken apart.")
            return TraceError(NOT_TRACED, reason=type(error).__name__)


@st.cache_resource(show_spinner=False)
def step_traces() -> StepTraces:
    """The traces that the pages of this process share."""
    return StepTraces()
