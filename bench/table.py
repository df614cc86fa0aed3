"""A figure beside what it is held against, and how such rows are printed."""

from collections.abc import Sequence
from dataclasses import dataclass

import tabulate

# The parts of a figure are indented under it.
tabulate.PRESERVE_WHITESPACE = True


@dataclass(frozen=True)
class Row:
    """One figure. `floor` is a limit or a peer, measured or given in the same run; `note` says
    what it is. Both have the same `unit`.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    note: str = ""
    digits: int = 0

    @property
    def ratio(self) -> float | None:
        """The figure in units of what it is held against."""
        return self.value / self.floor if self.floor else None


def show(title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    cells = [
        [
            row.name,
            f"{row.value:,.{row.digits}f} {row.unit}",
            "" if row.floor is None else f"{row.floor:,.{row.digits}f} {row.unit}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.note,
        ]
        for row in rows
    ]
    headers = [title, "measured", "held against", "ratio", "which is"]
    print(tabulate.tabulate(cells, headers=headers, disable_numparse=True), end="\n\n", flush=True)
