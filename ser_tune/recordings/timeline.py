"""Emotions over time in a long recording: detect speech, predict windows of it, merge windows to passages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ, Heard, length_s, read_speech
from .batches import BATCH_S, is_together, label_of
from .speech import SpeechDetector, Stretch, read_pieces, speech_of

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..tracking import LoadedModel

__all__ = ["Passage", "Timeline", "audacity_labels", "merged", "plan_windows", "rttm", "timeline_of"]

WINDOW_S = 3.0
"""Length of a window in seconds, about that of the utterances in training."""
STEP_S = 1.0
"""Time from the start of a window to the start of the next, in seconds."""
LEAST_S = 1.0
"""A shorter stretch of speech is extended on both sides to this many seconds before prediction."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a recording with one emotion."""

    start_s: float
    end_s: float
    label: str
    """An emotion, or `uncertain`."""
    numbers: Mapping[str, float]
    """Mean over the passage of the shown number of each output, such as its probability."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Emotions over time in one recording."""

    source: str
    """Path of the recording."""
    length_s: float
    passages: tuple[Passage, ...]
    """In order, without overlap; there is no speech between them."""
    windows: tuple[Passage, ...]
    """Windows with their predictions; windows of the same stretch of speech overlap."""


def plan_windows(stretch: Stretch, *, window_s: float = WINDOW_S, step_s: float = STEP_S) -> list[Stretch]:
    """Evenly spaced windows that cover a stretch of speech; a single window if the stretch is short.

    >>> [(one.start_s, one.end_s) for one in plan_windows(Stretch(1.0, 6.0))]
    [(1.0, 4.0), (2.0, 5.0), (3.0, 6.0)]
    >>> plan_windows(Stretch(1.0, 2.5)) == [Stretch(1.0, 2.5)]
    True
    """
    spare_s = stretch.end_s - stretch.start_s - window_s
    if spare_s <= 0:
        return [stretch]
    starts = np.linspace(stretch.start_s, stretch.end_s - window_s, 1 + int(np.ceil(spare_s / step_s - 1e-9)))
    return [Stretch(float(start), float(start) + window_s) for start in starts]


def timeline_of(
    model: "LoadedModel",
    file: str,
    detector: SpeechDetector,
    *,
    window_s: float | None = None,
    min_confidence: float = 0.0,
    progressed: Callable[[float], None] = lambda done: None,
) -> Timeline:
    """Find speech in a recording of any length, and recognise its emotions over time.

    Memory holds a few minutes of audio at a time. A model with normalisation by speaker needs all speech of the
    recording in memory; the recording is assumed to have a single speaker.

    Args:
        model: The loaded model.
        file: A sound file.
        detector: Detects speech; its state is reset first.
        window_s: Length of a window in seconds; None is 3.
        min_confidence: The label is `uncertain` if no emotion has at least this probability.
        progressed: Called with the finished share, from 0 to 1.

    Raises:
        AudioError: The file cannot be used.
    """
    path, window_s = Path(file), window_s or WINDOW_S
    detector.forget()
    probabilities: list[float] = []
    length = 0
    for piece in read_pieces(path):
        probabilities += detector.probabilities(piece)
        length += len(piece)
    speech = speech_of(probabilities, length)
    planned = [plan_windows(stretch, window_s=window_s, step_s=min(STEP_S, window_s)) for stretch in speech]
    windows = [window for of_stretch in planned for window in of_stretch]
    told: list[Prediction] = []
    waiting: list[Heard] = []
    for group in _groups(windows):
        waiting += _hear(path, group)
        if not is_together(model):
            told += model.predict_heard(waiting)
            waiting = []
            progressed(len(told) / len(windows))
    if waiting:
        told += model.predict_heard(waiting)
    judged = []
    for window, prediction in zip(windows, told, strict=True):
        label = label_of(model, prediction.numbers, min_confidence)
        judged.append(Passage(window.start_s, window.end_s, label, prediction.numbers))
    ends = np.cumsum([len(of_stretch) for of_stretch in planned])
    named = model.task.named
    passages = [
        passage if named else replace(passage, label=label_of(model, passage.numbers))
        for stretch, end, of_stretch in zip(speech, ends, planned, strict=True)
        for passage in merged(stretch, judged[end - len(of_stretch) : end], by_label=named)
    ]
    return Timeline(file, length / SAMPLE_RATE_HZ, tuple(passages), tuple(judged))


def merged(stretch: Stretch, windows: Sequence[Passage], *, by_label: bool = True) -> Iterator[Passage]:
    """Merge neighbouring windows with the same label into passages, which meet halfway between window centres.

    Args:
        stretch: The stretch of speech; the passages cover it.
        windows: Predicted windows of the stretch, in order.
        by_label: False merges all windows, because their labels are numbers; the passage has the first label.
    """
    centres = [(window.start_s + window.end_s) / 2 for window in windows]
    cuts = [stretch.start_s, *((centre + following) / 2 for centre, following in pairwise(centres)), stretch.end_s]
    parts = list(zip(windows, pairwise(cuts), strict=True))
    for _, group in groupby(parts, key=lambda part: by_label and part[0].label):
        own = list(group)
        seconds = [end_s - start_s for _, (start_s, end_s) in own]
        mean = {
            name: float(np.average([passage.numbers[name] for passage, _ in own], weights=seconds))
            for name in windows[0].numbers
        }
        yield Passage(own[0][1][0], own[-1][1][1], own[0][0].label, mean)


def _groups(windows: Sequence[Stretch]) -> Iterator[list[Stretch]]:
    """Group consecutive windows so that each group spans at most `BATCH_S` seconds."""
    group: list[Stretch] = []
    for window in windows:
        if group and window.end_s - group[0].start_s > BATCH_S:
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def _hear(path: Path, windows: Sequence[Stretch]) -> list[Heard]:
    """Decode a group of windows; windows shorter than `LEAST_S` are extended on both sides."""
    end_of_file_s = length_s(path)
    wide = []
    for window in windows:
        more_s = max(0.0, LEAST_S - (window.end_s - window.start_s)) / 2
        wide.append(Stretch(max(0.0, window.start_s - more_s), min(end_of_file_s, window.end_s + more_s)))
    first_s = min(stretch.start_s for stretch in wide)
    speech = read_speech(path, start_s=first_s, end_s=max(stretch.end_s for stretch in wide))
    return [
        Heard(str(path), speech[round((stretch.start_s - first_s) * SAMPLE_RATE_HZ) :][: _samples(stretch)])
        for stretch in wide
    ]


def _samples(window: Stretch) -> int:
    return round((window.end_s - window.start_s) * SAMPLE_RATE_HZ)


def rttm(timeline: Timeline) -> str:
    """Rich Transcription Time Marked: a line of type SPEAKER for each passage, with its label as the speaker's name.

    Fields: type, file, channel, start, duration, two unused fields, name, probability (the highest if the name is
    `uncertain`), an unused field (NIST 2009, The 2009 RT Evaluation Plan, appendix A).
    """
    name = "_".join(Path(timeline.source).stem.split())
    lines = []
    for passage in timeline.passages:
        label, length_s = "_".join(passage.label.split()), passage.end_s - passage.start_s
        probability = passage.numbers.get(passage.label, max(passage.numbers.values()))
        lines.append(
            f"SPEAKER {name} 1 {passage.start_s:.3f} {length_s:.3f} <NA> <NA> {label} {probability:.3f} <NA>\n"
        )
    return "".join(lines)


def audacity_labels(timeline: Timeline) -> str:
    """A label track of Audacity: start, end and label of each passage, separated by tabs."""
    return "".join(f"{passage.start_s:.6f}\t{passage.end_s:.6f}\t{passage.label}\n" for passage in timeline.passages)
