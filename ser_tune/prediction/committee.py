"""Predictors of unlike configurations whose probabilities are averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..audio import Heard
from ..encoders import FindEncoder
from ..tasks import TASKS
from .predictor import Prediction, Predictor, SegmentPrediction, hear
from .recipe import Recipe

__all__ = ["ENCODERS", "Committee", "load_predictor"]

ENCODERS = "encoders"
"""Folder of the pretrained encoders within a model that carries its own."""


class Committee:
    """Predictors, each with a front end of its own, that speak with one voice: the mean of their probabilities."""

    def __init__(self, members: Sequence[Predictor]) -> None:
        """Put predictors together.

        Args:
            members: At least one; their tasks and labels are the same, and so is whose recordings normalise their
                features.
        """
        self.members = list(members)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its outputs, such as the classes that it tells apart."""
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
        for member in self.members:  # what several share, such as an encoder, runs once
            if member.front_end not in extracted:
                extracted[member.front_end] = member.extract(heard)
        said = [member.judge(heard, extracted[member.front_end]) for member in self.members]
        return [_together(self.recipe, of_one) for of_one in zip(*said, strict=True)]


def _together(recipe: Recipe, said: Sequence[Prediction]) -> Prediction:
    """What the members say of one utterance, averaged."""
    probabilities = _mean([one.probabilities for one in said])
    cuts = {tuple((one.start_s, one.end_s) for one in member.segments) for member in said}
    segments: tuple[SegmentPrediction, ...] = ()
    if len(cuts) == 1:
        segments = tuple(
            replace(same[0], probabilities=_mean([one.probabilities for one in same]))
            for same in zip(*(member.segments for member in said), strict=True)
        )
    shown = np.array([[probabilities[one] for one in recipe.labels]])
    (label,) = TASKS.get(recipe.task).labels(shown, recipe.labels)
    return replace(said[0], label=label, probabilities=probabilities, segments=segments)


def _mean(probabilities: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {label: float(np.mean([one[label] for one in probabilities])) for label in probabilities[0]}


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
