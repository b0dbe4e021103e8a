"""Printing what a registered model recognises in recordings."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..errors import AudioError, ConfigError
from .console import notes
from .rows import Rows, written

if TYPE_CHECKING:
    from ..prediction import Prediction

__all__ = ["print_predictions"]

BY_SPEAKER = "normalisation by speaker (transductive): these files are taken for recordings of one speaker"


def print_predictions(
    model: str,
    paths: Sequence[str],
    *,
    by_segment: bool,
    min_confidence: float,
    form: str,
    out: Path | None,
    tracking_uri: str | None,
) -> None:
    """Print a prediction for each file, or with `by_segment` for each segment; exit code 1 where a file is unusable."""
    from .. import api
    from ..recordings import Unusable
    from ..registry import load_model

    project = Project.locate(tracking_uri=tracking_uri)
    loaded = load_model(model, tracking_uri=project.tracking_uri)
    if loaded.recipe.normalisation.scope == "speaker":
        notes.print(BY_SPEAKER)
    times = ("start_s", "end_s") if by_segment else ()
    count, predicted, failed = 0, 0, 0
    with written(out) as file, _bar(is_quiet=file.isatty() and form != "table") as moved:

        def progressed(done: int, total: int) -> None:
            nonlocal count
            count = total
            moved(done, total)

        rows = Rows(form, ("file", *times, "emotion", *loaded.labels), file)
        for one in api.predict(loaded, paths, listed=sys.stdin, min_confidence=min_confidence, progressed=progressed):
            if isinstance(one, Unusable):
                if count == 1:
                    raise AudioError(one.reason)
                notes.print(f"not predicted: {one.reason}", markup=False)
                failed += 1
                continue
            predicted += 1
            for row in _rows(one, by_segment=by_segment, min_confidence=min_confidence, model=model):
                rows.add(row, [f"{value:.3f}" if key in loaded.labels else str(value) for key, value in row.items()])
        if not predicted:
            raise AudioError(f"none of the {failed} files can be used")
        rows.end()
    if failed:
        notes.print(f"{failed} of {count} files were not predicted")
        raise SystemExit(1)


def _rows(one: "Prediction", *, by_segment: bool, min_confidence: float, model: str) -> Iterator[dict[str, object]]:
    """What is printed of one file."""
    from ..recordings import label_of

    if not by_segment:
        yield {"file": one.source, "emotion": one.label, **one.probabilities}
        return
    if not one.segments:
        raise ConfigError(f"'{model}' combines trials that cut utterances into unlike segments; drop --segments")
    for segment in one.segments:
        times = {"start_s": round(segment.start_s, 3), "end_s": round(segment.end_s, 3)}
        label = label_of(segment.probabilities, min_confidence)
        yield {"file": one.source, **times, "emotion": label, **segment.probabilities}


@contextmanager
def _bar(*, is_quiet: bool) -> "Iterator[Callable[[float, float], None]]":
    """A bar on a terminal's standard error, told how much is done of how much; none for a single piece."""
    if is_quiet or not notes.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    # Rich would print on standard error what is meant for standard output
    bar = Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=notes, transient=True, redirect_stdout=False
    )
    task = bar.add_task("")

    def moved(done: float, total: float) -> None:
        if total > 1:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield moved
    finally:
        bar.stop()
