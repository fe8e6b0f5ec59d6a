"""Which browsers are the teacher's."""

from typing import Final

import streamlit as st

from dpdash.core.settings import ServerSettings
from dpdash.web.passphrase import PassphraseGate

PASSPHRASE_KEY: Final = "typed_passphrase"  # noqa: S105 (a widget's name)


@st.cache_resource(show_spinner=False)
def gate() -> PassphraseGate | None:
    """The gate that every page of this process shares; None where the server has no passphrase, and so no Room."""
    passphrase = ServerSettings().teacher_passphrase
    return None if passphrase is None else PassphraseGate(passphrase.get_secret_value())


def has_room() -> bool:
    """Whether this server has a Room page at all."""
    return gate() is not None


def is_teacher(browser: str) -> bool:
    """Whether a browser has shown the passphrase."""
    door = gate()
    return door is not None and door.is_open_to(browser)


def show_passphrase(passphrase: str, browser: str) -> None:
    """Make a browser the teacher's until the server ends.

    Raises:
        PassphraseError: when the passphrase is wrong or was tried too often.
    """
    door = gate()
    if door is not None:
        door.show(passphrase, browser, st.context.ip_address)
