"""What a page shows of a run as one file to keep, in the light theme's colours."""

from dpdash.core.translations import Language
from dpdash.files.report import ReportedRun, report
from dpdash.ui.session.state import View


def handout(view: View, language: Language) -> str:
    """An HTML page with the loss, the fit, the numbers and the settings, which opens without a server.

    It is made when it is asked for, outside of any session, and so takes its language along.
    """
    shown = ReportedRun(
        view.name, view.config, view.preview, view.history, view.status, view.row, view.line, view.cursor
    )
    return report([shown], language)
