"""Links with more parameters than Streamlit reads.

Streamlit takes such a query for an empty one, and says so in its log alone. So what a page sends is shortened
before it gets there, to what a page can use of it.
"""

import re
from typing import Final
from urllib.parse import unquote_plus

from dpdash.core.config import FIELD_NAMES

MOST_PARAMETERS: Final = 1000
"""As many as Streamlit reads."""
RUN_PARAMETER: Final = "run"
PRESENT_PARAMETER: Final = "present"
"""Says that the page is shown to a room: `present=on`."""
SCALING_PARAMETER: Final = "measures"
"""Says what the Scaling page measures: `measures=exchange`."""
BATCH_PARAMETER: Final = "replica_batch"
"""Says that the batch is set for each replica, and how many samples that is: `replica_batch=64`."""
COUNT_PARAMETER: Final = "parameters"
"""Says how many there were, in a query that was shortened."""
KNOWN: Final = frozenset((*FIELD_NAMES, RUN_PARAMETER, PRESENT_PARAMETER, SCALING_PARAMETER, BATCH_PARAMETER))
ADDED: Final = re.compile("utm_|mtm_|pk_|hsa_|_hs|mc_|__cft__|__tn__|oly_|vero_|trk_|ga_")
"""Begins the name of a parameter that a mail, a campaign or a network adds to every link."""
ADDED_WHOLE: Final = frozenset(
    (
        *("fbclid", "gclid", "gbraid", "wbraid", "dclid", "msclkid", "yclid", "twclid", "ttclid", "igshid"),
        *("igsh", "li_fat_id", "mkt_tok", "ref_src", "_ga", "_gl"),
    )
)


def is_added(name: str) -> bool:
    """Whether a parameter is none of the person's who made the link: it is left out without a word."""
    return name in ADDED_WHOLE or ADDED.match(name) is not None


def shortened(query: str) -> str:
    """The query itself; where it has too many parameters, the settings and the run in it, and how many there were.

    Of a name that stands there too often, the last values are kept: they are the ones that count.
    """
    if query.count("&") < MOST_PARAMETERS:
        return query
    parameters = query.split("&")
    known = [parameter for parameter in parameters if unquote_plus(parameter.partition("=")[0]) in KNOWN]
    return "&".join((*known[1 - MOST_PARAMETERS :], f"{COUNT_PARAMETER}={len(parameters)}"))


def too_many(count: str) -> int | None:
    """How many parameters there were, from the parameter that says so; None where somebody else wrote it."""
    number = int(count) if count.isascii() and count.isdecimal() and len(count) <= len("1000000") else 0
    return number if number > MOST_PARAMETERS else None
