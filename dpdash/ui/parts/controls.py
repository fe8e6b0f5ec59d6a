"""Controls: each stands where its owner says, and asks the owner for what a person chooses there instead.

What a page sends need not be what a person chose: a slider of a page that is just being opened says that it
stands at its lowest, and a field that loses the focus speaks for the page that was left. So a value is taken only
from the control's own change, and only where the control offers it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import streamlit as st

from dpdash.ui.session.inputs import Owner

STANDS_KEY: Final = "stands"
"""Where each control of the session stands, by its name."""

T = TypeVar("T")


@dataclass(slots=True)
class _Stand:
    """Where a control stands in the browser, and how often it was moved from here."""

    value: Any
    num_moves: int = 0


def nothing() -> None:
    """Do nothing more than what is set."""


def slider(
    owner: Owner[int], label: str, low: int, high: int, *, then: Callable[[], None] = nothing, **options: Any
) -> int:
    """Show a slider over whole numbers."""
    value = min(max(owner.get(), low), high)
    standing = _standing(owner, value, lambda sent: _is_between(sent, low, high), then)
    st.slider(label, low, high, value, **standing, **options)
    return value


def number_input(owner: Owner[int], label: str, low: int, high: int, **options: Any) -> int:
    """Show a field for a whole number."""
    value = min(max(owner.get(), low), high)
    standing = _standing(owner, value, lambda sent: _is_between(sent, low, high), nothing)
    st.number_input(label, low, high, value, step=1, **standing, **options)
    return value


def steps(
    owner: Owner[Any],
    label: str,
    values: Sequence[Any],
    write: Callable[[Any], str],
    *,
    then: Callable[[], None] = nothing,
    **options: Any,
) -> Any:
    """Show a slider over given values."""
    value = owner.get()
    st.select_slider(
        label,
        list(values),
        value,
        format_func=write,
        **_standing(owner, value, lambda sent: sent in values, then),
        **options,
    )
    return value


def selection(owner: Owner[T], label: str, names: Mapping[T, str], **options: Any) -> T:
    """Show a list with one of its entries chosen, the first where the owner's is not among them."""
    value = _among(owner, names)
    st.selectbox(
        label,
        list(names),
        list(names).index(value),
        format_func=names.__getitem__,
        **_standing(owner, value, names.__contains__, nothing),
        **options,
    )
    return value


def choice(
    owner: Owner[T], label: str, names: Mapping[T, str], *, then: Callable[[], None] = nothing, **options: Any
) -> T:
    """Show one of a few, chosen by a click."""
    value = _among(owner, names)
    st.segmented_control(
        label,
        list(names),
        default=value,
        required=True,
        format_func=names.__getitem__,
        **_standing(owner, value, names.__contains__, then),
        **options,
    )
    return value


def several(
    owner: Owner[tuple[T, ...]],
    label: str,
    names: Mapping[T, str],
    *,
    as_pills: bool = False,
    **options: Any,
) -> tuple[T, ...]:
    """Show some of many, as a list to open or all of them as buttons."""
    value = tuple(one for one in owner.get() if one in names)
    standing = _standing(
        owner, list(value), lambda sent: isinstance(sent, list) and all(one in names for one in sent), nothing
    )
    if as_pills:
        options |= {"selection_mode": "multi"}
    show: Callable[..., object] = st.pills if as_pills else st.multiselect
    show(label, list(names), default=list(value), format_func=names.__getitem__, **standing, **options)
    return value


def toggle(owner: Owner[bool], label: str, **options: Any) -> bool:
    """Show a switch."""
    value = owner.get()
    st.toggle(label, value, **_standing(owner, value, lambda sent: isinstance(sent, bool), nothing), **options)
    return value


def text_input(owner: Owner[str], label: str, longest: int, **options: Any) -> str:
    """Show a field for a line of text."""
    value = owner.get()
    standing = _standing(owner, value, lambda sent: isinstance(sent, str) and len(sent) <= longest, nothing)
    st.text_input(label, value, max_chars=longest, **standing, **options)
    return value


def _among(owner: Owner[T], names: Mapping[T, str]) -> T:
    value = owner.get()
    return value if value in names else next(iter(names))


def _is_between(sent: object, low: int, high: int) -> bool:
    return isinstance(sent, int) and low <= sent <= high


def _standing(
    owner: Owner[Any], value: Any, is_offered: Callable[[Any], bool], then: Callable[[], None]
) -> dict[str, Any]:
    """The key and the callback of a widget that stands at a value.

    A widget that is moved by anything but its own change is another one from then on: a page says with each
    message where its widgets stand, also with one that is on its way.
    """
    stands: dict[str, _Stand] = st.session_state.setdefault(STANDS_KEY, {})
    stand = stands.setdefault(owner.name, _Stand(value))
    if stand.value != value:
        stand.value, stand.num_moves = value, stand.num_moves + 1
    key = f"{owner.name}-{stand.num_moves}" if stand.num_moves else owner.name

    def take() -> None:
        # A page that was left may still say where its widgets stand that are gone.
        if key not in st.session_state:
            return
        sent = st.session_state[key]
        stand.value = sent
        if is_offered(sent):
            owner.put(tuple(sent) if isinstance(sent, list) else sent)
            then()

    return {"key": key, "on_change": take}
