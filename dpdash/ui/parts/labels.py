"""What the entries of a list of studies or sweeps are called."""

from collections import Counter
from collections.abc import Mapping


def distinct(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels by id; the browser sends the text back, so no two may be the same."""
    count = Counter(labels.values())
    return {name: label if count[label] == 1 else f"{label} · {name}" for name, label in labels.items()}
