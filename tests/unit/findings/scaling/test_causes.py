"""The causes of a step, in the order in which they are told."""

from dataclasses import replace

from dpdash.core.scaling.waterfall import Duration, Part
from dpdash.findings.scaling.causes import causes
from dpdash.findings.scaling.parts import waterfalls
from tests.unit.findings.scaling.made_up import measured_study


def test_what_is_lost_in_noise_comes_last_however_large_it_looks() -> None:
    (found,) = waterfalls(measured_study())
    assert causes(found)[0].part is Part.COPIES
    unsure = replace(found, parts={**found.parts, Part.COPIES: Duration(1_500_000, 900_000)})
    told = causes(unsure)
    assert (told[0].part, told[-1].part) == (Part.ONE_BACKWARD, Part.COPIES)
    assert told[0].costs and not told[-1].costs
