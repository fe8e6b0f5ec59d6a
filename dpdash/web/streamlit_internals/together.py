"""Sends what a refresh shows in one go.

Streamlit hands each message to the web server's thread at once, which then wakes up and waits for the interpreter
that the page still needs: a third of what a refresh cost. ADR 0009 says what is used here, and why.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx


@contextmanager
def together() -> Iterator[None]:
    """Hold the page's messages back until the end of the block, however it ends."""
    running = get_script_run_ctx()
    if running is None:
        yield
        return
    send, held = running._enqueue, list[ForwardMsg]()
    running._enqueue = held.append
    try:
        yield
    finally:
        running._enqueue = send
        for message in held:
            send(message)
