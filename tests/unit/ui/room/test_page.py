"""What the Room page is made of, without a page: names, rows, the load of the machine."""

import hashlib
import re

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock
from dpdash.core.history import History
from dpdash.core.settings import ServerSettings
from dpdash.runs.service import Pace, RunService
from dpdash.store.absent import AbsentStore
from dpdash.training import hardware
from dpdash.ui.parts.frame import STYLE
from dpdash.ui.room import nicknames
from dpdash.ui.room.join import address_for_phones
from dpdash.ui.room.machine import LONGEST_LOOK_SECONDS, SHORTEST_LOOK_SECONDS, LoadMeter
from dpdash.ui.room.nicknames import COLOUR_NAMES, Nicknames
from dpdash.ui.room.run_row import CURVE_EDGE, CURVE_HEIGHT, curve_picture, row_html
from tests.fakes import FakeClock, FakeEngine, eventually


def digests(number: int) -> list[str]:
    return [hashlib.sha256(str(index).encode()).hexdigest() for index in range(number)]


def test_every_browser_has_a_name_of_its_own_and_keeps_it() -> None:
    names = Nicknames()
    owners = digests(500)
    given = [names.of(owner) for owner in owners]
    assert len(set(given)) == 500
    assert [names.of(owner) for owner in reversed(owners)] == given[::-1]


def test_the_colour_stays_over_a_restart_of_the_server() -> None:
    owners = digests(100)
    colours = [Nicknames().of(owner).colour for owner in owners]
    assert colours == [Nicknames().of(owner).colour for owner in owners]
    assert set(colours) == set(COLOUR_NAMES)


def test_names_take_bounded_memory() -> None:
    names = Nicknames()
    owners = digests(nicknames.MAX_BROWSERS + 100)
    given = [names.of(owner) for owner in owners]
    assert len(names) == nicknames.MAX_BROWSERS
    assert len(set(given)) == len(given), "nobody is given the name of one who was forgotten"
    assert names.of(owners[-1]) == given[-1]


def test_every_colour_is_in_the_style_sheet() -> None:
    style = STYLE.read_text()
    for colour in COLOUR_NAMES:
        assert re.search(rf"\.dpdash-{colour} {{\n  --dpdash-who: light-dark\(#\w{{6}}, #\w{{6}}\);", style)


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_stands_out_from_the_page() -> None:
    """At least 3:1, as the charts' colours."""
    white, black = luminance("FFFFFF"), luminance("0F1318")
    for light, dark in re.findall(r"--dpdash-who: light-dark\(#(\w{6}), #(\w{6})\)", STYLE.read_text()):
        assert (white + 0.05) / (luminance(light) + 0.05) >= 3, light
        assert (luminance(dark) + 0.05) / (black + 0.05) >= 3, dark


def test_a_row_says_what_a_run_does_and_not_whose_it_is() -> None:
    engine = FakeEngine()
    service = RunService(ServerSettings(), AbsentStore(), find_engine=lambda _config: engine)
    try:
        owner = digests(1)[0]
        run_id = service.start(RunConfig(samples=2000, epochs=40), owner, Pace.full_speed(), paused=True)
        service.step(run_id, owner)
        eventually(
            lambda: (
                service.runs.snapshot(run_id).history.num_epochs == 1
                and not service.runs.snapshot(run_id).is_moving
            )
        )
        row = row_html(service.runs.snapshot(run_id), "another browser", Nicknames())
        own = row_html(service.runs.snapshot(run_id), owner, Nicknames())
    finally:
        service.shutdown(timeout=5)
    for text in ("paused at epoch 1", "epoch 1 of 40", "loss 0.", "samples 2,000", "one device"):
        assert text in row
    assert owner not in row and owner[:8] not in row
    assert "(you)" in own and "(you)" not in row


def test_a_curve_is_over_as_many_epochs_as_there_will_be_and_passes_over_what_is_no_number() -> None:
    history = History()
    losses = np.array([100.0, 1.0, 0.0, np.inf], dtype=np.float32)
    same = np.ones(4)
    history.fold(EpochBlock(1, losses, losses, losses, same, same))
    (points,) = re.findall("points='(.*?)'", curve_picture(history.snapshot(), 8))
    across, down = zip(*(map(float, point.split(",")) for point in points.split()), strict=True)
    assert across == (12.5, 25.0, 37.5)
    assert down[0] == CURVE_EDGE and down[-1] == CURVE_HEIGHT - CURVE_EDGE
    assert curve_picture(History().snapshot(), 8).count("points=''") == 1, "before the first epoch"


@pytest.mark.parametrize(
    ("room", "address"),
    [
        ("http://10.0.0.4:8501/room", "http://10.0.0.4:8501"),
        ("https://lesson.example/dpdash/room", "https://lesson.example/dpdash"),
        ("http://localhost:8501/room", "http://192.168.0.7:8501"),
        ("http://[::1]:8501/room", "http://192.168.0.7:8501"),
        ("http://[fd00::1]:8501/room", "http://[fd00::1]:8501"),
    ],
)
def test_phones_open_what_the_teacher_opens_unless_that_is_only_here(room: str, address: str) -> None:
    assert address_for_phones(room, ["192.168.0.7", "10.0.0.4"]) == address


def test_without_a_network_there_is_nothing_to_open() -> None:
    assert address_for_phones("http://localhost:8501/room", []) is None


def test_the_load_is_measured_between_two_looks() -> None:
    clock = FakeClock()
    meter = LoadMeter(clock)
    assert meter.read()[0].utilization is None, "nothing to compare with"
    first = meter.read()
    clock.now += SHORTEST_LOOK_SECONDS / 2
    assert meter.read() is first, "a second page does not make the time shorter"

    before = hardware.cpu_seconds()
    while hardware.cpu_seconds().total - before.total < 0.1:
        sum(range(10_000))
    clock.now += SHORTEST_LOOK_SECONDS
    busy = meter.read()[0].utilization
    assert busy is not None and 0 < busy <= 1

    clock.now += LONGEST_LOOK_SECONDS + 1
    assert meter.read()[0].utilization is None, "the mean over an hour says nothing about now"
