"""What may be asked of the list of runs, and what a person makes of a run: plain values, checked in one place."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from dpdash.core.errors import N_, DpdashError
from dpdash.core.events import RunStatus
from dpdash.core.validation import SURROGATE, shown
from dpdash.store.rows import RunRecord

LONGEST_NAME: Final = 80
LONGEST_NOTE: Final = 2_000
LONGEST_TAG: Final = 24
MOST_TAGS: Final = 10
LONGEST_TEXT: Final = 200
MOST_ROWS: Final = 200
TAG_SEPARATORS: Final = re.compile(r"[,;\n]")
NAME_TOO_LONG: Final = N_("A name can have at most {limit} characters. Received {length}: {received}. Shorten it.")
NOTE_TOO_LONG: Final = N_("A note can have at most {limit} characters. Received {length}: {received}. Shorten it.")
TAG_TOO_LONG: Final = N_("A tag can have at most {limit} characters. Received {length}: {received}. Shorten it.")


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: a browser sees its own runs, the owner of the machine everybody's."""

    owner: str
    sees_all: bool = False


class RunOrder(StrEnum):
    """What the list can be sorted by."""

    WHEN = "when"
    NAME = "name"
    STATUS = "status"
    LOSS = "loss"
    BEST_LOSS = "best_loss"
    ABOVE_FLOOR = "above_floor"
    SLOPE_ERROR = "slope_error"
    SPEED = "speed"
    EPOCHS = "epochs"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs, in which order, and which stretch of them."""

    viewer: Viewer
    text: str = ""
    """Words that all have to occur in name, note, tags, id, engine or optimizer, or such as `noise<1`."""
    statuses: tuple[RunStatus, ...] = ()
    """Empty for any."""
    tags: tuple[str, ...] = ()
    """All of them; empty for any."""
    is_deleted: bool = False
    order: RunOrder = RunOrder.WHEN
    is_descending: bool = True
    unfolded: tuple[str, ...] = ()
    """The sweeps whose trials are rows of their own; those of another are one row together."""
    offset: int = 0
    limit: int = 50

    def __post_init__(self) -> None:
        assert self.offset >= 0 and 0 < self.limit <= MOST_ROWS


@dataclass(frozen=True, slots=True)
class Fold:
    """The trials of a sweep that a query finds, as one row."""

    sweep_id: str
    run_ids: tuple[str, ...]
    """In the order that is asked for."""
    statuses: Mapping[RunStatus, int]
    """How many trials have each."""
    best_loss: float | None
    """The lowest of all of them."""

    @classmethod
    def of(cls, sweep_id: str, trials: Sequence[tuple[str, RunStatus, float | None]]) -> Self:
        """Trials with id, status and lowest loss each."""
        run_ids, statuses, losses = zip(*trials, strict=True)
        best = min((loss for loss in losses if loss is not None), default=None)
        return cls(sweep_id, run_ids, Counter(statuses), best)


@dataclass(frozen=True, slots=True)
class RunPage:
    """A stretch of the list."""

    rows: tuple[RunRecord, ...]
    """Of trials that are one row together, the first one stands here."""
    num_found: int
    """How many rows there are in all stretches together."""
    folds: Mapping[str, Fold] = field(default_factory=dict)
    """What rows stand for that are the trials of a sweep, by the id that stands in the row."""
    is_unsearched: bool = False
    """Whether text and tags were left out, because the database cannot be read."""


@dataclass(frozen=True, slots=True)
class RunLabel:
    """What a person calls a run, and says of it."""

    name: str | None
    """None for the name that it has by itself."""
    note: str
    tags: tuple[str, ...]

    @classmethod
    def parse(cls, name: str, note: str, tags: str) -> Self:
        """Take what was typed; tags have commas between them.

        Raises:
            DpdashError: when a text is too long, or there are too many tags.
        """
        words = (_one_line(part) for part in TAG_SEPARATORS.split(tags))
        found = tuple(dict.fromkeys(word for word in words if word))
        label = cls(_one_line(name) or None, _readable(note).strip(), found)
        _require_short(label.name or "", LONGEST_NAME, NAME_TOO_LONG)
        _require_short(label.note, LONGEST_NOTE, NOTE_TOO_LONG)
        for tag in found:
            _require_short(tag, LONGEST_TAG, TAG_TOO_LONG)
        if len(found) > MOST_TAGS:
            raise DpdashError(
                N_("A run can have at most {limit} tags. Received: {received}. Leave some out."),
                limit=MOST_TAGS,
                received=len(found),
            )
        return label


def _require_short(text: str, limit: int, sentence: str) -> None:
    if len(text) > limit:
        raise DpdashError(sentence, limit=limit, length=len(text), received=shown(text))


def _one_line(text: str) -> str:
    return " ".join(_readable(text).split())


def _readable(text: str) -> str:
    """Without what no text can hold or show: halves of characters, and control characters but line breaks."""
    whole = SURROGATE.sub("", text)
    return "".join(character if character.isprintable() or character == "\n" else " " for character in whole)


def words_of(text: str) -> Iterable[str]:
    """The words that a search asks for."""
    return _readable(text[:LONGEST_TEXT]).split()
