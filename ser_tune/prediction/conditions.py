"""Features of a corpus in a recording condition, extracted once and kept in the project's cache.

Trials, promotions and evaluations with the same front end read the same features.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..audio import Heard
from ..corpora import Corpus
from ..errors import StorageError
from ..features import FEATURE_SETS, Condition, Disturbance, FeatureStore
from .segments import UtteranceFeatures

if TYPE_CHECKING:
    from .predictor import Predictor
    from .recipe import Recipe

__all__ = ["features_in", "has_features_in", "utterance_features"]

FORMAT = 1
"""Part of the name of every entry; raise it when a condition changes."""
AT_ONCE = 32
"""Utterances that are extracted at once."""


def features_in(
    condition: Condition,
    corpus: Corpus,
    predictor: "Predictor",
    cache: Path,
    *,
    progressed: Callable[[int], None] = lambda done: None,
) -> UtteranceFeatures:
    """Features of all utterances of a corpus in a condition, from the cache or extracted.

    Args:
        condition: Which disturbance of the recordings.
        corpus: Source of the recordings.
        predictor: Its front end extracts.
        cache: The project's cache folder.
        progressed: Called with the number of utterances that are done.

    Raises:
        AudioError: The condition leaves too little of an utterance for the front end; nothing is stored.
        StorageError: The cache cannot be written, or is damaged.
    """
    folder = _folder(condition, corpus, predictor, cache)
    if not folder.exists():
        extracted = list[np.ndarray]()
        for features in _extracted(condition, corpus, predictor):
            extracted += features
            progressed(len(extracted))
        try:
            _write(folder, extracted)
        except OSError as error:
            raise StorageError(f"features of worse recordings cannot be stored: {error.strerror or error}") from None
    return _read(folder, predictor)


def has_features_in(condition: Condition, corpus: Corpus, predictor: "Predictor", cache: Path) -> bool:
    """Whether the cache has what `features_in` returns."""
    return _folder(condition, corpus, predictor, cache).exists()


def utterance_features(recipe: "Recipe", frames: np.ndarray, offsets: np.ndarray) -> UtteranceFeatures:
    """Extracted features as the networks of a recipe read them, on the CPU.

    Args:
        recipe: Its settings choose channels.
        frames: All frames one after another, shape (N, C, F).
        offsets: Start of each utterance, and N at the end, shape (U + 1,).
    """
    import torch

    channels = FEATURE_SETS.get(recipe.features.name).channels(recipe.features)
    return UtteranceFeatures.of(FeatureStore.of(frames, offsets).channels(channels), torch.device("cpu"))


def _folder(condition: Condition, corpus: Corpus, predictor: "Predictor", cache: Path) -> Path:
    """The cache entry of a corpus's features in a condition."""
    ids = hashlib.sha256("\n".join(utterance.id for utterance in corpus.utterances).encode()).hexdigest()
    key = getattr(predictor, "extraction_key", predictor.front_end)  # models of before bring code that has none
    about = [FORMAT, predictor.recipe.features.name, key, condition.name, corpus.digest, ids]
    return cache / "stressed" / hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]


def _extracted(condition: Condition, corpus: Corpus, predictor: "Predictor") -> Iterator[list[np.ndarray]]:
    """Features of disturbed utterances, some at a time, each (frames, C, F)."""
    alter, utterances = Disturbance(corpus).of(condition), list(enumerate(corpus.utterances))
    for begin in range(0, len(utterances), AT_ONCE):
        some = utterances[begin : begin + AT_ONCE]
        yield predictor.extract([Heard(own.id, alter(number, own.speech())) for number, own in some])


def _read(folder: Path, predictor: "Predictor") -> UtteranceFeatures:
    try:
        frames, offsets = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in ("frames", "offsets"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"the features of worse recordings in '{folder}' cannot be read ({error}); delete that folder to extract "
            "them again"
        ) from None
    return utterance_features(predictor.recipe, frames, np.asarray(offsets))


def _write(folder: Path, extracted: list[np.ndarray]) -> None:
    """Write features into a new folder; another process may have just put them there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
        partial = Path(temporary, "features")
        partial.mkdir()
        np.save(partial / "frames.npy", np.concatenate(extracted))
        np.save(partial / "offsets.npy", np.cumsum([0, *map(len, extracted)]))
        with suppress(OSError):
            partial.rename(folder)
