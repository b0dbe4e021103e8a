"""A registered model stands on its own: no ser-tune, no Optuna, no torchvision, no pickles."""

import json
import os
import subprocess
import sys
import threading
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import mlflow
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from mlflow.exceptions import MlflowException
from mlflow.utils import requirements_utils

import ser_tune
from ser_tune import prediction
from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.features import FEATURE_SETS
from ser_tune.prediction import Recipe, predictor
from ser_tune.project import Project
from ser_tune.registry import load_model
from ser_tune.tracking import LoadedModel, Workspace, package
from ser_tune.tracking.mlflow_model import SpeechModel

NAME = "ser-manifest-alex_net"
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("ser_tune", "optuna", "torchvision", "typer"):
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
"""
PREDICT = """
import json
import mlflow
import pandas

mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/ser-manifest-alex_net@champion")
print(json.dumps(model.predict(pandas.DataFrame({"path": sys.argv[2:]})).to_dict("records")))
"""


@pytest.fixture
def project(finished: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished.root))
    return Project.locate()


@pytest.fixture
def model(project: Project) -> Any:
    """The champion as MLflow loads it."""
    Workspace(project)
    return mlflow.pyfunc.load_model(f"models:/{NAME}@champion")


def _folder(project: Project) -> Path:
    version = Workspace(project).client.get_model_version_by_alias(NAME, "champion")
    return Path(Workspace(project).client.get_logged_model(version.tags["ser_tune.model_id"]).artifact_location)


def _recipe(labels: tuple[str, ...], **normalisation: str) -> Recipe:
    return Recipe(
        labels=labels,
        model=ARCHITECTURES.get("light_cnn").settings.model_validate({"width": 0.25}),
        features=FEATURE_SETS.get("logmelspec").settings.model_validate({"n_mels": 32}),
        shape=(1, 32),
        hop_s=0.01,
        segments=SegmentSettings(frames=30),
        normalisation=NormalisationSettings.model_validate(normalisation),
        aggregation="mean_log_softmax",
    )


@pytest.mark.slow
def test_a_champion_predicts_where_ser_tune_is_not_installed(
    project: Project, corpus_csv: Path, tmp_path: Path
) -> None:
    paths = [str(corpus_csv.parent / name) for name in ("ada_anger_0.wav", "dan_joy_1.wav")]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + PREDICT, project.tracking_uri, *paths],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    ours = load_model(NAME).predict(paths)
    assert [row["label"] for row in rows] == [one.label for one in ours]
    for row, one in zip(rows, ours, strict=True):
        assert {label: row[label] for label in one.probabilities} == pytest.approx(one.probabilities, abs=1e-6)


def test_mlflow_writes_the_frame_of_a_study_s_models_once_and_checks_no_requirements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves: list[object] = []
    original = mlflow.pyfunc.save_model
    monkeypatch.setattr(
        mlflow.pyfunc, "save_model", lambda *where, **how: (saves.append(where), original(*where, **how))
    )
    package._frame.cache_clear()
    checked: list[object] = []
    monkeypatch.setattr(requirements_utils, "_check_requirement_satisfied", checked.append)
    described = []
    for number, labels in enumerate((("joy", "anger"), ("joy", "anger"), ("joy", "fear"))):
        recipe = _recipe(labels)
        network = prediction.Predictor(recipe, [recipe.build_network()], [None], folds=["1/2"])
        package.save_predictor(network, tmp_path / f"{number}")
        model = mlflow.models.Model.load(tmp_path / f"{number}")
        assert [column.name for column in model.signature.outputs] == ["label", *labels]
        described.append(model)
    assert len(saves) == 2
    assert checked == []
    assert len({model.model_uuid for model in described}) == 3
    assert described[0].utc_time_created < described[1].utc_time_created


def test_no_file_of_a_model_is_a_pickle(project: Project) -> None:
    files = [path for path in _folder(project).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {"", ".json", ".py", ".safetensors", ".txt", ".yaml", ".zip"}
    pickled = (b"\x80\x02", b"\x80\x04", b"\x80\x05", b"PK")  # the last is torch's own format, and that of the source
    assert [path.name for path in files if path.read_bytes()[:2] in pickled] == ["ser_tune.zip"]
    assert len([path for path in files if path.suffix == ".safetensors"]) == 3


def test_a_model_carries_the_source_that_it_needs_and_no_more(project: Project) -> None:
    (file,) = _folder(project).rglob("*.zip")
    with zipfile.ZipFile(file) as zipped:
        names = [Path(name) for name in zipped.namelist()]
        source = zipped.read(f"{names[0].parts[0]}/prediction/predictor.py").decode()
    assert {name.suffix for name in names} == {".py"}
    assert len({name.parts[0] for name in names}) == 1
    rooms = {name.parts[1] for name in names}
    assert {"architectures", "audio", "config", "features", "prediction"} <= rooms
    assert not {"cli", "results", "registry", "tracking", "study", "training"} & rooms
    assert source == Path(predictor.__file__).read_text(encoding="utf-8")


def test_the_requirements_are_exact_and_name_no_ser_tune(project: Project) -> None:
    lines = (_folder(project) / "requirements.txt").read_text(encoding="utf-8").split()
    assert all("==" in line for line in lines)
    assert {"torch", "mlflow", "librosa", "safetensors"} <= {line.partition("==")[0] for line in lines}
    assert not [line for line in lines if line.startswith(("ser", "optuna", "scikit-learn"))]


def test_paths_and_waveforms_lead_to_the_same_prediction(model: Any, corpus_csv: Path) -> None:
    path = corpus_csv.parent / "cyd_joy_1.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    frame = pd.DataFrame({"waveform": [samples.astype(np.float64).tolist()], "sample_rate_hz": [rate]})
    by_waveform = model.predict(frame)
    by_path = model.predict(pd.DataFrame({"path": [str(path)]}))
    assert list(by_path.columns) == ["label", "anger", "joy"]
    assert by_path["label"][0] == by_waveform["label"][0]
    assert by_path["joy"][0] == pytest.approx(by_waveform["joy"][0], abs=1e-5)
    assert by_path["joy"][0] + by_path["anger"][0] == pytest.approx(1, abs=1e-5)


def test_one_table_can_hold_both(model: Any, corpus_csv: Path) -> None:
    path = corpus_csv.parent / "cyd_joy_1.wav"
    samples, rate = soundfile.read(path, dtype="float64")
    rows = [{"path": str(path)}, {"waveform": samples.tolist(), "sample_rate_hz": rate}]
    table = pd.DataFrame(rows).astype({"sample_rate_hz": object})
    predicted = model.unwrap_python_model().predict(None, table)
    assert predicted["joy"][0] == pytest.approx(predicted["joy"][1], abs=1e-5)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"path": []}),
        pd.DataFrame({"other": ["a.wav"]}),
        pd.DataFrame({"waveform": [[0.1, 0.2]]}),
        pd.DataFrame({"sample_rate_hz": [16_000]}),
    ],
    ids=["empty", "no rows", "other columns", "no rate", "no waveform"],
)
def test_a_table_without_audio_is_refused(model: Any, frame: pd.DataFrame) -> None:
    refusals = r"no audio given; pass a table|row 0 has neither 'path' nor 'audio'|Failed to enforce schema"
    with pytest.raises((ValueError, MlflowException), match=refusals):
        model.predict(frame)


def test_a_plain_list_is_not_taken_for_an_empty_table(model: Any, corpus_csv: Path) -> None:
    with pytest.raises((ValueError, MlflowException), match=r"no audio given|Failed to enforce schema"):
        model.predict([str(corpus_csv.parent / "cyd_joy_1.wav")])


@pytest.mark.parametrize("batch_norm", ["train", "speaker"])
def test_rows_of_one_speaker_are_pooled_and_without_speakers_a_call_is_one(batch_norm: str) -> None:
    recipe = _recipe(("anger", "joy"), scope="speaker", batch_norm=batch_norm)
    torch.manual_seed(0)
    loaded = SpeechModel()
    loaded.package, loaded.lock, loaded.sets = prediction, threading.Lock(), None
    loaded.predictor = prediction.Predictor(recipe, [recipe.build_network()], [None])
    rng = np.random.default_rng(0)
    waveforms = [rng.normal(size=8000).cumsum() * loudness for loudness in (0.001, 0.01, 0.0001, 0.02)]
    table = pd.DataFrame({"waveform": waveforms, "sample_rate_hz": 16_000, "speaker": ["ada", "bob", "ada", "bob"]})

    def together(*numbers: int) -> list[float]:
        said = loaded.predictor.predict([waveforms[one] for one in numbers], sample_rate_hz=16_000)
        return [one.probabilities["joy"] for one in said]

    (ada, ada_again), (bob, bob_again) = together(0, 2), together(1, 3)
    by_speaker = loaded.predict(None, table)["joy"].tolist()
    assert by_speaker == pytest.approx([ada, bob, ada_again, bob_again], abs=1e-6)
    without = loaded.predict(None, table.drop(columns="speaker"))["joy"].tolist()
    assert without == pytest.approx(together(0, 1, 2, 3), abs=1e-6)
    assert np.abs(np.subtract(without, by_speaker)).max() > 1e-4


def test_models_of_one_code_share_it(model: Any) -> None:
    again = load_model(NAME)
    names = [name for name in sys.modules if name.startswith("ser_tune_") and "." not in name]
    assert len(names) == 1
    assert type(again._predictor).__module__.startswith(f"{names[0]}.prediction")
    assert type(model.unwrap_python_model().predictor) is type(again._predictor)


def test_a_models_task_is_that_of_its_recipe_and_before_there_were_tasks_one_emotion() -> None:
    for recipe in (SimpleNamespace(task="classification"), SimpleNamespace()):
        assert LoadedModel(cast("Any", SimpleNamespace(recipe=recipe))).task.answer == "emotion"


def test_a_model_carries_the_rooms_from_prediction_on_downwards_and_no_others() -> None:
    """A room above would only make every model larger; a room below that is left out would break it."""
    settings = tomllib.loads((Path(ser_tune.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (rule["layers"] for rule in settings["tool"]["importlinter"]["contracts"] if rule["type"] == "layers")
    below = layers[layers.index("prediction") :]
    assert {room.strip() for layer in below for room in layer.split("|")} | {"__init__"} == set(package.CARRIED)
