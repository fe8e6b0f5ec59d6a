"""What an open page says to Streamlit, in its own protobuf; what is let through, and why, stands in ADR 0019."""

from google.protobuf.message import DecodeError as DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg

from dpdash.web.long_links import shortened


class PageMessage:
    """A message of a page."""

    def __init__(self, data: bytes) -> None:
        """Read it.

        Raises:
            DecodeError: when it is no message.
        """
        self._asked = BackMsg.FromString(data)

    @property
    def kind(self) -> str | None:
        """What the page asks for, by Streamlit's name."""
        kind = self._asked.WhichOneof("type")
        if kind == "backend_operation_request":
            return self._asked.backend_operation_request.WhichOneof("payload")
        return kind

    def with_short_query(self) -> bytes | None:
        """The message with as few parameters in its address as Streamlit reads; None where it has no more."""
        query = shortened(self._asked.rerun_script.query_string)
        if query == self._asked.rerun_script.query_string:
            return None
        self._asked.rerun_script.query_string = query
        return self._asked.SerializeToString()
