"""Printing what a registered model recognises in recordings."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Project
from ..errors import AudioError, ConfigError
from .console import notes, results, shown
from .rows import Rows, written

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..recordings import Timeline
    from ..tracking import LoadedModel

__all__ = ["LABEL_FORMS", "Output", "print_changes", "print_predictions", "print_timelines"]

LABEL_FORMS = ("rttm", "audacity")
"""Forms of timelines alone."""
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Output:
    """How and where to print."""

    form: str
    """`table`, `csv`, `json` or one of `LABEL_FORMS`."""
    file: Path | None
    """None is standard output."""


def print_predictions(
    model: str,
    paths: Sequence[str],
    output: Output,
    *,
    by_segment: bool,
    min_confidence: float,
    picture: Path | None,
    tracking_uri: str | None,
) -> None:
    """Print a prediction for each file, or with `by_segment` for each segment; exit code 1 where a file is unusable."""
    from .. import api
    from ..recordings import find_files, label_of, refuse_other_picture

    if picture is not None:
        refuse_other_picture(picture)
        paths = find_files(paths, sys.stdin)
        if len(paths) != 1:
            raise ConfigError(f"--plot draws one utterance; got {len(paths)} files")
    loaded = _load(model, tracking_uri, "these files are")
    answer = loaded.task.answer

    def rows_of(one: "Prediction") -> Iterator[Row]:
        if by_segment and not one.segments:
            raise ConfigError(f"'{model}' combines trials that cut utterances into unlike segments; drop --segments")
        label = label_of(loaded, one.probabilities, min_confidence)
        if not by_segment:
            yield {"file": one.source, answer: label, **one.probabilities}
            return
        for segment in one.segments:
            label = label_of(loaded, segment.probabilities, min_confidence)
            yield _timed(one.source, segment.start_s, segment.end_s, {answer: label, **segment.probabilities})

    with _Progress(output) as progress:
        if picture is None:
            found = api.predict(loaded, paths, listed=sys.stdin, progressed=progress.moved)
        else:
            found = iter([api.draw(loaded, paths[0], picture)])
        _print(found, rows_of, output, progress, _columns(loaded, has_times=by_segment))
    if picture is not None:
        notes.print(f"drawn: {picture}", markup=False)


def print_timelines(
    model: str,
    paths: Sequence[str],
    output: Output,
    *,
    by_window: bool,
    window_s: float,
    min_confidence: float,
    tracking_uri: str | None,
) -> None:
    """Print emotions over time in long recordings; exit code 1 where a file is unusable."""
    from .. import api
    from ..recordings import audacity_labels, find_files, rttm

    files = find_files(paths, sys.stdin)
    if output.form == "audacity" and len(files) > 1:
        raise ConfigError(f"--format audacity is of one recording; got {len(files)} files")
    loaded = _load(model, tracking_uri, "each recording is")
    answer = loaded.task.answer

    def rows_of(one: "Timeline") -> Iterator[Row]:
        if not one.passages:
            notes.print(f"no speech: {one.source}", markup=False)
        for passage in one.windows if by_window else one.passages:
            yield _timed(one.source, passage.start_s, passage.end_s, {answer: passage.label, **passage.probabilities})

    text_of = {"rttm": rttm, "audacity": audacity_labels}.get(output.form)
    with _Progress(output) as progress:
        found = api.timeline(loaded, files, window_s=window_s, min_confidence=min_confidence, progressed=progress.moved)
        _print(found, rows_of, output, progress, _columns(loaded, has_times=True), text_of)


def print_changes(
    model: str,
    *,
    device: str | None,
    window_s: float,
    min_confidence: float,
    as_json: bool,
    tracking_uri: str | None,
) -> None:
    """Print every change of the answer to a microphone's sound, until a signal; with `as_json` as an object a line."""
    from .. import api
    from ..registry import load_model

    def started(microphone: str) -> None:
        notes.print(f"listening to {microphone} (Ctrl-C ends)", markup=False)

    project = Project.locate(tracking_uri=tracking_uri)
    loaded = load_model(model, tracking_uri=project.tracking_uri)
    changes = api.listen(
        loaded,
        device=device,
        window_s=window_s,
        min_confidence=min_confidence,
        started=started,
        project=project,
    )
    with closing(changes):  # a signal may come while a change is printed
        for change in changes:
            if as_json:
                record = {"at_s": round(change.at_s, 3), loaded.task.answer: change.label, **change.probabilities}
                sys.stdout.write(json.dumps(record) + "\n")
            else:
                probability = max(change.probabilities.values())
                results.print(f"{change.at_s:8.1f} s  {change.label}  {probability:.3f}", markup=False)
            sys.stdout.flush()


def _load(model: str, tracking_uri: str | None, what_is: str) -> "LoadedModel":
    """Load a model, and note where it takes recordings for one speaker's."""
    from ..registry import load_model

    loaded = load_model(model, tracking_uri=Project.locate(tracking_uri=tracking_uri).tracking_uri)
    if loaded.recipe.normalisation.scope == "speaker":
        notes.print(f"normalisation by speaker (transductive): {what_is} taken for recordings of one speaker")
    return loaded


def _columns(loaded: "LoadedModel", *, has_times: bool) -> tuple[str, ...]:
    return ("file", *(("start_s", "end_s") if has_times else ()), loaded.task.answer, *loaded.labels)


def _timed(source: str, start_s: float, end_s: float, answers: Row) -> Row:
    return {"file": source, "start_s": round(start_s, 3), "end_s": round(end_s, 3), **answers}


def _print(
    found: Iterator[Any],
    rows_of: Callable[[Any], Iterator[Row]],
    output: Output,
    progress: "_Progress",
    columns: Sequence[str],
    text_of: Callable[[Any], str] | None = None,
) -> None:
    """Print what was found in each file, and name the files that cannot be used.

    Raises:
        AudioError: None can be used.
        SystemExit: Some cannot.
    """
    from ..recordings import Unusable

    done = failed = 0
    with written(output.file) as file:
        rows = Rows(output.form, columns, file)
        for one in found:
            if isinstance(one, Unusable):
                if progress.total == 1:
                    raise AudioError(one.reason)
                notes.print(f"not predicted: {one.reason}", markup=False)
                failed += 1
                continue
            done += 1
            for row in rows_of(one):
                if text_of is None:
                    rows.add(row, [_cell(row[column]) for column in columns])
            if text_of is not None:
                shown(file).write(text_of(one))
            file.flush()  # who reads a pipe has every file's rows at once
        if not done:
            raise AudioError(f"none of the {failed} files can be used")
        if text_of is None:
            rows.end()
    if failed:
        notes.print(f"{failed} of {done + failed} files were not predicted")
        raise SystemExit(1)


def _cell(value: object) -> str:
    """A table's cell: seconds and probabilities with three digits."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


class _Progress:
    """A bar on a terminal's standard error; none for a single utterance, or where rows are shown as they come."""

    def __init__(self, output: Output) -> None:
        self.total = 1
        is_quiet = output.file is None and output.form != "table" and sys.stdout.isatty()
        self._bar = self._task = None
        if is_quiet or not notes.is_terminal:
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

        self._bar = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=notes,
            transient=True,
            redirect_stdout=False,  # else Rich prints on standard error what is meant for standard output
        )
        self._task = self._bar.add_task("")

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def moved(self, done: float, total: int) -> None:
        """Show how much is done."""
        self.total = total
        if self._bar is not None and self._task is not None and (total > 1 or 0 < done < total):
            self._bar.start()
            self._bar.update(self._task, completed=done, total=total)
