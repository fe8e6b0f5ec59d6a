"""A JSON array of objects, read object by object from a file that may be anything.

No more than one object is in memory, and that is bounded: its length before it is parsed, its depth after.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any, Final, NoReturn

from dpdash.core.config import shown
from dpdash.core.errors import N_, RunFileError
from dpdash.files.bounds import (
    DEEPEST,
    MOST_FILE_BYTES,
    MOST_NUMBER_DIGITS,
    MOST_PART_CHARACTERS,
    MOST_PARTS,
)

CHUNK_BYTES: Final = 2**20
NEAR_THE_END: Final = 16
"""What is cut off in a word or a number fails so close to where it is cut; anything farther from it is wrong."""
UNENDED: Final = "Unterminated string"
"""So begins what the parser says of a text whose end has not come yet; it points at its begin."""
BLANKS: Final = re.compile(r"[ \t\r\n]*")

NOT_TEXT: Final = N_("The file is not text in UTF-8, as JSON is. Choose the .json file that dpdash exported.")
NOT_JSON: Final = N_(
    "The file is not the JSON that dpdash exports: it goes wrong at character {position}, near {received}. "
    "Export the run again, or correct the file there."
)
CUT_OFF: Final = N_("The file ends in the middle, at character {position}. Copy or export it again, whole.")
TOO_LONG: Final = N_(
    "The file has more than {limit} bytes, which is the most that is imported. Export fewer runs into one file."
)
PART_TOO_LONG: Final = N_(
    "Part {part} of the file has more than {limit} characters. Export the run again; dpdash writes shorter parts."
)
TOO_MANY_PARTS: Final = N_("The file has more than {limit} parts. Export the run again; dpdash writes fewer.")
TOO_DEEP: Final = N_(
    "Part {part} of the file has objects and lists more than {limit} deep. Export the run again; dpdash writes "
    "shallower ones."
)
NO_OBJECT: Final = N_(
    "The file must be one JSON array of objects. Received: {received} at character {position}. Choose the "
    ".json file that dpdash exported."
)
NO_NUMBER: Final = N_(
    "{received} in part {part} of the file is no number that JSON has. Export the run again, or correct the file."
)


def objects(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The objects of the array, one after the other.

    Raises:
        RunFileError: where the file stops being what it should be, or grows beyond a bound.
    """
    text = _Text(file)
    text.take("[")
    for _part in range(MOST_PARTS):
        yield text.take_object()
        if text.next_sign() == "]":
            text.take("]")
            text.take("")
            return
        text.take(",")
    raise RunFileError(TOO_MANY_PARTS, limit=MOST_PARTS)


class _Text:
    """The text from where it has been read to, of which no more is kept than the next object needs."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._decoder = json.JSONDecoder(parse_constant=self._refuse, parse_int=self._whole)
        self._buffer = ""
        self._at = 0
        self._passed = 0
        self._num_bytes = 0
        self._part = 0
        self._is_whole = False

    def next_sign(self) -> str:
        """The next sign that is no blank; empty at the end of the file."""
        while True:
            self._at = BLANKS.match(self._buffer, self._at).end()  # type: ignore[union-attr]  # always matches
            if self._at < len(self._buffer) or not self._read_on():
                return self._buffer[self._at : self._at + 1]

    def take(self, sign: str) -> None:
        """Go past a sign that must be next; the empty one stands for the end of the file."""
        found = self.next_sign()
        if found != sign:
            self._complain(found)
        self._at += len(sign)

    def take_object(self) -> dict[str, Any]:
        """The object that must be next."""
        self._part += 1
        found = self.next_sign()
        if found != "{":
            raise RunFileError(NO_OBJECT, received=shown(found), position=self._position)
        while True:
            try:
                value, self._at = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise RunFileError(TOO_DEEP, part=self._part, limit=DEEPEST) from None
            except json.JSONDecodeError as error:
                self._need_more(error)
            else:
                return self._shallow(value)

    def _need_more(self, error: json.JSONDecodeError) -> None:
        """Read on where an object may only be cut off; else say what is wrong with it."""
        is_cut = error.msg.startswith(UNENDED) or error.pos > len(self._buffer) - NEAR_THE_END
        if not is_cut:
            self._at = error.pos
            self._complain(self._buffer[error.pos : error.pos + NEAR_THE_END])
        if len(self._buffer) - self._at > MOST_PART_CHARACTERS:
            raise RunFileError(PART_TOO_LONG, part=self._part, limit=MOST_PART_CHARACTERS)
        if not self._read_on():
            is_whole = error.pos < len(self._buffer.rstrip()) and not error.msg.startswith(UNENDED)
            self._at = error.pos
            self._complain(self._buffer[error.pos : error.pos + NEAR_THE_END] if is_whole else "")

    def _shallow(self, value: Any) -> dict[str, Any]:
        level = [value]
        for _depth in range(DEEPEST):
            level = [part for whole in level for part in _inside(whole) if isinstance(part, dict | list)]
            if not level:
                return dict(value)
        raise RunFileError(TOO_DEEP, part=self._part, limit=DEEPEST)

    def _read_on(self) -> bool:
        """Take in more of the file; whether there was more."""
        if self._is_whole:
            return False
        chunk = self._file.read(CHUNK_BYTES)
        self._num_bytes += len(chunk)
        if self._num_bytes > MOST_FILE_BYTES:
            raise RunFileError(TOO_LONG, limit=MOST_FILE_BYTES)
        self._is_whole = not chunk
        try:
            read = self._decode.decode(chunk, final=self._is_whole)
        except UnicodeDecodeError:
            raise RunFileError(NOT_TEXT) from None
        self._passed += self._at
        self._buffer, self._at = self._buffer[self._at :] + read, 0
        return True

    @property
    def _position(self) -> int:
        return self._passed + self._at + 1

    def _complain(self, found: str) -> NoReturn:
        if not found:
            raise RunFileError(CUT_OFF, position=self._position)
        raise RunFileError(NOT_JSON, position=self._position, received=shown(found))

    def _refuse(self, constant: str) -> NoReturn:
        raise RunFileError(NO_NUMBER, received=constant, part=self._part)

    def _whole(self, digits: str) -> int:
        # Python takes its time for a number of many digits, and beyond some thousands refuses it.
        if len(digits) > MOST_NUMBER_DIGITS:
            self._refuse(shown(digits))
        return int(digits)


def _inside(whole: Any) -> Any:
    return whole.values() if isinstance(whole, dict) else whole
