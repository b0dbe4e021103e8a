"""Writing of `submission`."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from ..console import notes
from ..registration import Call
from ..rows import Rows, written

if TYPE_CHECKING:
    from ...recordings import Submission

__all__ = ["write_submission"]


def write_submission(call: "Call[Submission]", *, out: Path | None = None) -> None:
    """Write a table of predictions as CSV.

    Args:
        call: Predicts the recordings.
        out: Write to this file, not to standard output; it appears when it is complete.
    """
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        written(out) as file,
        Progress(*columns, console=notes, disable=not notes.is_terminal, transient=True, redirect_stdout=False) as bar,
    ):
        task = bar.add_task("", total=None)
        found = call(progressed=lambda done, total: bar.update(task, completed=done, total=total))
        rows = Rows("csv", found.columns, file)
        for row in found.rows:
            rows.add(row, ())
        rows.end()
    if out is not None:
        notes.print(f"{out}: {found.total} predictions, columns {', '.join(found.columns)}")
