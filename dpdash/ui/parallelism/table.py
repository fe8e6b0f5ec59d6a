"""The proof that the replicas' gradients make the gradient of the whole batch, in a table."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final

import streamlit as st

from dpdash.core.steps import StepTrace
from dpdash.ui.parts.controls import selection
from dpdash.ui.parts.header import show_part
from dpdash.ui.parts.notices import escaped
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, number

PARAMETER: Final = re.compile(r"layers?(?:\.(\d+))?\.(weight|bias)(?:\[(\d+)\])?")
"""As torch names the parameters of the two models."""
DIGITS: Final = 7
"""What float32 can tell apart."""


def show_gradients(trace: StepTrace) -> None:
    """Show the gradients by one parameter, which can be chosen, and the residual over all of them."""
    show_part(_("The replicas' gradients make the gradient of the whole batch"))
    names = {name: _parameter_name(name) for name in trace.parameters}
    chosen = selection(
        Input("step_parameter", trace.parameters[0]),
        _("Gradient of the loss with respect to"),
        names,
        width=360,
        help=_("Some of the model's parameters, evenly spread. The residual is over all of them."),
    )
    st.html(table_html(trace, trace.parameters.index(chosen)))
    st.caption(
        escaped(
            _(
                "Residual: {residual}. It is the largest difference between what the optimizer was given, in "
                "float32, and the gradient of the full batch worked out on one device in float64, over all "
                "{parameters} parameters, as a share of the largest gradient."
            ).format(residual=number(trace.residual), parameters=number(trace.num_parameters))
        )
    )


def _parameter_name(name: str) -> str:
    """What a parameter is in the model: the slope, the intercept, or a weight or a bias of a layer."""
    found = PARAMETER.fullmatch(name)
    assert found is not None
    layer, kind, place = found.groups()
    if layer is None:
        return _("slope (w)") if kind == "weight" else _("intercept (b)")
    template = _("weight {place} of layer {layer}") if kind == "weight" else _("bias {place} of layer {layer}")
    # Between two layers with parameters stands one that has none.
    return template.format(place=int(place or 0) + 1, layer=int(layer) // 2 + 1)


def table_html(trace: StepTrace, parameter: int) -> str:
    """Each replica's gradient × weight = contribution, their sum, and what it should be."""
    columns = (_("Replica"), _("Samples"), _("Weight"), _("Gradient of its shard"), _("× weight = contribution"))
    contributions = [replica.weight * replica.gradient[parameter] for replica in trace.replicas]
    rows = [
        (
            number(rank),
            number(replica.shard_size),
            number(replica.weight, 4),
            number(replica.gradient[parameter], DIGITS) if replica.shard_size else _("– (idle)"),
            number(contribution, DIGITS),
        )
        for rank, (replica, contribution) in enumerate(zip(trace.replicas, contributions, strict=True))
    ]
    results = (
        (_("Sum of the contributions"), sum(contributions)),
        (_("What the optimizer was given"), trace.gradient[parameter]),
        (_("Full batch, one device, float64"), trace.full_gradient[parameter]),
    )
    head = "".join(f"<th scope='col'>{html.escape(column)}</th>" for column in columns)
    body = "".join(_row(row) for row in rows)
    foot = "".join(_result(name, value) for name, value in results)
    return (
        "<table class='dpdash-gradients'>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    return f"<tr><th scope='row'>{html.escape(first)}</th>{_cells(others)}</tr>"


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"<td>{html.escape(text)}</td>" for text in texts)


def _result(name: str, value: float) -> str:
    return f"<tr><th scope='row' colspan='4'>{html.escape(name)}</th>{_cells([number(value, DIGITS)])}</tr>"
