"""`Finding`: the verdict of one check of a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "shortened"]

LISTED = 20
"""Details of one finding that are kept."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one check."""

    check: str
    """The check's name, such as `speakers`."""
    status: Literal["ok", "leak", "wrong", "unchecked"]
    """`leak`: training or selection has something of the test side. `wrong`: a label, a class or a claim is wrong.
    `unchecked`: the file lacks what the check needs."""
    verdict: str
    """One line."""
    details: tuple[str, ...] = ()
    """A line each; the first `LISTED`."""

    @classmethod
    def of_problems(
        cls,
        check: str,
        status: Literal["leak", "wrong"],
        problems: Sequence[str],
        *,
        noun: str = "problem",
        notes: Sequence[str] = (),
    ) -> "Finding":
        """A finding whose verdict is the first problem and the number of the others; `notes` end its details."""
        others = len(problems) - 1
        more = f"; {others} more {noun}{'s' if others > 1 else ''}" if others else ""
        return cls(check, status, f"{problems[0]}{more}", shortened([*problems, *notes]))

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return self.status in ("ok", "unchecked")


def shortened(details: Sequence[str]) -> tuple[str, ...]:
    """The first `LISTED` lines, and how many more there are."""
    more = len(details) - LISTED
    return (*details[:LISTED], *([f"... and {more} more"] if more > 0 else []))
