"""Predictions of many files, of which only a few are in memory at once: some are predicted, the next are decoded."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ, Heard, read_speech
from ..errors import AudioError, ConfigError
from ..tasks import UNCERTAIN

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..tasks import StatedSets
    from ..tracking import LoadedModel
    from .speaker_memory import SpeakerMemory

__all__ = ["BATCH_S", "UNCERTAIN", "Unusable", "is_together", "label_of", "predict_files", "stated_sets", "within"]

BATCH_S = 300.0
"""Seconds of sound that are predicted at once: 19 MB, and a hundred utterances, more than a network takes at once."""
CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that cannot be used."""

    source: str
    """Its path."""
    reason: str
    """A sentence that names it."""


def label_of(model: "LoadedModel", numbers: Mapping[str, float], min_confidence: float = 0.0) -> str:
    """The decision of a model on shown numbers, or `uncertain` where the highest probability is lower than asked."""
    if model.task.has_probabilities and max(numbers.values()) < min_confidence:
        return UNCERTAIN
    names = model.recipe.labels
    (label,) = model.task.labels(np.array([[numbers[name] for name in names]]), names)
    return label


def stated_sets(
    model: "LoadedModel", error_rate: float | None, *, guaranteed: bool = False, min_confidence: float = 0.0
) -> "StatedSets | None":
    """The prediction sets of a loaded model at an error rate; None where no error rate is stated.

    Args:
        model: Loaded.
        error_rate: The share of utterances of new speakers whose set lacks the true answer.
        guaranteed: Whether this is a bound for any distribution of speakers.
        min_confidence: As in `predict`, which has no meaning beside an error rate.

    Raises:
        ConfigError: The model has no prediction sets, or its calibration speakers are too few for the error rate.
    """
    if error_rate is None:
        if guaranteed:
            raise ConfigError("guaranteed needs an error rate; pass --error-rate R too")
        return None
    if min_confidence:
        raise ConfigError(
            f"min_confidence is {min_confidence:g} and error_rate is {error_rate:g}, but the answer can be uncertain "
            "for one reason only; pass one of them"
        )
    return model.prediction_sets.at(error_rate, guaranteed=guaranteed)


def within(found: "Prediction", sets: "StatedSets") -> "Prediction":
    """A prediction with its prediction set; the label is `uncertain` where this is empty or has several classes.

    The class is always that of this installation: the model's own copy of it may have no set.
    """
    from ..prediction import Prediction  # most predictions do without it

    members = sets.members(found.numbers)
    return Prediction(
        source=found.source,
        label=found.label if members is None or len(members) == 1 else UNCERTAIN,
        numbers=found.numbers,
        segments=found.segments,
        number=found.number,
        members=members,
        ranges=sets.ranges(found.numbers),
        basis=getattr(found, "basis", ""),
    )


def is_together(model: "LoadedModel") -> bool:
    """Whether a model normalises all recordings of a call together, as a speaker's or a corpus's."""
    return bool(model.together)


def predict_files(
    model: "LoadedModel",
    files: Sequence[str],
    *,
    memory: "SpeakerMemory | None" = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator["Prediction | Unusable"]:
    """Recognise the emotion in files, about five minutes of sound at a time, beside which the next are decoded.

    A model with normalisation by speaker or corpus takes all files for recordings of one, and needs all at once.

    Args:
        model: Loaded.
        files: Their paths.
        memory: What is remembered of the speaker of the files; None is nothing.
        progressed: Called with the number of finished files and the number of all.

    Yields:
        Of each file, in order, its prediction or why there is none.
    """
    done, total = 0, len(files)
    progressed(done, total)
    for batch in _decoded_ahead(files, None if is_together(model) else BATCH_S):
        judge = model.predict_heard if memory is None else partial(memory.predict, model)
        predicted = iter(_predict(model, [item for item in batch if isinstance(item, Heard)], judge))
        for item in batch:
            done += 1
            yield next(predicted) if isinstance(item, Heard) else item
        progressed(done, total)


def _decoded_ahead(files: Sequence[str], seconds: float | None) -> Iterator[list[Heard | Unusable]]:
    """Decoded files, so many seconds at a time; None is all at once. The next are decoded while these are used.

    Threads decode, because libsndfile and the resampler release the interpreter lock.
    """
    ended = Event()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(CORES) as decoders:
        batches = _batches(_decoded(files, decoders, ended), seconds)
        try:
            coming = reader.submit(next, batches, None)
            while batch := coming.result():
                coming = reader.submit(next, batches, None)
                yield batch
        finally:
            ended.set()  # Ctrl-C does not wait for minutes of sound


def _decoded(files: Sequence[str], decoders: Executor, ended: Event) -> Iterator[Heard | Unusable]:
    """Decode files in their order, a few of them ahead, until the event."""
    rest, coming = iter(files), deque[Future[Heard | Unusable]]()
    while not ended.is_set():
        coming += (decoders.submit(_decode, file) for file in islice(rest, 2 * CORES - len(coming)))
        if not coming:
            return
        yield coming.popleft().result()


def _decode(file: str) -> Heard | Unusable:
    try:
        return Heard(file, read_speech(Path(file)))
    except AudioError as error:
        return Unusable(file, str(error))


def _batches(decoded: Iterable[Heard | Unusable], seconds: float | None) -> Iterator[list[Heard | Unusable]]:
    """Collect files, so many seconds at a time; None is all at once."""
    batch: list[Heard | Unusable] = []
    held = 0.0
    for item in decoded:
        batch.append(item)
        held += len(item.speech) / SAMPLE_RATE_HZ if isinstance(item, Heard) else 0.0
        if seconds is not None and held >= seconds:
            yield batch
            batch, held = [], 0.0
    if batch:
        yield batch


def _predict(
    model: "LoadedModel", heard: Sequence[Heard], judge: "Callable[[Sequence[Heard]], Sequence[Prediction]]"
) -> "list[Prediction | Unusable]":
    """Predictions of decoded files; those that the model cannot use are found by trying."""
    if not heard:
        return []
    try:
        return list(judge(heard))
    except AudioError as error:
        if len(heard) == 1:
            return [Unusable(heard[0].source, str(error))]
        if not is_together(model):
            half = len(heard) // 2
            return _predict(model, heard[:half], judge) + _predict(model, heard[half:], judge)
        reasons = [_reason(model, recording) for recording in heard]
        if not any(reasons):
            raise
    usable = [recording for recording, reason in zip(heard, reasons, strict=True) if reason is None]
    predicted = iter(_predict(model, usable, judge))
    return [
        next(predicted) if reason is None else Unusable(recording.source, reason)
        for recording, reason in zip(heard, reasons, strict=True)
    ]


def _reason(model: "LoadedModel", heard: Heard) -> str | None:
    """Why a model that needs two recordings cannot use this one, taken twice; None where it can."""
    try:
        model.predict_heard([heard, heard])
    except AudioError as error:
        return str(error)
    return None
