"""Showing a running study: bars and a live line on a terminal, a plain line for each trial elsewhere."""

import shlex
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TaskID as Task

from ..config import Value
from ..metrics import Ranking
from ..search import INTERRUPTED, TAKEN, StudyObserver
from .console import notes

if TYPE_CHECKING:
    from ..search import FoldOutcome, StudyStart, StudySummary, TrialOutcome
    from ..training import AnyTrial, EpochReport

__all__ = ["ProgressObserver"]

QUIET_S = 60.0
"""Without a terminal, a line of progress is printed after this many seconds without output."""
PREPARING_S = 15.0
"""The same before the first trial, while nothing else is printed."""

DEMO = "corpus demo: synthetic speech, small networks and short training; pass --corpus for real speech"


class ProgressObserver(StudyObserver):
    """The display of running studies, one after another; use it as a context, which restores the terminal."""

    def __init__(self) -> None:
        """Prepare the bars; they appear with the first event."""
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=notes,
            disable=not notes.is_terminal,
        )
        self._spoke = self._prepared_from = time.monotonic()
        self._kept_folds = 0
        """Folds of interrupted trials."""
        self._preparation: Task | None = None
        """The bar of recordings, and then of features; each is complete before the next starts."""
        self._trials: Task | None = None
        self._folds: dict[int, Task] = {}
        """The bar of each running trial, by its number: workers run several."""
        self._counts = {"COMPLETE": 0, "PRUNED": 0, "FAIL": 0}
        self._states = dict[int, tuple[int | None, str]]()
        """Attempt and state of each trial that ended here, by its number."""
        self._best: tuple[int, float] | None = None

    def __enter__(self) -> "ProgressObserver":
        """Take the terminal's last lines."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        self._bars.stop()

    def study_started(self, start: "StudyStart") -> None:
        """Say what will run."""
        self._start, self._began = start, time.monotonic()
        self._best = start.before.leader
        self._run, self._spoke = 0, time.monotonic()
        self._states.clear()
        self._epochs, self._folds_ended = dict[int, int](), dict[int, int]()
        before = start.before
        self._counts = {"COMPLETE": before.complete, "PRUNED": before.pruned, "FAIL": before.failed}
        corpus, name, answers = start.corpus, start.definition.name, start.definition.task.answers
        folds = len(start.folds)
        if corpus.reader == "demo":
            notes.print(DEMO)
        notes.print(
            f"study {name}: {len(corpus.utterances)} utterances, {len(corpus.speakers)} speakers, "
            f"{len(start.protocol.names)} {answers}, {folds} fold{'s' * (folds != 1)}; protocol "
            f"{start.protocol.fingerprint}",
            markup=False,
        )
        for note in start.notes:
            notes.print(_in_one_line(f"note: {note}", name), markup=False)
        if not start.trials_to_run and before.converged is not None:
            notes.print(f"study {name} has converged, and has all of its trials", markup=False)
        elif not start.trials_to_run:
            notes.print(f"study {name} has all of its {start.definition.config.study.trials} trials", markup=False)
        elif start.finished:
            done = sum(self._counts.values())
            notes.print(f"resuming after {done} trial{'s' * (done != 1)}; {start.trials_to_run} to run", markup=False)

    def listening_progressed(self, done: int, total: int) -> None:
        """Move the bar of the recordings that are compared."""
        self._move("recordings", done, total)

    def extraction_progressed(self, done: int, total: int) -> None:
        """Move the extraction's bar."""
        self._move("features", done, total)
        if done == total and not notes.is_terminal:
            notes.print(f"features of {total} utterances extracted")

    def _move(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._preparation is None:
            self._preparation = self._bars.add_task(what, total=total, note="")
            self._prepared_from = self._spoke = now
        if not notes.is_terminal and 0 < done < total and now - self._spoke >= PREPARING_S:
            self._spoke = now
            notes.print(f"{what}: {done} of {total}, {_left((now - self._prepared_from) / done * (total - done))}")
        self._bars.update(self._preparation, completed=done, total=total)
        if done == total:
            self._bars.remove_task(self._preparation)
            self._preparation = None

    def trial_started(self, number: int, config: "AnyTrial", sampled: Mapping[str, Value]) -> None:
        """Start the trial's bar."""
        if self._trials is None:
            self._trials = self._bars.add_task("trials", total=self._start.trials_to_run, note="")
        self._epochs[number], self._folds_ended[number] = config.training.epochs, 0
        total = len(self._start.folds) * config.training.epochs
        if (task := self._folds.pop(number, None)) is not None:  # of a process that is taken for dead
            self._bars.remove_task(task)
        self._folds[number] = self._bars.add_task(f"trial {number}", total=total, note="")
        self._bars.update(self._trials, note=self._line())

    def epoch_finished(self, trial: int, fold: int, report: "EpochReport") -> None:
        """Move the trial's bar, which counts epochs."""
        if trial not in self._folds:
            return
        # Counted as they are trained: the most telling folds come first
        place = f"fold {self._folds_ended[trial] + 1}/{len(self._start.folds)}, epoch {report.epoch}"
        note = f"{place}: {self._start.definition.objective.title} {report.score:.3f}"
        done = self._folds_ended[trial] * self._epochs[trial] + report.epoch
        self._bars.update(self._folds[trial], completed=done, note=note)
        if not notes.is_terminal and time.monotonic() - self._spoke >= QUIET_S:
            self._spoke = time.monotonic()
            notes.print(f"trial {trial}, {note}", markup=False)

    def fold_finished(self, trial: int, fold: "FoldOutcome", *, stored: bool) -> None:
        """Count a fold, and name one that is not trained again."""
        self._folds_ended[trial] = self._folds_ended.get(trial, 0) + 1
        if stored:
            which = f"fold {self._folds_ended[trial]}/{len(self._start.folds)}"
            notes.print(f"trial {trial}, {which} was trained before the interruption", markup=False)

    def trial_finished(self, outcome: "TrialOutcome") -> None:
        """Print the trial's line, and move the study's bar."""
        self._count(outcome)
        objective = self._start.definition.objective
        value = None if outcome.scores is None else outcome.scores[objective.name].value
        score = "no score" if value is None else f"{objective.title} {value:.4f}"
        if outcome.state == "COMPLETE" and value is not None:
            best = None if self._best is None else self._best[1]
            if outcome.confirms is None and Ranking(objective).is_better(value, best):
                self._best = (outcome.number, value)
            text = score if outcome.confirms is None else f"trial {outcome.confirms} on a fresh seed, {score}"
        elif outcome.reason == INTERRUPTED:
            text = f"{INTERRUPTED} after {len(outcome.folds)} of {len(self._start.folds)} folds"
        else:
            text = f"{outcome.state} after {len(outcome.folds)} folds: {outcome.reason}"
        line = f"trial {outcome.number}: {text} ({outcome.seconds:.1f} s); {self._line()}"
        notes.print(line if not notes.is_terminal else f"trial {outcome.number}: {text}", markup=False)
        if (task := self._folds.pop(outcome.number, None)) is not None:
            self._bars.remove_task(task)
        if self._trials is not None:
            self._bars.update(self._trials, completed=self._run, note=self._line())

    def _count(self, outcome: "TrialOutcome") -> None:
        """Count the end of a trial; of one that several processes have run, the end of the last attempt."""
        if outcome.reason == INTERRUPTED:
            self._kept_folds += len(outcome.folds)
            return
        before = self._states.get(outcome.number)
        if outcome.reason == TAKEN and before is not None and before[0] != outcome.attempt:
            return
        if before is not None:
            self._counts[before[1]] -= 1
            self._run -= 1
            del self._states[outcome.number]
        if outcome.reason != TAKEN:
            self._states[outcome.number] = (outcome.attempt, outcome.state)
            self._counts[outcome.state] += 1
            self._run += 1

    def _line(self) -> str:
        best = f"best {self._best[1]:.4f} (trial {self._best[0]})" if self._best else "no score yet"
        done, pruned, failed = self._counts.values()
        left = ""
        if 0 < self._run < self._start.trials_to_run:
            seconds = (time.monotonic() - self._began) / self._run * (self._start.trials_to_run - self._run)
            left = f", {_left(seconds)}"
        return f"{best}, {done} done, {pruned} pruned, {failed} failed{left}"

    def study_finished(self, summary: "StudySummary") -> None:
        """Take the bars away."""
        for task in (self._trials, *self._folds.values()):
            if task is not None:
                self._bars.remove_task(task)
        self._trials, self._folds = None, {}
        if summary.interrupted:
            done = summary.complete + summary.pruned + summary.failed
            # A trial whose end was not stored any more goes on from its folds, as one that was interrupted
            unstored = [number for number, (_, state) in self._states.items() if summary.finished.get(number) != state]
            left = self._kept_folds + sum(self._folds_ended[number] for number in unstored)
            trials, folds = (f"{count} {what}{'s' * (count != 1)}" for count, what in ((done, "trial"), (left, "fold")))
            kept = f"{trials} and {folds} of the next kept" if left else f"{trials} kept"
            notes.print(f"interrupted: {kept}; the same command continues", markup=False)


def _left(seconds: float) -> str:
    """An estimated time in words."""
    return f"about {seconds / 60:.0f} min left" if seconds >= 60 else f"about {seconds:.0f} s left"


def _in_one_line(note: str, study: str) -> str:
    """A note that fits a line of the terminal, with the command that shows all of it; elsewhere the note as it is."""
    details = f"… (all: ser-tune report {shlex.quote(study)})"
    if not notes.is_terminal or len(note) < notes.width or notes.width < 2 * len(details):
        return note
    return note[: notes.width - len(details) - 1] + details
