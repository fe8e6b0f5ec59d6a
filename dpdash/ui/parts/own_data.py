"""Own data in the sidebar: a file that is brought in, what it is trained as, and the way back to drawn points."""

from typing import Final

import streamlit as st

from dpdash.core.own_data import MOST_BYTES, OwnData
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import toggle
from dpdash.ui.parts.exports import file_form
from dpdash.ui.parts.notices import escaped
from dpdash.ui.session.command import command
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.state import put_settings, wanted_settings
from dpdash.web.process import owner
from dpdash.web.transfers import data_address, take_brought

BOX_KEY: Final = "own_data_box"
FORM_KEY: Final = "own_data_form"
ACCEPTED: Final = ".csv,.tsv,.txt,text/csv"


class Standardised:
    """Whether own data are trained on in standard units."""

    name = "standardised"

    def get(self) -> bool:
        """Whether they are."""
        data = wanted_settings().data
        return data is not None and data.is_standardised

    def put(self, value: bool) -> None:
        """Let it be so."""
        data = wanted_settings().data
        if data is not None:
            put_settings(wanted_settings().on(data.model_copy(update={"is_standardised": value})))


def own_data() -> None:
    """Show what is trained on instead of points that are drawn, or the form that brings it."""
    data = wanted_settings().data
    if data is None:
        _form()
        return
    st.markdown(escaped(_("Own data: {name}, {rows} rows").format(name=data.name, rows=number(data.rows))))
    toggle(
        Standardised(),
        _("Standardise"),
        help=_(
            "Train on x and y less their means, in standard deviations. Loss and charts are then in these "
            "units; slope "
            "and intercept are shown in those of the file. Large numbers need it: at the usual learning rate "
            "training "
            "diverges or hardly moves."
        ),
    )
    button(_("Back to y = 3x"), "own_data_away", "undo", _leave)


def _form() -> None:
    # A page that nobody brings a file to carries no form.
    box = st.expander(_("Own data (CSV)"), key=BOX_KEY, on_change="rerun")
    if not box.open:
        return
    with box:
        st.caption(_("Two columns, x and y. It stays on this server, with the runs that are trained on it."))
        address = data_address(owner(), current().code)
        file_form(FORM_KEY, _("Choose a file"), address, ACCEPTED, MOST_BYTES, _take)


def why_fixed(data: OwnData | None) -> str | None:
    """Why samples and noise cannot be set; None where they can."""
    return None if data is None else _("Own data are as they are: their rows, and no noise that is added.")


@command
def _take() -> None:
    data = take_brought(owner())
    if data is not None:
        put_settings(wanted_settings().on(data))


@command
def _leave() -> None:
    put_settings(wanted_settings().on_drawn())
