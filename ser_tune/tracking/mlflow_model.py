"""The script that MLflow runs to load a registered model. Every model contains it.

It imports the copy of the package that trained the model, under a name of its own: another installed version, or
none, makes no difference. Nothing is unpickled.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import threading
import zipfile
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel  # type: ignore[attr-defined]


class SpeechModel(PythonModel):
    """Sound files or waveforms in, predictions out."""

    package: Any
    predictor: Any
    sets: Any
    """Prediction sets at the error rate of the environment; None without."""
    lock: threading.Lock
    """A network whose batch norm adapts to a speaker changes while it predicts."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's own type is private
        """Read the networks from the model's folder.

        Raises:
            ModuleNotFoundError: A package is missing that brings a component which is not ser-tune's own.
        """
        folder = Path(context.artifacts["predictor"])
        for component, requirement in json.loads((folder / "plugins.json").read_text(encoding="utf-8")).items():
            try:
                importlib.metadata.version(requirement.partition("==")[0])
            except importlib.metadata.PackageNotFoundError:
                raise ModuleNotFoundError(
                    f"this model needs the package {requirement}, which is not installed here: its {component} is "
                    "defined there"
                ) from None
        encoders = json.loads((folder / "encoders.json").read_text(encoding="utf-8"))

        @cache
        def find_encoder(digest: str) -> Path:
            return Path(mlflow.artifacts.download_artifacts(encoders[digest]))

        self.lock = threading.Lock()
        self.package = _own_package(folder / "ser_tune.zip")
        self.predictor = self.package.load_predictor(folder, find_encoder)
        rate, sets = os.environ.get(self.package.ERROR_RATE), self.package.read_prediction_sets(folder)
        self.sets = None if rate is None or sets is None else sets.at(float(rate))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ANN401
        """Predict each row.

        Args:
            context: Not used.
            model_input: Column `path` with sound files, column `audio` with the content of sound files in base64, or
                columns `waveform` (samples) and `sample_rate_hz`. Where the model normalises by speaker, rows of one
                `speaker` are normalised together; without that column all are.
            params: Not used.

        Returns:
            A row each: the answer in the column `label`, and each output of the model, such as the probability of a
            class or the rating of a dimension, in the column of its name. With prediction sets also their columns.

        Raises:
            MlflowException: There are no rows, or a row cannot be used; of the kind that a server answers with 400.
        """
        rows = model_input.to_dict("records")
        try:
            heard = self.package.hear_rows(rows)
            rows_of: dict[str, list[int]] = {}
            for number, row in enumerate(rows):
                rows_of.setdefault(str(row.get("speaker")), []).append(number)
            predicted: dict[int, Any] = {}
            for numbers in rows_of.values():
                with self.lock:
                    found = self.predictor.predict_heard([heard[number] for number in numbers])
                predicted |= dict(zip(numbers, found, strict=True))
        except Exception as error:
            if "SerTuneError" not in [kind.__name__ for kind in type(error).__mro__]:
                raise
            # MLflow's scoring server answers 400, without a stack trace
            raise MlflowException.invalid_parameter_value(str(error)) from error
        ordered = [predicted[number] for number in range(len(rows))]
        return pd.DataFrame([self._answer(answer) for answer in ordered])

    def _answer(self, found: Any) -> dict[str, Any]:  # noqa: ANN401 - a prediction of the package's own class
        """The row of an utterance."""
        row = {"label": found.label, **found.numbers}
        return row if self.sets is None else row | self.sets.columns(found.numbers, found.label)


def _own_package(file: Path) -> ModuleType:
    """Import `prediction` of the model's copy of the package, whose name in the zip file is made of its content."""
    with zipfile.ZipFile(file) as zipped:
        name = zipped.namelist()[0].partition("/")[0]
    if name not in sys.modules:
        spec = PathFinder.find_spec(name, [str(file)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} holds no Python package")
        package = importlib.util.module_from_spec(spec)
        sys.modules[name] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{name}.prediction")


set_model(SpeechModel())
