"""The charts of a run as one file to keep, in the light theme's colours."""

from typing import Final

import streamlit as st

from dpdash.figures.export import mixed, standalone_page
from dpdash.translations import Language
from dpdash.ui.charts import fit_figure, loss_figure
from dpdash.ui.live_chart import MIXES
from dpdash.ui.state import View

THEME: Final = "theme.light"


def handout(view: View, language: Language) -> str:
    """An HTML page with the loss, the fit and the run's settings, which opens without a server.

    It is made when it is asked for, outside of any session, and so takes its language along.
    """
    _ = language.text
    settings = ", ".join(f"{name} {value}" for name, value in view.config.to_query().items())
    text = _("Slope {slope}, intercept {intercept}. Settings: {settings}.").format(
        slope=language.number(view.line[0]), intercept=language.number(view.line[1]), settings=settings
    )
    title = _("y = 3x + noise, trained in parallel")
    figures = [loss_figure(view, language), fit_figure(view, language)]
    return standalone_page(title, text, figures, _colors(), language.code)


def _colors() -> dict[str, str]:
    text, background = st.get_option(f"{THEME}.textColor"), st.get_option(f"{THEME}.backgroundColor")
    series = st.get_option(f"{THEME}.chartCategoricalColors")
    return {
        "text": text,
        "background": background,
        "primary": st.get_option(f"{THEME}.primaryColor"),
        **{role: mixed(text, background, share) for role, share in MIXES.items()},
        **{f"series-{place}": color for place, color in enumerate(series, start=1)},
    }
