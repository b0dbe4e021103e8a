"""`predict`: what a registered model recognises in recordings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..errors import ConfigError
from ..registry import load_model

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..recordings import Unusable
    from ..tracking import LoadedModel

__all__ = ["predict"]


def predict(
    model: "str | LoadedModel",
    audio: Sequence[str | Path],
    *,
    listed: Iterable[str] = (),
    min_confidence: float = 0.0,
    progressed: Callable[[int, int], None] = lambda done, total: None,
    project: Project | None = None,
) -> "Iterator[Prediction | Unusable]":
    """Recognise the emotion in sound files, a few at a time: a folder of any size takes little memory.

    Args:
        model: `name` (its champion), `name@alias` or `name/version`, or what `load_model` returned.
        audio: Files, folders, patterns such as `sounds/**/*.wav`, and `-`, which stands for `listed`.
        listed: Files or folders, such as the lines of standard input.
        min_confidence: Where no emotion has this probability, the label is `uncertain`.
        progressed: Told how many files are done, and how many there are.
        project: Where things are; None is `Project.locate()`.

    Returns:
        Of each file, in order, its prediction; or `Unusable`, the reason why there is none.

    Raises:
        SerTuneError: There is no such model, or a folder or pattern has no files.
    """
    from ..recordings import Unusable, find_files, label_of, predict_files

    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"min_confidence is {min_confidence}; expected a probability from 0 to 1")
    files = find_files([str(one) for one in audio], listed)
    loaded = _loaded(model, project)

    def answered() -> "Iterator[Prediction | Unusable]":
        for one in predict_files(loaded, files, progressed=progressed):
            if isinstance(one, Unusable):
                yield one
            else:
                yield replace(one, label=label_of(one.probabilities, min_confidence))

    return answered()


def _loaded(model: "str | LoadedModel", project: Project | None) -> "LoadedModel":
    if not isinstance(model, str):
        return model
    return load_model(model, tracking_uri=None if project is None else project.tracking_uri)
