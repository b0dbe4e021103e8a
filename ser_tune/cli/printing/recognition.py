"""Printing of `predict` and `listen`."""

import json
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ... import api, recordings, registry
from ...api.arguments import Argument
from ...drawing import refuse_other_picture
from ...errors import AudioError, ConfigError
from ...stored_names import refuse_unknown_model
from ..console import notes, results, shown
from ..registration import Call, Forms
from ..rows import Rows, written
from .answers import Answers, Row

if TYPE_CHECKING:
    from ...prediction import Prediction
    from ...project import Project
    from ...recordings import Change, Timeline, Unusable
    from ...tracking import LoadedModel

__all__ = ["print_changes", "print_predictions"]

FORMS = ("table", "csv", "json")
LABEL_FORMS = ("rttm", "audacity")
"""Forms of timelines alone."""


@dataclass(frozen=True, slots=True)
class _Output:
    """The form of the output, and the file that receives it."""

    form: str
    """`table`, `csv`, `json` or one of `LABEL_FORMS`."""
    file: Path | None
    """None is standard output."""


def print_predictions(
    call: "Call[Iterator[Prediction | Unusable]]",
    *,
    min_confidence: float,
    error_rate: float | None = None,
    guaranteed: bool = False,
    segments: bool = False,
    plot: Annotated[Path | None, Argument(metavar="FILE")] = None,
    timeline: bool = False,
    window: Annotated[float, Argument(metavar="S", minimum=0.5, maximum=60)] = 3.0,
    form: Annotated[str, Argument(option="--format")] = "table",
    as_json: bool,
    csv: bool = False,
    out: Path | None = None,
) -> None:
    """Print a prediction for each file, CSV and JSON as they come; exit code 1 where a file is unusable.

    Args:
        call: Predicts the files.
        min_confidence: The probability below which an answer is uncertain.
        error_rate: The error rate of prediction sets.
        guaranteed: Whether the error rate is a bound.
        segments: A row for every segment; with --timeline, for every window.
        plot: Also draw waveform, spectrogram, emotions over time and the model's attention in one utterance, as PNG,
            SVG or PDF; with --timeline: curves over time of one recording.
        timeline: Find speech in long recordings, and print emotions over time. Needs the extra timeline.
        window: With --timeline: seconds of speech that are predicted together.
        form: table, csv, json; with --timeline also rttm or audacity (labels). CSV and JSON are written as files are
            predicted, a table at the end.
        as_json: Print JSON.
        csv: Print CSV.
        out: Write to this file, not to standard output.
    """
    if csv and (as_json or form not in ("table", "csv")):
        raise ConfigError(f"pass --csv or --{'json' if as_json else f'format {form}'}, not both")
    forms = Forms((*FORMS, *LABEL_FORMS) if timeline else FORMS)
    output = _Output(forms.chosen("csv" if csv else form, as_json=as_json), out)
    of_whole = "--error-rate" if error_rate is not None else "--speaker" if call.arguments.get("speaker") else ""
    if of_whole and (timeline or segments or plot is not None):
        option = "--timeline" if timeline else "--segments" if segments else "--plot"
        raise ConfigError(f"{of_whole} is of whole utterances; drop it or {option}")
    if not timeline:
        _print_utterances(call.arguments, output, by_segment=segments, min_confidence=min_confidence, picture=plot)
        return
    if segments and output.form in LABEL_FORMS:
        raise ConfigError(f"--format {form} has a label for every passage; drop --segments")
    _print_timelines(
        call.arguments, output, by_window=segments, window_s=window, min_confidence=min_confidence, picture=plot
    )


def _print_utterances(
    given: Mapping[str, Any], output: _Output, *, by_segment: bool, min_confidence: float, picture: Path | None
) -> None:
    """Print a prediction for each file, or for each segment."""
    model, paths = given["model"], given["audio"]
    if picture is not None:
        refuse_other_picture(picture, name="--plot")
        paths = recordings.find_files(paths, sys.stdin)
        if len(paths) != 1:
            raise ConfigError(f"--plot draws one utterance; got {len(paths)} files")
    speaker = given.get("speaker")
    loaded = _load(model, given["project"]) if speaker else _load_for_files(model, given["project"], "these files are")
    stated = {"error_rate": given.get("error_rate"), "guaranteed": given.get("guaranteed", False)}
    sets = recordings.stated_sets(loaded, **stated, min_confidence=min_confidence)
    named = {"speaker": speaker, "remember": given.get("remember", False)}
    answers = Answers(loaded, timed=by_segment, with_errors=not by_segment, sets=sets, of_speaker=bool(speaker))

    def rows_of(found: "Prediction") -> Iterator[Row]:
        if by_segment and not found.segments:
            raise ConfigError(f"'{model}' combines trials that cut utterances into unlike segments; drop --segments")
        if not by_segment:
            label = found.label if sets else recordings.label_of(loaded, found.numbers, min_confidence)
            yield answers.whole(replace(found, label=label))
            return
        for part in found.segments:
            label = recordings.label_of(loaded, part.numbers, min_confidence)
            yield answers.row(found.source, label, part.numbers, start_s=part.start_s, end_s=part.end_s)

    with _Progress(output) as progress:
        if picture is None:
            further = {**stated, **named, "min_confidence": min_confidence, "progressed": progress.moved}
            found = api.predict(loaded, paths, listed=sys.stdin, **further)
        else:
            found = iter([api.draw(loaded, paths[0], picture)])
        _print(found, rows_of, output, progress, answers)
    if picture is not None:
        notes.print(f"drawn: {picture}")


def _print_timelines(
    given: Mapping[str, Any],
    output: _Output,
    *,
    by_window: bool,
    window_s: float,
    min_confidence: float,
    picture: Path | None,
) -> None:
    """Print emotions over time in long recordings."""
    files = recordings.find_files(given["audio"], sys.stdin)
    if picture is not None:
        refuse_other_picture(picture, name="--plot")
        if len(files) != 1:
            raise ConfigError(f"--plot draws one recording; got {len(files)} files")
    if output.form == "audacity" and len(files) > 1:
        raise ConfigError(f"--format audacity is of one recording; got {len(files)} files")
    loaded = _load_for_files(given["model"], given["project"], "each recording is")
    if output.form in LABEL_FORMS and not loaded.task.named:
        raise ConfigError(
            f"--format {output.form} writes names of passages; the answers of '{given['model']}' are "
            f"{loaded.task.numbers}: choose from {', '.join(FORMS)}"
        )
    answers = Answers(loaded, timed=True)

    def rows_of(found: "Timeline") -> Iterator[Row]:
        if not found.passages:
            notes.print(f"no speech: {found.source}")
        if picture is not None:
            recordings.draw_timeline(loaded, found, picture)
        for part in found.windows if by_window else found.passages:
            yield answers.row(found.source, part.label, part.numbers, start_s=part.start_s, end_s=part.end_s)

    texts = {"rttm": recordings.rttm, "audacity": recordings.audacity_labels}
    with _Progress(output) as progress:
        found = api.timeline(loaded, files, window_s=window_s, min_confidence=min_confidence, progressed=progress.moved)
        _print(found, rows_of, output, progress, answers, texts.get(output.form))
    if picture is not None:
        notes.print(f"drawn: {picture}")


def print_changes(call: "Call[Generator[Change, None, None]]", *, as_json: bool) -> None:
    """Print every change of the emotion in a microphone's sound, until a signal.

    Args:
        call: Listens to the microphone.
        as_json: Print a JSON object a line.
    """
    loaded = _load(call.arguments["model"], call.arguments["project"])
    task = loaded.task

    def started(microphone: str) -> None:
        notes.print(f"listening to {microphone} (Ctrl-C ends)")

    with closing(call(model=loaded, started=started)) as changes:  # a signal may come while a change is printed
        for change in changes:
            if as_json:
                named = {task.answer: change.label} if task.named else {}
                sys.stdout.write(json.dumps({"at_s": round(change.at_s, 3), **named, **change.numbers}) + "\n")
            else:
                probability = f"  {max(change.numbers.values()):.3f}" if task.has_probabilities else ""
                results.print(f"{change.at_s:8.1f} s  {change.label}{probability}")
            sys.stdout.flush()


def _load(model: str, project: "Project") -> "LoadedModel":
    """Load a model whose name is refused, where it is wrong, before MLflow is imported."""
    refuse_unknown_model(model, project)
    return registry.load_model(model, tracking_uri=project.tracking_uri)


def _load_for_files(model: str, project: "Project", files: str) -> "LoadedModel":
    """Load a model, and note where it takes recordings for those of one speaker or corpus."""
    loaded = _load(model, project)
    if whose := loaded.together:
        by = "adaptation to the" if loaded.adapts else "normalisation by"
        notes.print(f"{by} {whose} (transductive): {files} taken for recordings of one {whose}")
    return loaded


def _print(
    found: Iterator[Any],
    rows_of: Callable[[Any], Iterator[Row]],
    output: _Output,
    progress: "_Progress",
    answers: Answers,
    text_of: Callable[[Any], str] | None = None,
) -> None:
    """Print what was found in each file, and name the files that cannot be used.

    Raises:
        AudioError: None can be used.
        SystemExit: Some cannot.
    """
    done = failed = 0
    with written(output.file) as file:
        rows = Rows(output.form, answers.titles if output.form == "table" else answers.columns, file)
        for item in found:
            if isinstance(item, recordings.Unusable):
                if progress.total == 1:
                    raise AudioError(item.reason)
                notes.print(f"not predicted: {item.reason}")
                failed += 1
                continue
            done += 1
            for row in rows_of(item):
                if text_of is None:
                    rows.add(row, answers.cells(row))
            if text_of is not None:
                shown(file).write(text_of(item))
            file.flush()  # who reads a pipe has every file's rows at once
        if not done:
            raise AudioError(f"none of the {failed} files can be used")
        if text_of is None:
            rows.end()
    if output.form == "table" and answers.note:
        notes.print(answers.note)
    if failed:
        notes.print(f"{failed} of {done + failed} files were not predicted")
        raise SystemExit(1)


class _Progress:
    """A bar on a terminal's standard error; none for a single utterance, or where rows are shown as they come."""

    def __init__(self, output: _Output) -> None:
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
