"""The teacher's page: who trains now, how the machine bears it, and what holds for everybody."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dpdash.core.errors import StoreError, UnknownRunError
from dpdash.core.events import RunStatus
from dpdash.runs.room import RoomSnapshot
from dpdash.runs.service import RunSnapshot
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice
from dpdash.ui.parts.header import show_title
from dpdash.ui.parts.metrics import Metric, metrics_row, show_metrics
from dpdash.ui.parts.notices import show_error
from dpdash.ui.parts.refreshing import refreshing
from dpdash.ui.room.join import show_join
from dpdash.ui.room.machine import LoadMeter, load_metrics
from dpdash.ui.room.nicknames import nicknames
from dpdash.ui.room.run_row import row_html
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, number, setting
from dpdash.ui.train import commands
from dpdash.web.process import owner, run_service, scaling_service
from dpdash.web.teacher import PASSPHRASE_KEY

REFRESH_SECONDS: Final = 2.0
ROWS_PER_PAGE: Final = 40
FIRST_ROW: Final = Input("room_page", 0)
ASKED_KEY: Final = "room_asked"
"""The command that waits to be confirmed, by its name."""
LONGEST_PASSPHRASE: Final = 200


@st.cache_resource(show_spinner=False)
def _load_meter() -> LoadMeter:
    return LoadMeter()


def show_passphrase_form() -> None:
    """Ask for the passphrase, and show nothing else."""
    show_title(_("Room"))
    _show_problem()
    with st.form("room_door", clear_on_submit=True, width=420):
        st.text_input(
            _("The teacher's passphrase"),
            type="password",
            key=PASSPHRASE_KEY,
            autocomplete="current-password",
            max_chars=LONGEST_PASSPHRASE,
            help=_("Whoever started the server has chosen it. This browser then stays the teacher's."),
        )
        st.form_submit_button(_("Open the room"), type="primary", on_click=commands.enter_room)


def show_room() -> None:
    """Show the room, refreshed on a timer for as long as the page is open."""
    room = run_service().room.snapshot()
    # Before it is drawn: what changes in between is then drawn once more, and not missed.
    drawn = _frame(room)
    with st.container(horizontal=True, vertical_alignment="center", key="room_top"):
        with st.container():
            show_title(_("Room"))
            _show_problem()
            _show_controls(room)
        show_join()
    refreshing(run_service().room.snapshot, _show_moving, _frame, drawn, REFRESH_SECONDS)


def _frame(room: RoomSnapshot) -> tuple[object, ...]:
    """What the controls have drawn; when it changes, the whole page is run again."""
    return room.is_frozen, room.spotlight, not room.runs, scaling_service().measuring() is None


def _show_moving(room: RoomSnapshot) -> None:
    with st.container():  # always there, so that what follows keeps its place
        _show_spotlight(room)
    with metrics_row():
        show_metrics([*_crowd_metrics(room), *load_metrics(_load_meter().read())])
    _show_study()
    _show_runs(room)


def _show_problem() -> None:
    problem = commands.take_problem()
    if problem is not None:
        show_error(problem)


def _show_controls(room: RoomSnapshot) -> None:
    questions = _questions(room)
    with st.container(horizontal=True, key="room_controls"):
        if room.is_frozen:
            button(
                _("Allow new runs"), "room_allow", "play_circle", lambda: commands.freeze(False), type="primary"
            )
        else:
            button(
                _("Freeze new runs"),
                "room_freeze",
                "ac_unit",
                lambda: commands.freeze(True),
                help=_("Nobody can start a run until you allow it again. Those that train go on."),
            )
        for question in questions:
            button(
                question.label,
                f"room_ask_{question.name}",
                question.icon,
                lambda name=question.name: _ask(name),  # type: ignore[misc]
                disabled=not question.is_open,
            )
    for question in questions:
        if question.is_open and st.session_state.get(ASKED_KEY) == question.name:
            _show_question(question)
    if room.is_frozen:
        st.info(_("New runs are frozen: whoever presses Start is told so."))


@dataclass(frozen=True, slots=True)
class _Question:
    """A command that is carried out only when it is confirmed."""

    name: str
    label: str
    icon: str
    text: str
    answer: str
    command: Callable[[], None]
    is_open: bool = True
    """Whether there is anything to ask."""


def _questions(room: RoomSnapshot) -> tuple[_Question, ...]:
    return (
        _Question(
            "stop_all",
            _("Stop all"),
            "stop",
            _(
                "Everybody's runs end before their next epoch, and so does a study that is measured. What they "
                "have learned stays on the pages."
            ),
            _("Stop all runs"),
            commands.stop_all,
            is_open=bool(room.runs) or scaling_service().measuring() is not None,
        ),
        _Question(
            "clear",
            _("Clear"),
            "cleaning_services",
            _("Everybody's runs end, the spotlight too. Every page goes back to the preview. Runs stay stored."),
            _("Clear every page"),
            commands.clear,
        ),
    )


def _show_question(question: _Question) -> None:
    # Not in a popover: what is open there is known to the browser, and to the server as the browser last told it.
    # In a crowd, where pages are often drawn without being touched, one of the two was late, and it stayed open.
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="room_question"):
        st.markdown(question.text)
        button(question.answer, f"room_{question.name}", question.icon, lambda: _confirm(question), type="primary")
        button(_("Cancel"), "room_cancel", "close", lambda: _ask(None))


def _ask(name: str | None) -> None:
    st.session_state[ASKED_KEY] = name


def _confirm(question: _Question) -> None:
    _ask(None)
    question.command()


def _show_spotlight(room: RoomSnapshot) -> None:
    if room.spotlight is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="room_spotlight"):
        st.markdown("**{}**".format(_("In the spotlight")))
        try:
            shown = run_service().runs.snapshot(room.spotlight)
        except (UnknownRunError, StoreError) as error:
            show_error(error)
        else:
            _show_row(shown)
        button(
            _("End the spotlight"),
            "room_end_spotlight",
            "visibility_off",
            lambda: commands.put_in_spotlight(None),
            type="primary",
            is_refreshed=True,
            help=_("Everybody sees their own page again."),
        )


def _crowd_metrics(room: RoomSnapshot) -> list[Metric]:
    count = Counter(shown.status for shown in room.runs)
    queued = Counter(shown.waiting_for for shown in room.runs if shown.place is not None)
    return [
        Metric(
            _("Pages open"),
            number(room.num_pages),
            _("browsers: {browsers}").format(browsers=number(room.num_browsers)),
            _("Pages that are open now, this one too, and the browsers that have them open."),
        ),
        Metric(
            _("Runs that train"),
            number(count[RunStatus.RUNNING]),
            _("paused: {paused}").format(paused=number(count[RunStatus.PAUSED])),
            _("Runs whose epochs go by now, and runs that stand still until somebody lets them go on."),
        ),
        Metric(
            _("In the queue"),
            number(queued["start"] + queued["resume"]),
            _("for full speed: {waiting}").format(waiting=number(queued["full_speed"])),
            _("Runs that wait for a slot to train in. Below: runs that train and wait for full speed."),
        ),
        Metric(
            _("Refresh interval"),
            _("{seconds} s").format(seconds=setting(room.refresh_seconds)),
            _("of every page"),
            _("A page whose run trains is brought up to date this often. The more pages, the less often."),
        ),
    ]


def _show_study() -> None:
    measuring = scaling_service().measuring()
    if measuring is not None:
        text = _("A scaling study takes the cores: {done} of {wanted} measurements are done.")
        wanted = measuring.study.num_wanted
        st.info(text.format(done=number(measuring.num_measured), wanted=number(wanted)))


def _show_runs(room: RoomSnapshot) -> None:
    with st.container(key="room_runs"):
        if not room.runs:
            st.markdown(_("Nobody trains now."))
        for shown in _page_of((*room.runs, *room.ended)):
            with st.container(horizontal=True, vertical_alignment="center", key=f"room_run_{shown.run_id}"):
                _show_row(shown)
                is_shown = shown.run_id == room.spotlight
                button(
                    _("Spotlight"),
                    f"room_spotlight_{shown.run_id}",
                    "visibility",
                    lambda run_id=shown.run_id: commands.put_in_spotlight(run_id),  # type: ignore[misc]
                    disabled=is_shown,
                    is_refreshed=True,
                    help=_("Show this run on everybody's page."),
                )


def _page_of(runs: tuple[RunSnapshot, ...]) -> tuple[RunSnapshot, ...]:
    """The runs on the chosen page of a long list."""
    firsts = range(0, len(runs), ROWS_PER_PAGE)
    if len(firsts) <= 1:
        return runs
    lasts = {first: min(first + ROWS_PER_PAGE, len(runs)) for first in firsts}
    names = {first: f"{number(first + 1)}–{number(last)}" for first, last in lasts.items()}
    chosen = choice(FIRST_ROW, _("Runs"), names)
    return runs[chosen : chosen + ROWS_PER_PAGE]


def _show_row(shown: RunSnapshot) -> None:
    st.html(row_html(shown, owner(), nicknames()), width="stretch")
