"""How many times as fast replicas are as one core and as the whole CPU, in the same words on every page."""

from collections.abc import Mapping
from typing import Final

from dpdash.core.errors import N_
from dpdash.core.scaling.waterfall import Device
from dpdash.findings.beside import Ratios
from dpdash.ui.session.language import _, current, number

DIGITS: Final = 2
SHORT_NAMES: Final[Mapping[Device, str]] = {
    Device.ONE_CORE: N_("1 core"),
    Device.ONE_GPU: N_("1 GPU"),
    Device.WHOLE_CPU: N_("whole CPU"),
}


def short_ratios(ratios: Ratios) -> str:
    """All of them, for a narrow place."""
    if ratios.is_noisy:
        return _("too noisy to tell")
    return " · ".join(
        f"{number(one.speed_up.median, DIGITS)}× {_(SHORT_NAMES[one.device])}" for one in ratios.found
    )


def ratios_text(ratios: Ratios, replicas: int) -> str:
    """All of them with their errors, as a sentence."""
    said = _(" and ").join(
        _("{ratio} ± {error} times as fast as {device}").format(
            ratio=number(one.speed_up.median),
            error=number(one.speed_up.standard_error, DIGITS),
            device=current().name(one.device),
        )
        for one in ratios.found
    )
    text = _("{replicas} replicas are {ratios}.").format(replicas=number(replicas), ratios=said)
    return " ".join((text, _("That is too noisy to tell which is faster."))) if ratios.is_noisy else text
