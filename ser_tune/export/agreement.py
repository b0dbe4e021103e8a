"""The check of an exported folder: its numbers, such as probabilities, are those of the registered model."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ..audio import SAMPLE_RATE_HZ, length_s, read_speech
from ..corpora import CORPORA, Corpus, Utterance
from ..errors import CorpusError, SerTuneError
from ..prediction import Committee, Predictor
from ..protocol import load_corpus
from ..results import recorded
from ..tasks import TASKS
from ..tracking import MEMBERS_TAG, LoadedModel, Workspace
from .model_files import Written

__all__ = ["LARGEST_DIFFERENCE", "Agreement", "compare", "pick_recordings"]

LARGEST_DIFFERENCE = 1e-4
"""Between probabilities of a label, or ratings of a dimension divided by its largest; more is not the same model."""
LONGEST_RUN_S = 600.0
RECORDINGS = 8
"""Recordings to check on."""
DEMO = "demo (synthesised; the model's own corpus is not here)"


@dataclass(frozen=True, slots=True)
class Agreement:
    """The difference between an exported model and the registered model."""

    recordings: int
    corpus: str
    """The recordings' corpus, in words."""
    difference: float
    """The largest absolute difference of numbers, both in float32; of ratings in shares of the dimension's largest on
    these recordings, where that is above 1."""
    numbers: str
    """The noun for the numbers, such as `probabilities`."""
    rounding: float | None
    """The largest difference from the registered model where that runs its encoder in bfloat16; else None."""


def compare(folder: Path, model: LoadedModel, recordings: Sequence[Path], corpus: str, written: Written) -> Agreement:
    """Run an exported folder's predict.py in a process of its own, and compare all numbers and answers.

    Raises:
        SerTuneError: It does not run, its numbers are not those of `predict`, or an answer is not what the task
            decides of them.
    """
    task, in_float32 = TASKS.get(written.recipe.task), written.in_float32
    registered = _numbers(model, recordings)
    expected = registered if in_float32 is None else _numbers(in_float32, recordings)
    rows = _predicted_by(folder, recordings)
    found = np.array([[row[label] for label in model.labels] for row in rows])
    unit = 1.0 if task.named else np.maximum(1.0, np.abs(expected).max(axis=0))
    difference = float((np.abs(found - expected) / unit).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise SerTuneError(
            f"the exported model's {task.numbers} differ from predict's by up to {difference:.1e} on {len(recordings)} "
            f"recordings; expected at most {LARGEST_DIFFERENCE:.0e}"
        )
    for path, row, label in zip(recordings, rows, task.labels(found, written.recipe.labels), strict=True):
        if task.named and row[task.answer] != label:
            raise SerTuneError(
                f"the exported model calls the {task.answer} of {path} '{row[task.answer]}'; expected '{label}'"
            )
    rounding = None if in_float32 is None else float((np.abs(found - registered) / unit).max())
    return Agreement(len(recordings), corpus, difference, task.numbers, rounding)


def _predicted_by(folder: Path, recordings: Sequence[Path]) -> list[dict[str, object]]:
    """The rows that an exported folder's predict.py prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, "-B", "-W", "ignore", str(folder / "predict.py"), *map(str, recordings)]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=LONGEST_RUN_S
        )
    except subprocess.TimeoutExpired:
        raise SerTuneError(f"the exported predict.py did not end within {LONGEST_RUN_S:.0f} s") from None
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"])[-1]
        raise SerTuneError(f"the exported predict.py does not run: {last}")
    rows: list[dict[str, object]] = json.loads(ended.stdout)
    return rows


def _numbers(model: LoadedModel | Predictor | Committee, recordings: Sequence[Path]) -> np.ndarray:
    """Shown numbers of recordings, each judged by itself: shape (recordings, K)."""
    found = [model.predict([path])[0].numbers for path in recordings]
    return np.array([[numbers[label] for label in model.labels] for numbers in found])


def pick_recordings(
    workspace: Workspace, run_id: str, scratch: Path, *, longest_s: float | None
) -> tuple[Sequence[Path], str]:
    """Choose recordings of the model's corpus, or of the demo corpus where that is not here.

    Args:
        workspace: The project's stores.
        run_id: Of the model's version.
        scratch: Folder for stretches of long recordings.
        longest_s: Longer recordings are left out; None leaves out none.

    Returns:
        The files of the shortest, the longest, and others between them by length; and the corpus in words.
    """
    run = workspace.client.get_run(run_id)
    try:
        member = run.data.tags.get(MEMBERS_TAG, run_id).split()[0]  # all members share the corpus
        corpus = load_corpus(recorded(workspace, workspace.client.get_run(member))[0], workspace.project)
        return _files(corpus.utterances, scratch, longest_s), corpus.name
    except SerTuneError:
        demo = Corpus.load(CORPORA.get("demo"), None, workspace.project.cache)
        return _files(demo.utterances, scratch, longest_s), DEMO


def _files(utterances: Sequence[Utterance], scratch: Path, longest_s: float | None) -> list[Path]:
    lengths = [length_s(spoken.path, start_s=spoken.start_s, end_s=spoken.end_s) for spoken in utterances]
    timed = sorted(zip(lengths, utterances, strict=True), key=lambda pair: (pair[0], pair[1].id))
    usable = [spoken for seconds, spoken in timed if seconds and (longest_s is None or seconds <= longest_s)]
    if not usable:
        raise CorpusError(f"no recording lasts {longest_s:g} s or less; name others with --recording")
    chosen = np.unique(np.linspace(0, len(usable) - 1, RECORDINGS).round().astype(int)).tolist()
    return [_whole_file(usable[place], scratch / f"stretch-{number}.wav") for number, place in enumerate(chosen)]


def _whole_file(utterance: Utterance, target: Path) -> Path:
    """The recording's file, or its stretch, written to `target`."""
    if utterance.start_s == 0 and utterance.end_s is None:
        return utterance.path
    speech = read_speech(utterance.path, start_s=utterance.start_s, end_s=utterance.end_s)
    soundfile.write(target, speech, SAMPLE_RATE_HZ, subtype="FLOAT")
    return target
