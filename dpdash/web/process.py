"""What a process has one of, which all of its pages share, and who is asking."""

import secrets
from typing import Final, NamedTuple

import streamlit as st

from dpdash.core.settings import ServerSettings
from dpdash.runs.service import RunService
from dpdash.scaling.service import ScalingService
from dpdash.sweeps.service import SweepService
from dpdash.training.catalog import require
from dpdash.web.held_verdicts import HeldVerdicts
from dpdash.web.streamlit_internals.push import OpenPages
from dpdash.web.tickets import OWNER_COOKIE, owner_of
from dpdash.web.trainers import training_processes

OWNER_KEY: Final = "owner"


@st.cache_resource(show_spinner=False)
def run_service() -> RunService:
    """The service that every page of this process shares."""
    processes = training_processes()
    service = RunService.open(ServerSettings(), lambda config: processes.outside(require(config)))
    pages = open_pages()

    def redraw(run_id: str | None) -> None:
        pages.redraw_others(None if run_id == service.room.spotlight else run_id)

    service.on_change(redraw)
    return service


@st.cache_resource(show_spinner=False)
def scaling_service() -> ScalingService:
    """The service that measures studies for the pages of this process."""
    service = run_service()
    room = service.room
    return ScalingService(service.limits, service.runs, lambda: room.is_frozen, on_over=room.resume_paused)


@st.cache_resource(show_spinner=False)
def sweep_service() -> SweepService:
    """The service that searches for the pages of this process."""
    return SweepService.open(run_service(), ServerSettings())


@st.cache_resource(show_spinner=False)
def open_pages() -> OpenPages:
    """The pages of this process, to be drawn again when what they show has changed without them."""
    return OpenPages()


@st.cache_resource(show_spinner=False)
def held_verdicts() -> HeldVerdicts:
    """What the pages of this process say of the runs that train."""
    return HeldVerdicts()


def identify_browser() -> None:
    """Learn who this browser is, once a session, and tell the service that it is here.

    Kept is a digest of its cookie, so that the secret itself is stored nowhere. A browser that refuses cookies is
    known for as long as its page stays open. When a browser's last page is gone, its runs' grace period begins.
    """
    if OWNER_KEY not in st.session_state:
        secret = st.context.cookies.get(OWNER_COOKIE) or secrets.token_urlsafe()
        st.session_state[OWNER_KEY] = owner_of(secret)
    _visit(owner())


def owner() -> str:
    """Who this browser is; only the owner of a run can steer it."""
    name: str = st.session_state[OWNER_KEY]
    return name


class _Visit(NamedTuple):
    """A page that is open, and the service that was told of it."""

    service: RunService
    owner: str


def _left(visit: _Visit) -> None:
    visit.service.browser_closed(visit.owner)


@st.cache_resource(show_spinner=False, scope="session", on_release=_left)
def _visit(name: str) -> _Visit:
    service = run_service()
    service.browser_opened(name)
    return _Visit(service, name)
