"""Predictions of a side of a corpus's split, such as a test set with withheld labels, as its challenges take them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ..audio import SAMPLE_RATE_HZ, Heard
from ..corpora import CORPORA, Challenge, CorpusSource, Utterance, is_placeholder
from ..errors import ConfigError, CorpusError
from .batches import BATCH_S

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..tracking import LoadedModel

__all__ = ["Submission", "prepare_submission"]


@dataclass(frozen=True, slots=True)
class Submission:
    """A table of predictions that are made as its rows are read."""

    columns: Sequence[str]
    total: int
    """Number of rows."""
    rows: Iterator[Mapping[str, str]]
    """A row for each recording, by column."""


def prepare_submission(
    model: "LoadedModel",
    corpus: str,
    split: str,
    *,
    data: Path | None,
    cache: Path,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> Submission:
    """Find the recordings of a side of a corpus's official split, and predict them as the rows are read.

    Args:
        model: Loaded.
        corpus: Its name.
        split: The side, such as `test3`; its labels are not read.
        data: The corpus's folder or manifest.
        cache: The project's cache folder.
        progressed: Receives how many recordings are done, of how many.

    Raises:
        AudioError: A recording cannot be used; raised while rows are read, as the table needs every recording.
        ConfigError: The challenge's table does not take the model's answers, or the model normalises by speaker, and a
            recording's speaker is not known.
        CorpusError: The corpus cannot be read, or has no such side.
        UnknownNameError: There is no such corpus.
    """
    source = CORPORA.get(corpus)
    utterances = _of_split(source, data, cache, split)
    challenge = source.challenge
    columns = _columns(model, challenge, corpus)
    whose = model.together
    if whose == "speaker":
        _refuse_unknown(utterances)

    def rows() -> Iterator[Mapping[str, str]]:
        done = 0
        progressed(done, len(utterances))
        for batch in _batches(utterances, whose):
            predicted = model.predict_heard([heard for _, heard in batch])
            for (utterance, _), prediction in zip(batch, predicted, strict=True):
                yield {challenge.file: challenge.file_of(utterance), **_answers(model, source, prediction)}
            done += len(batch)
            progressed(done, len(utterances))

    return Submission((challenge.file, *columns), len(utterances), rows())


def _of_split(source: CorpusSource, data: Path | None, cache: Path, split: str) -> list[Utterance]:
    """All utterances of a side, labelled or not, by name."""
    everything = sorted(source.read(data, cache), key=lambda utterance: utterance.id)
    if found := [utterance for utterance in everything if utterance.split == split]:
        return found
    sides = sorted({utterance.split for utterance in everything} - {""})
    there = f"it has {', '.join(sides)}" if sides else "it has no official split"
    raise CorpusError(f"corpus {source.name}: no utterance is of the split '{split}'; {there}")


def _columns(model: "LoadedModel", challenge: Challenge, corpus: str) -> tuple[str, ...]:
    """The columns of a model's answers, which the challenge's table takes."""
    of_dimensions = model.task.output_scale is not None
    known = challenge.dimensions if of_dimensions else challenge.codes
    if known and (foreign := [label for label in model.labels if label not in known]):
        raise ConfigError(
            f"the model predicts '{foreign[0]}', which the challenge table of corpus {corpus} does not take; expected "
            f"{', '.join(known)}"
        )
    if not of_dimensions:
        return (challenge.answer,)
    return tuple(known[label] for label in known if label in model.labels) or model.labels


def _refuse_unknown(utterances: Sequence[Utterance]) -> None:
    """Refuse recordings without a known speaker: a model that normalises by speaker cannot judge them."""
    unknown = [utterance for utterance in utterances if is_placeholder(utterance.speaker)]
    if unknown:
        raise ConfigError(
            f"the model normalises features by speaker, and of {len(unknown)} of {len(utterances)} recordings the "
            f"speaker is not known, such as {unknown[0].id}; expected a model with normalisation by training speakers "
            "or utterance"
        )


def _batches(utterances: Sequence[Utterance], whose: str) -> Iterator[list[tuple[Utterance, Heard]]]:
    """Decoded utterances: those of a speaker or of the corpus at once, or about five minutes of sound at a time."""
    if whose == "corpus":
        yield [_heard(utterance) for utterance in utterances]
        return
    if whose == "speaker":
        ordered = sorted(utterances, key=lambda utterance: (utterance.speaker, utterance.id))
        for _, own in groupby(ordered, key=lambda utterance: utterance.speaker):
            yield [_heard(utterance) for utterance in own]
        return
    batch, held = [], 0.0
    for utterance in utterances:
        batch.append(_heard(utterance))
        held += len(batch[-1][1].speech) / SAMPLE_RATE_HZ
        if held >= BATCH_S:
            yield batch
            batch, held = [], 0.0
    if batch:
        yield batch


def _heard(utterance: Utterance) -> tuple[Utterance, Heard]:
    return utterance, Heard(str(utterance.path), utterance.speech())


def _answers(model: "LoadedModel", source: CorpusSource, prediction: "Prediction") -> dict[str, str]:
    """The cells of a prediction: a code, or ratings within the corpus's scale."""
    challenge = source.challenge
    if model.task.output_scale is None:
        return {challenge.answer: challenge.codes.get(prediction.label, prediction.label)}
    cells = {}
    for name, rating in prediction.numbers.items():
        low, high = source.scales.get(name, (rating, rating))
        cells[challenge.dimensions.get(name, name)] = f"{min(max(rating, low), high):.6f}"
    return cells
