"""The frame around every page: page config, language, link, navigation; nothing else.

Streamlit runs this file once for each rerun of a session. The launcher is `app.py`.
"""

import streamlit as st

from dpdash.core.places import PACKAGE, PAGES
from dpdash.ui.guide import page as guide
from dpdash.ui.parts.frame import apply_page_style
from dpdash.ui.session.language import _, choose_language
from dpdash.ui.session.links import read_link, write_link
from dpdash.ui.session.shown_run import follow_room, leave_lost_data, take_settings_of_linked_run
from dpdash.web.process import identify_browser, owner
from dpdash.web.streamlit_internals.cached_messages import refer_to_the_last_run
from dpdash.web.streamlit_internals.turned_pages import note_page
from dpdash.web.teacher import has_room, is_teacher

refer_to_the_last_run()
st.set_page_config(page_title="dpdash", page_icon=PACKAGE / "web/static/favicon.svg", layout="wide")
choose_language()
read_link()
identify_browser()
apply_page_style()
pages = [
    st.Page(PAGES / "train.py", title=_("Train"), icon=":material/play_arrow:", default=True),
    st.Page(PAGES / "parallelism.py", title=_("Parallelism"), icon=":material/call_split:"),
    st.Page(PAGES / "scaling.py", title=_("Scaling"), icon=":material/trending_up:"),
    st.Page(PAGES / "sweep.py", title=_("Sweep"), icon=":material/tune:"),
    st.Page(PAGES / "runs.py", title=_("Runs"), icon=":material/history:"),
]
if has_room():
    pages.append(
        st.Page(
            PAGES / "room.py",
            title=_("Room"),
            icon=":material/groups:",
            visibility="visible" if is_teacher(owner()) else "hidden",
        )
    )
pages.append(st.Page(guide.PAGE, title=_("How it works"), icon=":material/school:", url_path=guide.ADDRESS))
page = st.navigation(pages, position="top")
note_page()
follow_room()
take_settings_of_linked_run()
leave_lost_data()
write_link()
page.run()
