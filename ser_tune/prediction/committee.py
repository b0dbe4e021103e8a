"""Predictors of unlike configurations whose shown numbers, such as probabilities, are averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..audio import Heard
from ..encoders import FindEncoder
from ..tasks import TASKS
from .predicted_utterance import Prediction, SegmentPrediction
from .predictor import Predictor, hear
from .recipe import Recipe

__all__ = ["ENCODERS", "Committee", "load_predictor"]

ENCODERS = "encoders"
"""Folder of the pretrained encoders within a model that carries its own."""


class Committee:
    """Predictors, each with a front end of its own, whose shown numbers are averaged."""

    def __init__(self, members: Sequence[Predictor]) -> None:
        """Put predictors together.

        Args:
            members: At least one; their tasks and labels are the same, and so is whose recordings normalise their
                features.
        """
        self.members = list(members)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, such as the classes."""
        return self.members[0].labels

    @property
    def recipe(self) -> Recipe:
        """The first member's; labels, task and the normalisation's scope are the same for all."""
        return self.members[0].recipe

    def save(self, folder: Path) -> None:
        """Write each member to a folder of its own within an existing one."""
        for number, member in enumerate(self.members):
            own = folder / f"member-{number:02d}"
            own.mkdir()
            member.save(own)

    @classmethod
    def load(cls, folder: Path, find_encoder: FindEncoder | None = None) -> "Committee":
        """Read what `save` wrote; the arguments are those of `Predictor.load`."""
        return cls([Predictor.load(own, find_encoder) for own in sorted(folder.glob("member-*"))])

    def predict(
        self, audio: Sequence[str | Path | np.ndarray], *, sample_rate_hz: int | None = None
    ) -> list[Prediction]:
        """Recognise the emotion of each utterance; arguments and errors are those of `Predictor.predict`.

        Where the members cut an utterance into other segments than each other, it has none in common.
        """
        return self.predict_heard(hear(audio, sample_rate_hz))

    def predict_heard(self, heard: Sequence[Heard]) -> list[Prediction]:
        """Recognise the emotion of decoded utterances, as `predict` does."""
        if not heard:
            return []
        extracted: dict[str, list[np.ndarray]] = {}
        for member in self.members:  # a front end that several share, such as an encoder, runs once
            if member.front_end not in extracted:
                extracted[member.front_end] = member.extract(heard)
        by_member = [member.judge(heard, extracted[member.front_end]) for member in self.members]
        return [_together(self.recipe, predictions) for predictions in zip(*by_member, strict=True)]

    def judge_speaker(
        self, heard: Sequence[Heard], before: Sequence[Mapping[str, np.ndarray] | None]
    ) -> tuple[list[Prediction], list[dict[str, np.ndarray]]]:
        """As of `Predictor`, with arrays of each member."""
        by_member = [
            member.judge_speaker(heard, member.extract(heard), known)
            for member, known in zip(self.members, before, strict=True)
        ]
        together = zip(*(predictions for predictions, _ in by_member), strict=True)
        return [_together(self.recipe, found) for found in together], [arrays for _, arrays in by_member]


def _together(recipe: Recipe, predictions: Sequence[Prediction]) -> Prediction:
    """The mean of the members' predictions for an utterance."""
    numbers = _mean(predictions)
    cuts = {tuple((segment.start_s, segment.end_s) for segment in found.segments) for found in predictions}
    segments: tuple[SegmentPrediction, ...] = ()
    if len(cuts) == 1:
        together = zip(*(found.segments for found in predictions), strict=True)
        segments = tuple(replace(same[0], numbers=_mean(same)) for same in together)
    shown = np.array([[numbers[label] for label in recipe.labels]])
    (label,) = TASKS.get(recipe.task).labels(shown, recipe.labels)
    return replace(predictions[0], label=label, numbers=numbers, segments=segments)


def _mean(found: Sequence[Prediction] | Sequence[SegmentPrediction]) -> dict[str, float]:
    labels = found[0].numbers
    return {label: float(np.mean([member.numbers[label] for member in found])) for label in labels}


def load_predictor(folder: Path, find_encoder: FindEncoder | None = None) -> Predictor | Committee:
    """Read what a predictor or a committee saved; nothing is unpickled.

    Args:
        folder: Where it was saved. `encoders/` in it, a folder named by the digest for each pretrained encoder, wins.
        find_encoder: From an encoder's digest to its folder, or to None where only the recipe has its place.
    """

    def find(digest: str) -> Path | None:
        own = folder / ENCODERS / digest
        return own if own.is_dir() else None if find_encoder is None else find_encoder(digest)

    single = (folder / "recipe.json").exists()
    return Predictor.load(folder, find) if single else Committee.load(folder, find)
