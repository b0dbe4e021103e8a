"""Loading an MLflow model with the code that it carries; this installation's networks and features are not imported."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
from mlflow.pyfunc import PyFuncModel

from .. import errors
from ..config import adaptation_of, together
from .digests import remove_byte_code
from .failures import download

if TYPE_CHECKING:
    from ..prediction import Heard, Prediction, Predictor, Recipe
    from ..tasks import PredictionSets, Task

__all__ = ["CONTENT", "LoadedModel", "load_files", "model_errors", "open_model", "open_predictor", "prediction_sets_of"]

CONTENT = PurePosixPath("artifacts", "predictor")
"""The predictor's folder in a model."""


def open_predictor(uri: str) -> "Predictor":
    """Load a predictor from any MLflow model URI, with the code that it carries.

    Args:
        uri: Such as `models:/ser-emodb-3d_acrnn@champion` or `models:/m-0123…`.

    Raises:
        RegistryError: A package that the model needs is missing or broken.
    """
    try:
        loaded: Any = load_files(uri)
        predictor: Predictor = loaded.unwrap_python_model().predictor
    except ModuleNotFoundError as error:
        raise errors.RegistryError(str(error)) from None
    except Exception as error:
        if not _is_ours(error):
            raise
        raise errors.RegistryError(str(error)) from None
    return predictor


def load_files(uri: str) -> PyFuncModel:
    """Load an MLflow model by its source code alone: byte code in its folder is neither run nor written.

    Args:
        uri: Of a model, or its folder.

    Raises:
        RegistryError: There is a link among its files, or byte code that cannot be removed.
    """
    folder = Path(uri)
    if not folder.is_dir():
        folder = download(uri)
    remove_byte_code(folder)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        # MLflow's comparison of versions reads the file lists of all installed packages, which takes longer than the
        # rest; the registry compares the model's own
        model: PyFuncModel = mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
        return model
    finally:
        sys.dont_write_bytecode = written


def _is_ours(error: Exception) -> bool:
    """Whether it is a `SerTuneError`, of any copy of ser_tune: each has classes of its own."""
    return "SerTuneError" in [kind.__name__ for kind in type(error).__mro__]


class LoadedModel:
    """A registered model: audio in, predictions out. It runs its own copy of ser_tune, and raises our errors."""

    def __init__(self, predictor: "Predictor", sets: "PredictionSets | None" = None) -> None:
        """Wrap what `open_predictor` returned, and the prediction sets beside it, if there are some."""
        self._predictor, self._sets = predictor, sets

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, such as the classes."""
        return self._predictor.labels

    @property
    def recipe(self) -> "Recipe":
        """Its front end, segments, normalisation and labels."""
        return self._predictor.recipe

    @property
    def together(self) -> str:
        """The unit whose recordings of one call are judged together, `speaker` or `corpus`; empty where none is."""
        return together(self.recipe)

    @property
    def adapts(self) -> bool:
        """Whether it adapts to a speaker, of whom a single recording is enough."""
        return adaptation_of(self.recipe).kind != "none"

    @property
    def task(self) -> "Task":
        """The task that it was trained for."""
        from ..tasks import DEFAULT_TASK, TASKS

        # Copies of this package in models of before there were tasks have none
        return TASKS.get(getattr(self.recipe, "task", DEFAULT_TASK))

    @property
    def scales(self) -> Mapping[str, tuple[float, float]]:
        """Lowest and highest value of each output, by its name; empty where the corpus has none."""
        return dict(zip(self.labels, scales, strict=True)) if (scales := _known(self.recipe, "scales")) else {}

    @property
    def errors(self) -> Mapping[str, float]:
        """The error of each output on the validation speakers, by its name; empty where its task has none.

        Of a combination the mean of the members', which is no less than the error of their mean.
        """
        known = [_known(predictor.recipe, "errors") for predictor in self.predictors]
        return dict(zip(self.labels, np.mean(known, axis=0).tolist(), strict=True)) if all(known) else {}

    @property
    def prediction_sets(self) -> "PredictionSets":
        """Its prediction sets, by their error rate.

        Raises:
            ConfigError: It has none: another task, or trained by an earlier version.
        """
        return _known_sets(self._sets)

    @property
    def predictors(self) -> "Sequence[Predictor]":
        """The predictor, or the members of a combination."""
        members: Sequence[Predictor] = getattr(self._predictor, "members", [self._predictor])
        return members

    def predict(
        self, audio: Sequence[str | Path | np.ndarray], *, sample_rate_hz: int | None = None
    ) -> "list[Prediction]":
        """Predict each utterance.

        Args:
            audio: Paths of sound files, or waveforms of shape (N,) or (N, channels).
            sample_rate_hz: The waveforms' rate; required with waveforms.

        Raises:
            AudioError: An utterance cannot be used; the message names it.
        """
        with model_errors():
            return list(map(_ours, self._predictor.predict(audio, sample_rate_hz=sample_rate_hz)))

    def predict_heard(self, heard: "Sequence[Heard]") -> "list[Prediction]":
        """Predict decoded utterances, as `predict` does."""
        with model_errors():
            return list(map(_ours, self._predictor.predict_heard(heard)))

    def evidence_key(self) -> str:
        """A digest of all that `predict_speaker`'s arrays depend on but for the speaker.

        Raises:
            ConfigError: The model judges each recording by itself, or is of an earlier version.
        """
        if self.together != "speaker":
            raise errors.ConfigError(
                "the model judges every recording by itself, and nothing of a speaker helps it; expected a model with "
                "adaptation.kind or with normalisation by speaker"
            )
        if not all(hasattr(member, "judge_speaker") for member in self.predictors):
            raise errors.ConfigError(
                "the model is of an earlier version of ser-tune, which remembers no speaker; train it again"
            )
        return "-".join(member.evidence_key for member in self.predictors)

    def predict_speaker(
        self, heard: "Sequence[Heard]", before: "Sequence[Mapping[str, np.ndarray]] | None"
    ) -> "tuple[list[Prediction], list[dict[str, np.ndarray]]]":
        """Predict decoded utterances of a speaker, with what was heard before.

        Args:
            heard: At least one utterance.
            before: The second result of an earlier call, of a model with the same `evidence_key`; None where nothing
                was heard.

        Returns:
            The predictions, and for each of `predictors` arrays of all that was heard of the speaker.
        """
        from ..prediction import Committee

        known = [None] * len(self.predictors) if before is None else list(before)
        with model_errors():
            found, arrays = Committee(self.predictors).judge_speaker(heard, known)
        return list(map(_ours, found)), arrays


def prediction_sets_of(folder: Path) -> "PredictionSets":
    """The prediction sets of a model whose files are in a folder.

    Raises:
        ConfigError: It has none: another task, or trained by an earlier version.
    """
    from ..tasks import read_prediction_sets

    return _known_sets(read_prediction_sets(folder / CONTENT))


def _known_sets(sets: "PredictionSets | None") -> "PredictionSets":
    if sets is None:
        raise errors.ConfigError(
            "the model has no prediction sets: they are of models that predict one of several classes or ratings, and "
            "that this version of ser-tune trained, or a later one"
        )
    return sets


def open_model(folder: Path) -> LoadedModel:
    """Load a model whose files are in a folder, with its prediction sets.

    Raises:
        RegistryError: A package that the model needs is missing or broken.
    """
    from ..tasks import read_prediction_sets

    return LoadedModel(open_predictor(str(folder)), read_prediction_sets(folder / CONTENT))


def _known(recipe: "Recipe", name: str) -> Sequence[Any]:
    """A field of a recipe; empty where the model's own copy of ser_tune is from before there was such a field."""
    found: Sequence[Any] = getattr(recipe, name, ())
    return found


LATEST = "basis"
"""The field of predictions that was added last."""


def _ours(found: Any) -> "Prediction":  # noqa: ANN401 - of the model's own copy of ser_tune
    """A prediction of this version; that of an earlier copy lacks fields, the first had `probabilities` for numbers."""
    if hasattr(found, LATEST):
        current: Prediction = found
        return current
    from .. import prediction  # which later models do without

    segments = tuple(
        prediction.SegmentPrediction(part.start_s, part.end_s, _numbers_of(part)) for part in found.segments
    )
    noun = getattr(found, "number", "probability")
    return prediction.Prediction(found.source, found.label, _numbers_of(found), segments, number=noun)


def _numbers_of(found: Any) -> Mapping[str, float]:  # noqa: ANN401 - of the model's own copy of ser_tune
    numbers: Mapping[str, float] = found.numbers if hasattr(found, "numbers") else found.probabilities
    return numbers


@contextmanager
def model_errors() -> Iterator[None]:
    """Raise errors of a model's own copy of ser_tune as those of this installation."""
    try:
        yield
    except Exception as error:
        if not _is_ours(error):
            raise
        kind = errors.AudioError if type(error).__name__ == "AudioError" else errors.SerTuneError
        raise kind(str(error)) from None
