"""What a person has set: each input has one owner in the session, and that is no widget (ADR 0021)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.ui.session.state import change_settings, wanted_settings

VALUES_KEY: Final = "inputs"
"""What was set, by the input's name."""
ALL_SAMPLES: Final = "all"
"""The option of the global batch size that stands for no limit."""

T = TypeVar("T")


class Owner(Protocol[T]):
    """What a control shows, and what it asks to be changed."""

    @property
    def name(self) -> str:
        """The key of the control."""

    def get(self) -> T:
        """What is set."""

    def put(self, value: T) -> None:
        """Set it."""


@dataclass(frozen=True, slots=True)
class Input(Generic[T]):
    """Something that a page asks for; until a person sets it, it is what is usual."""

    name: str
    usual: T

    def get(self) -> T:
        """What is set."""
        value: T = st.session_state.get(VALUES_KEY, {}).get(self.name, self.usual)
        return value

    def put(self, value: T) -> None:
        """Set it."""
        st.session_state[VALUES_KEY] = st.session_state.get(VALUES_KEY, {}) | {self.name: value}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the next run."""

    name: str

    def get(self) -> Any:
        """What is set; a batch of all samples has an option of its own."""
        value = getattr(wanted_settings(), self.name)
        return ALL_SAMPLES if value is None else value

    def put(self, value: Any) -> None:
        """Set it."""
        change_settings({self.name: None if value == ALL_SAMPLES else value})

    @property
    def kind(self) -> type[Any]:
        """What its numbers are: int or float."""
        return type(RunConfig.model_fields[self.name].default)


class ScalingView(StrEnum):
    """What the Scaling page measures."""

    SPEED_UP = "speed_up"
    EXCHANGE = "exchange"


SCALING_VIEW: Final = Input("scaling_view", ScalingView.SPEED_UP)
"""Which of them is shown; it stands in the address."""
PRESENT: Final = Input("present", usual=False)
"""Whether the page is shown to a room: large, and nothing beside what is shown."""
STUDY: Final = Input("scaling_study", "")
"""Id of the study that is shown."""
EXCHANGE: Final = Input("exchange_study", "")
"""Id of the study of what an exchange costs that is shown."""
SWEEP: Final = Input("sweep_shown", "")
"""Id of the sweep that is shown."""
