"""Runs as files: the menu that takes them away, and the form that brings a colleague's in."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import streamlit as st

from dpdash.core.errors import N_, RunFileError, StoreError, UnknownRunError
from dpdash.core.extras import EXTRAS_FILE, is_installed
from dpdash.core.places import COMMAND
from dpdash.files.bounds import MOST_FILE_BYTES, MOST_RUNS
from dpdash.files.formats import FILES, FileFormat, FormatName
from dpdash.files.libraries import MISSING
from dpdash.files.mlflow import LIBRARY as MLFLOW
from dpdash.files.mlflow import send_to_mlflow, tracking_uri
from dpdash.files.run import whole_runs
from dpdash.ui.parts.button import once
from dpdash.ui.parts.live_chart import loader
from dpdash.ui.session.command import command
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.state import show_run
from dpdash.ui.session.viewer import viewer
from dpdash.web.assets import asset_url
from dpdash.web.process import owner, run_service
from dpdash.web.transfers import export_address, import_address, take_imported
from dpdash.web.turns import Turns

FORM_KEY: Final = "import_form"
SENT_KEY: Final = "sent_to_mlflow"
MOST_SENT_EPOCHS: Final = 5_000
"""MLflow takes seconds for so many; a page would wait for more."""
LABELS: Final = {
    FormatName.CSV: N_("Every epoch (CSV)"),
    FormatName.PARQUET: N_("Every epoch (Parquet)"),
    FormatName.JSON: N_("To import elsewhere (JSON)"),
    FormatName.DATA: N_("Own data (CSV)"),
    FormatName.HTML: N_("Full report (HTML)"),
    FormatName.TENSORBOARD: N_("Every epoch (TensorBoard)"),
}

_sending = Turns(each=1, together=2)
_form = st.components.v2.component(
    "dpdash_import_form",
    # The browser's own field would say *Choose File* in the browser's language: it is there, and not seen.
    html="<label class='dpdash-file'><span></span><input type='file' disabled></label>"
    "<p role='status' aria-live='polite'></p>",
    js=loader("showImportForm"),
    isolate_styles=False,
)


def export_menu(run_ids: tuple[str, ...]) -> None:
    """Show the ways in which these runs can be taken away; each file is made while it is fetched.

    Without a run there is nothing to show.
    """
    if not run_ids:
        return
    with st.container(horizontal=True, key="export_menu"):
        for name, made in FILES.items():
            if name is FormatName.DATA and not _has_own_data(run_ids):
                continue
            reason = _reason_against(made, len(run_ids))
            is_withheld = name is FormatName.JSON and reason is None and _is_of_others(run_ids)
            if is_withheld:
                reason = _(
                    "Such a file has the run's own data, which only the browser that brought them can take."
                )
            st.link_button(
                _(LABELS[name]),
                "#" if is_withheld else export_address(name, run_ids, owner(), current().code),
                icon=":material/download:",
                help=reason,
                disabled=reason is not None,
            )
        if tracking_uri() is not None and is_installed(MLFLOW):
            st.button(_("Send to MLflow"), key="send_to_mlflow", on_click=once(lambda: _send(run_ids)))
    sent = st.session_state.get(SENT_KEY)
    if sent == run_ids:
        st.caption(_("Sent to MLflow. Runs: {number}.").format(number=number(len(run_ids))))


def import_form() -> None:
    """Show the form that takes a file of runs; the first of them is then shown."""
    address = import_address(owner(), current().code)
    accepted = ".jsonl,.json,application/json"
    file_form(FORM_KEY, _("Import runs (JSON)"), address, accepted, MOST_FILE_BYTES, _show_imported)


def file_form(
    key: str, label: str, address: str, accepted: str, most_bytes: int, then: Callable[[], None]
) -> None:
    """Show a form that sends a file to an address of `transfers`; `then` is called once it was taken."""
    data = {
        "script": asset_url("import_form.js"),
        "failure": _("The form could not be loaded, and is asked for again."),
        "address": address,
        "label": label,
        "accept": accepted,
        "most_bytes": most_bytes,
        "texts": {
            "busy": _("The file is being checked."),
            "large": _("The file has more than {limit} MB, which is the most that is imported.").format(
                limit=number(most_bytes // 2**20)
            ),
            "lost": _("The server could not be reached, or ended meanwhile. Reload the page and try again."),
        },
    }
    _form(key=key, data=data, on_imported_change=then)


def _is_of_others(run_ids: tuple[str, ...]) -> bool:
    """Whether a run was trained on data that somebody else has brought."""
    known = {record.run_id for record in run_service().library.records(run_ids, viewer())}
    for run_id in run_ids:
        with suppress(UnknownRunError, StoreError):
            if run_id not in known and (shown := run_service().runs.snapshot(run_id)).owner != owner():
                return shown.config.data is not None
    return False


def _has_own_data(run_ids: tuple[str, ...]) -> bool:
    """Whether these runs were trained on one table that somebody brought."""
    records = run_service().library.records(run_ids, viewer())
    return len({record.config.data and record.config.data.digest for record in records} | {None}) == 2


def _reason_against(made: FileFormat, num_runs: int) -> str | None:
    """Why these runs cannot become such a file here."""
    if num_runs > MOST_RUNS:
        return _("One file holds at most {limit} runs.").format(limit=number(MOST_RUNS))
    if not made.is_installed:
        return _(MISSING).format(library=made.needs, file=EXTRAS_FILE)
    return None


@command
def _show_imported() -> None:
    run_ids = take_imported(owner())
    if run_ids:
        show_run(run_ids[0])


@command
def _send(run_ids: tuple[str, ...]) -> None:
    _send_all(run_ids, owner())
    st.session_state[SENT_KEY] = run_ids


def _send_all(run_ids: tuple[str, ...], asker: str) -> None:
    runs = whole_runs(run_service().runs, run_ids)
    num_epochs = sum(run.history.num_epochs for run in runs)
    if num_epochs > MOST_SENT_EPOCHS:
        raise RunFileError(
            N_(
                "A page sends at most {limit} epochs to MLflow. Received: {received}. Use the command line: "
                "{command} runs export ID --format mlflow"
            ),
            limit=MOST_SENT_EPOCHS,
            received=num_epochs,
            command=COMMAND,
        )
    end = _sending.take(asker)
    try:
        for run in runs:
            send_to_mlflow(run)
    finally:
        end()
