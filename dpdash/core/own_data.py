"""Data that somebody has brought: a table of x and y, and the reference to it that a run's settings carry."""

import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from dpdash.core.errors import N_, DpdashError

MOST_ROWS: Final = 1_000_000
MOST_BYTES: Final = 10 * 2**20
"""Of the file."""
LARGEST: Final = 1e15
"""Squares of larger numbers are soon beyond what a float32 holds, in which runs train."""
LONGEST_NAME: Final = 60
NUMBER_BYTES: Final = 8

DAMAGED: Final = N_("The own data of a run is damaged. Bring the file in again.")


class OwnDataError(DpdashError, ValueError):
    """A table of one's own is not what it must be, or is not there any more."""


class OwnData(BaseModel):
    """Which table a run trains on, by the digest of its numbers; the numbers themselves are kept elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    """Of the file."""
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)]
    is_standardised: bool = False
    """Whether x and y are trained on less their means, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What makes standard units of a table's, and lines of those lines of these."""

    mean_x: float
    mean_y: float
    deviation_x: float
    deviation_y: float

    def undone(self, line: tuple[float, float]) -> tuple[float, float]:
        """Slope and intercept in the table's units, of a line in standard units."""
        slope = line[0] * self.deviation_y / self.deviation_x
        return slope, self.mean_y + self.deviation_y * line[1] - slope * self.mean_x


@dataclass(frozen=True, eq=False)
class Table:
    """X and y, shape (num_rows,) each, float64; never written to."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def digest(self) -> str:
        """The same for the same numbers, and for no others."""
        return hashlib.sha256(self._bytes()).hexdigest()

    @cached_property
    def scale(self) -> Scale:
        """Its means and standard deviations; 1 where a column does not vary."""
        deviations = (float(column.std()) or 1.0 for column in (self.x, self.y))
        return Scale(float(self.x.mean()), float(self.y.mean()), *deviations)

    def standardised(self) -> "Table":
        """The same in standard units."""
        scale = self.scale
        return Table((self.x - scale.mean_x) / scale.deviation_x, (self.y - scale.mean_y) / scale.deviation_y)

    def reference(self, name: str, is_standardised: bool) -> OwnData:
        """What a run's settings carry of it."""
        return OwnData(digest=self.digest, name=name, rows=len(self), is_standardised=is_standardised)

    def packed(self) -> bytes:
        """All of it, to be kept."""
        return zlib.compress(self._bytes(), level=1)

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """The table of which these bytes were made.

        Raises:
            OwnDataError: when they are no table's, or a larger one's than may be.
        """
        most = 2 * NUMBER_BYTES * MOST_ROWS
        try:
            unpacker = zlib.decompressobj()
            numbers = unpacker.decompress(packed, most)
        except zlib.error:
            raise OwnDataError(DAMAGED) from None
        if not numbers or len(numbers) % (2 * NUMBER_BYTES) or not unpacker.eof:
            raise OwnDataError(DAMAGED)
        x, y = np.frombuffer(numbers, dtype="<f8").reshape(2, -1)
        if not (np.abs(x) <= LARGEST).all() or not (np.abs(y) <= LARGEST).all():
            raise OwnDataError(DAMAGED)
        return cls(x, y)

    def _bytes(self) -> bytes:
        columns: list[NDArray[Any]] = [column.astype("<f8", copy=False) for column in (self.x, self.y)]
        return b"".join(column.tobytes() for column in columns)
