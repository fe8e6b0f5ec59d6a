"""JSON Lines, an object a line (jsonlines.org), read from a file that may be anything.

No more than one line is in memory, and that is bounded: its length before it is parsed, its depth after. An array
that has an object a line is read too: so wrote the versions before this one.
"""

import json
from collections.abc import Iterator
from typing import IO, Any, Final, NoReturn

from dpdash.core.errors import N_, RunFileError
from dpdash.core.validation import shown
from dpdash.files.bounds import DEEPEST, MOST_FILE_BYTES, MOST_NUMBER_DIGITS, MOST_PART_BYTES, MOST_PARTS

NEAR: Final = 16
"""So much of a line is repeated where it goes wrong."""

NOT_TEXT: Final = N_("The file is not text in UTF-8, as JSON is. Choose the .jsonl file that dpdash exported.")
NOT_JSON: Final = N_(
    "The file is not the JSON that dpdash exports: line {line} goes wrong at character {position}, near "
    "{received}. Export the run again, or correct the file there."
)
CUT_OFF: Final = N_("The file ends in the middle, in line {line}. Copy or export it again, whole.")
TOO_LONG: Final = N_(
    "The file has more than {limit} bytes, which is the most that is imported. Export fewer runs into one file."
)
PART_TOO_LONG: Final = N_(
    "Line {line} of the file has more than {limit} bytes. Export the run again; dpdash writes shorter lines."
)
TOO_MANY_PARTS: Final = N_("The file has more than {limit} parts. Export the run again; dpdash writes fewer.")
TOO_DEEP: Final = N_(
    "Part {part} of the file has objects and lists more than {limit} deep. Export the run again; dpdash writes "
    "shallower ones."
)
NO_OBJECT: Final = N_(
    "Each line of the file must be one JSON object. Received: {received} in line {line}. Choose the .jsonl file "
    "that dpdash exported."
)
NO_NUMBER: Final = N_(
    "{received} in part {part} of the file is no number that JSON has. Export the run again, or correct the file."
)


def objects(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The objects of the file, one after the other.

    Raises:
        RunFileError: where the file stops being what it should be, or grows beyond a bound.
    """
    num_parts, line, text = 0, 1, ""
    is_array = is_over = False
    for line, text in _lines(file):
        if is_over:
            raise RunFileError(NOT_JSON, line=line, position=1, received=shown(text[:NEAR]))
        if text == "[" and not num_parts and not is_array:
            is_array = True
        elif text == "]" and is_array:
            is_over = True
        elif num_parts == MOST_PARTS:
            raise RunFileError(TOO_MANY_PARTS, limit=MOST_PARTS)
        else:
            num_parts += 1
            yield _object(text.removesuffix(",") if is_array else text, line, num_parts)
    if is_array != is_over or not num_parts:
        raise RunFileError(CUT_OFF, line=line)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers."""
    num_bytes = number = 0
    while data := file.readline(MOST_PART_BYTES + 1):
        number += 1
        num_bytes += len(data)
        if len(data) > MOST_PART_BYTES:
            raise RunFileError(PART_TOO_LONG, line=number, limit=MOST_PART_BYTES)
        if num_bytes > MOST_FILE_BYTES:
            raise RunFileError(TOO_LONG, limit=MOST_FILE_BYTES)
        try:
            text = data.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise RunFileError(NOT_TEXT) from None
        if text:
            yield number, text


def _object(text: str, line: int, part: int) -> dict[str, Any]:
    def refuse(number: str) -> NoReturn:
        raise RunFileError(NO_NUMBER, received=shown(number), part=part)

    def whole(digits: str) -> int:
        # Python takes its time for a number of many digits, and beyond some thousands refuses it.
        return int(digits) if len(digits) <= MOST_NUMBER_DIGITS else refuse(digits)

    try:
        value = json.loads(text, parse_constant=refuse, parse_int=whole)
    except RecursionError:
        raise RunFileError(TOO_DEEP, part=part, limit=DEEPEST) from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
            raise RunFileError(CUT_OFF, line=line) from None
        near = shown(text[error.pos : error.pos + NEAR])
        raise RunFileError(NOT_JSON, line=line, position=error.pos + 1, received=near) from None
    if not isinstance(value, dict):
        raise RunFileError(NO_OBJECT, line=line, received=shown(text[:NEAR]))
    if _depth(value) > DEEPEST:
        raise RunFileError(TOO_DEEP, part=part, limit=DEEPEST)
    return value


def _depth(value: dict[str, Any]) -> int:
    """How many objects and lists stand inside each other; no deeper than the parser has gone."""
    depth, level = 0, list[Any]([value])
    while level:
        depth += 1
        inside = (part for whole in level for part in (whole.values() if isinstance(whole, dict) else whole))
        level = [part for part in inside if isinstance(part, dict | list)]
    return depth
