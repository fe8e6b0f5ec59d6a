"""The sentences about a run on own data, of which nobody knows the noise: the best is the least-squares line."""

from collections.abc import Mapping
from typing import Final

from dpdash.core.errors import N_
from dpdash.findings.suggestion import Suggestion

TEMPLATES: Final[Mapping[str, str]] = {
    N_(
        "At the noise floor since epoch {reached}: the loss {loss} is what the noise leaves; the best line of "
        "this data has {optimum}."
    ): N_(
        "As good as the least-squares line since epoch {reached}: the loss is {loss}, and that line, the best of "
        "this data, has {optimum}."
    ),
    N_("Just begun: the loss {loss} is {ratio} times the noise floor."): N_(
        "Just begun: the loss {loss} is {ratio} times that of the least-squares line."
    ),
    N_("It ended at epoch {epoch}, too early for a trend: the loss {loss} is {ratio} times the noise floor."): N_(
        "It ended at epoch {epoch}, too early for a trend: the loss {loss} is {ratio} times that of the "
        "least-squares line."
    ),
    N_("Standing still: the loss no longer falls, at {loss}, {ratio} times the noise floor."): N_(
        "Standing still: the loss no longer falls, at {loss}, {ratio} times that of the least-squares line."
    ),
    N_("It ended standing still: the loss no longer fell, at {loss}, {ratio} times the noise floor."): N_(
        "It ended standing still: the loss no longer fell, at {loss}, {ratio} times that of the least-squares "
        "line."
    ),
    N_(
        "Too slow: at this speed the loss {loss} needs {needed} more epochs to reach the noise floor; {left} "
        "are left."
    ): N_(
        "Too slow: at this speed the loss {loss} needs {needed} more epochs to reach that of the least-squares "
        "line; {left} are left. Where x or y are large numbers, standardise them."
    ),
    N_("Too slow: at this speed the loss {loss} will not reach the noise floor in a million epochs."): N_(
        "Too slow: at this speed the loss {loss} will not reach that of the least-squares line in a million "
        "epochs. Where x or y are large numbers, standardise them."
    ),
    N_(
        "Too slow: after {epochs} epochs the loss is {loss}; at this speed the noise floor is more than {times} "
        "times as many epochs away."
    ): N_(
        "Too slow: after {epochs} epochs the loss is {loss}; at this speed the least-squares line is more than "
        "{times} times as many epochs away. Where x or y are large numbers, standardise them."
    ),
    N_("Still falling: {ratio} times the noise floor, about {needed} epochs from it at this speed."): N_(
        "Still falling: {ratio} times the loss of the least-squares line, about {needed} epochs from it at "
        "this speed."
    ),
    N_("Still falling: the loss is {loss}; without noise it can fall to 0."): N_(
        "Still falling: the loss is {loss}; the least-squares line of this data has none."
    ),
    N_(
        "It ended while the loss was falling: {ratio} times the noise floor, about {needed} epochs from it at "
        "this speed."
    ): N_(
        "It ended while the loss was falling: {ratio} times the loss of the least-squares line, about {needed} "
        "epochs from it at this speed."
    ),
    N_("It ended while the loss was falling: it is {loss}; without noise it can fall to 0."): N_(
        "It ended while the loss was falling: it is {loss}; the least-squares line of this data has none."
    ),
    N_("Diverged at epoch {epoch}: the updates overshot until the loss was no longer a finite number."): N_(
        "Diverged at epoch {epoch}: the updates overshot until the loss was no longer a finite number. Where x is "
        "far from 0, standardise the data."
    ),
}
"""What is said in place of each sentence that speaks of noise."""


def is_possible(suggestion: Suggestion) -> bool:
    """Whether data that are as they are allow it: neither their number nor their noise can be changed."""
    return suggestion.setting not in ("samples", "noise")
