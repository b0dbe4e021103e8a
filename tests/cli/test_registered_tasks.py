"""Registered models of other tasks than one emotion of several: from a study to every form of use."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.architectures.networks import set_threshold, threshold_of
from ser_tune.project import Project
from ser_tune.registry import find_version, load_model, version_folder
from ser_tune.serving.server import Limits, _answering, _loaded
from ser_tune.tracking import Workspace, open_predictor
from tests.annotated_studies import LABELS, NAME
from tests.tracking.test_package import BLOCKED

pytestmark = pytest.mark.slow

PREDICT = """
import json
import mlflow
import pandas

mlflow.set_tracking_uri(sys.argv[1])
found = {}
for alias in ("dimensions", "votes", "several"):
    model = mlflow.pyfunc.load_model(f"models:/ser-annotated-linear_probe@{alias}")
    rows = model.predict(pandas.DataFrame({"path": [sys.argv[2]]})).to_dict("records")
    found[alias] = [rows, model.metadata.get_output_schema().input_types_dict(), model.metadata.metadata]
print(json.dumps(found, default=str))
"""


def _predicted(call: Callable[..., Any], root: Path, alias: str, *arguments: str | Path) -> Any:
    told = call(root, "predict", f"{NAME}@{alias}", *arguments, "--json")
    assert told.code == 0, told.err
    return json.loads(told.out)


def test_every_task_has_a_champion_of_its_own(registered: tuple[Path, Path], call: Callable[..., Any]) -> None:
    listed = json.loads(call(registered[0], "models", "--json").out)
    assert {entry["version"]: entry["aliases"] for entry in listed} == {
        str(number): [label] for number, label in enumerate(LABELS, start=1)
    }
    again = call(registered[0], "promote", "annotated-dimensions-linear_probe-logmelspec")
    assert (again.code, "version 1 as dimensions (it was registered before)" in again.out) == (0, True)


def test_predict_prints_ratings_shares_and_sets(registered: tuple[Path, Path], call: Callable[..., Any]) -> None:
    root, audio = registered
    (rated,) = _predicted(call, root, "dimensions", audio)
    assert list(rated) == ["file", "arousal", "valence", "arousal_error", "valence_error"]
    (shared,) = _predicted(call, root, "votes", audio)
    assert list(shared) == ["file", "emotion", "anger", "joy"]
    assert shared["anger"] + shared["joy"] == pytest.approx(1, abs=1e-5)
    (several,) = _predicted(call, root, "several", audio)
    above = [name for name in LABELS["several"] if several[name] >= 0.5]
    assert several["emotions"] == ("|".join(above) or "none")
    table = call(root, "predict", f"{NAME}@dimensions", audio)
    assert f"{rated['arousal']:.2f} ± {rated['arousal_error']:.2f}" in table.out
    assert "arousal (1 to 5)" in table.out
    assert table.err.startswith("±: root mean squared error on the validation speakers")
    for alias, numbers in (("dimensions", "ratings"), ("several", "scores")):
        told = call(root, "predict", f"{NAME}@{alias}", audio, "--min-confidence", "0.5")
        told.refused(f"the model's numbers are {numbers}: leave it out")


def test_models_of_every_task_run_where_ser_tune_is_not_installed_and_behind_a_server(
    registered: tuple[Path, Path], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root, audio = registered
    uri = f"sqlite:///{root}/mlruns/mlflow.db"
    command = [sys.executable, "-c", BLOCKED + PREDICT, uri, str(audio)]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ.copy(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("SER_TUNE_ALLOW_PATHS", "SER_TUNE_MAX_SECONDS", "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"):
        monkeypatch.setenv(name, "")  # the server's, set back afterwards
    for label, ((row,), columns, metadata) in json.loads(done.stdout.splitlines()[-1]).items():
        assert list(row) == ["label", *LABELS[label]]
        assert set(columns) == set(row)
        (ours,) = _predicted(call, root, label, audio)
        expected = [ours[name] for name in LABELS[label]]
        np.testing.assert_allclose([row[name] for name in LABELS[label]], expected, atol=1e-6)
        assert ("errors" in metadata, "scales" in metadata) == (label == "dimensions",) * 2
        version = find_version(_workspace(root, monkeypatch), f"{NAME}@{label}")
        answer = _answering(_loaded(str(version_folder(version)), [audio.parent], Limits(), None))
        request = {"dataframe_records": [{"path": str(audio)}]}
        (answered,) = json.loads(answer(json.dumps(request).encode()))["predictions"]
        np.testing.assert_allclose([answered[name] for name in LABELS[label]], expected, atol=1e-6)


def _workspace(root: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    return Workspace(Project.locate())


@pytest.mark.parametrize(("label", "form"), [("dimensions", "onnx"), ("several", "torchscript"), ("votes", "hub")])
def test_an_exported_folder_has_the_numbers_of_its_task(
    registered: tuple[Path, Path], call: Callable[..., Any], tmp_path: Path, label: str, form: str
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="needs the extra export")
    root, audio = registered
    out = tmp_path / "made"
    told = call(root, "export", f"{NAME}@{label}", "--format", form, "--out", out, "--recording", audio, "--json")
    assert told.code == 0, told.err
    assert json.loads(told.out)[0]["largest_difference"] <= 1e-4
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    assert config["numbers"] == {"dimensions": "ratings", "several": "scores", "votes": "probabilities"}[label]
    readme = (out / "README.md").read_text(encoding="utf-8")
    written = readme.partition("Speech emotion recognition, ")[2].partition("## Use")[0]
    assert f"the {config['numbers']} differ from those of the registered model" in written
    assert ("probabilit" in written) == (label != "dimensions")
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
        assert [output.name for output in session.get_outputs()] == LABELS[label]


def test_a_picture_and_a_timeline_of_ratings(
    registered: tuple[Path, Path], call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, audio = registered
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    assert load_model(f"{NAME}@dimensions").errors.keys() == {"arousal", "valence"}
    _predicted(call, root, "dimensions", audio, "--plot", tmp_path / "a.svg")
    assert "rating" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    pytest.importorskip("silero_vad", reason="needs the extra timeline")
    told = call(root, "predict", f"{NAME}@dimensions", audio, "--timeline", "--format", "rttm")
    told.refused("--format rttm writes names of passages; the answers of")


def test_a_model_of_votes_is_compared_with_the_crowd(
    registered: tuple[Path, Path], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, audio = registered
    client = _workspace(root, monkeypatch).client
    cards = {label: str(client.get_model_version_by_alias(NAME, label).description) for label in LABELS}
    assert "## Model against the crowd, test speakers" in cards["votes"]
    assert "- Guesses of a left-out annotator's vote, share right: model " in cards["votes"]
    assert "- Predicted entropy against the entropy of the votes: rank correlation " in cards["votes"]
    # A table has mean ratings, not those of its annotators
    assert "Model against the crowd" not in cards["dimensions"] + cards["several"]
    table = audio.with_name("annotated.csv")
    told = call(root, "evaluate", f"{NAME}@votes", "--corpus", "manifest", "--data", table, "--json")
    assert told.code == 0, told.err
    (found,) = json.loads(told.out)
    (guess,) = found["crowd"]["guesses"]
    assert (guess["guessed"], guess["metric"], guess["utterances"]) == ("vote", "guessed", 16)
    assert guess["annotator"]["value"] < guess["others"]["value"] <= 1
    assert found["crowd"]["entropy"]["utterances"] == 16


def test_a_refit_decides_by_the_mean_of_the_folds_thresholds(
    copied: tuple[Path, Path], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = copied
    opened = []

    def with_thresholds(address: str) -> Any:
        predictor = open_predictor(address)
        for number, network in enumerate(predictor.networks):
            set_threshold(network, np.array([number, 1.0, -1.0]))
        opened.append(predictor)
        return predictor

    monkeypatch.setattr("ser_tune.registry.promoting.open_predictor", with_thresholds)
    told = call(root, "promote", "annotated-several-linear_probe-logmelspec", "--refit", "--as", "refit-of-several")
    workspace = _workspace(root, monkeypatch)
    assert told.code == 0, told.err
    files = version_folder(find_version(workspace, "refit-of-several/1"))
    (network,) = open_predictor(str(files)).networks
    middle = (len(opened[0].networks) - 1) / 2
    np.testing.assert_allclose(threshold_of(network), [middle, 1.0, -1.0], rtol=1e-6)
