"""`export` writes a folder that runs by itself, or nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml


def left(folder: Path) -> list[str]:
    """Names in a folder that an export could have left there."""
    return sorted(path.name for path in folder.iterdir() if "export" in path.name or path.name == "made")


@pytest.fixture
def trained(finished_copy: Any, call: Callable[..., Any]) -> tuple[Path, str]:
    listed = json.loads(call(finished_copy.root, "models", "--json").out)
    return finished_copy.root, listed[0]["name"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "torchscript", "hub"])
def test_an_exported_folder_says_what_the_registered_model_says(
    trained: tuple[Path, str], corpus_csv: Path, call: Callable[..., Any], form: str
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="needs the extra export")
    root, name = trained
    told = call(root, "export", name, "--format", form, "--out", "made", "--json")
    assert (told.code, told.err) == (0, "")
    (record,) = json.loads(told.out)
    assert record["largest_difference"] <= 1e-4
    assert (record["recordings"], record["corpus"]) == (8, "manifest")
    assert left(root) == ["made"]
    moved = root / "elsewhere"
    (root / "made").rename(moved)
    config = json.loads((moved / "config.json").read_text(encoding="utf-8"))
    labels = list(config["label2id"])
    assert len(labels) == 2
    required = {line.partition("==")[0] for line in (moved / "requirements.txt").read_text().split()}
    assert "mlflow" not in required
    for line in (moved / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY") and ". ." not in line:
            assert (moved / line.split()[1]).exists()
    readme = (moved / "README.md").read_text(encoding="utf-8")
    assert "Outside the model's file: decoding" in readme
    if form == "hub":
        header = yaml.safe_load(readme.split("---\n")[1])
        assert header["pipeline_tag"] == "audio-classification"
        assert header["model-index"][0]["results"][0]["metrics"][0]["type"] == "recall"
    audio = sorted(corpus_csv.parent.glob("*.wav"))[:3]
    command = [sys.executable, "-I", str(moved / "predict.py")]
    if form == "onnx":  # the others were run before the folder appeared
        done = subprocess.run([*command, *map(str, audio)], capture_output=True, text=True, check=True)
        expected = json.loads(call(root, "predict", name, *map(str, audio), "--json").out)
        for row, wanted in zip(json.loads(done.stdout), expected, strict=True):
            assert row["emotion"] == wanted["emotion"]
            np.testing.assert_allclose([row[label] for label in labels], [wanted[label] for label in labels], atol=1e-4)
        bad = [*command, str(moved / "config.json")]
        refused = subprocess.run(bad, capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: ")
        assert refused.stderr.count("\n") == 1


@pytest.mark.slow
def test_an_export_whose_probabilities_differ_leaves_no_folder(
    trained: tuple[Path, str], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.export.agreement.LARGEST_DIFFERENCE", -1.0)
    root, name = trained
    told = call(root, "export", name, "--format", "safetensors", "--out", "made")
    assert told.code == 2
    assert "differ from predict's by up to" in told.err
    assert told.err.count("\n") == 1
    assert left(root) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--format", "onxx"), "--format is 'onxx'; choose from: onnx, torchscript, safetensors, hub"),
        (("--format", "hub", "--out", "studies"), "--out 'studies' exists; expected the name of a new folder"),
        (("--format", "hub", "--out", "none/such"), "expected an existing one"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    trained: tuple[Path, str], call: Callable[..., Any], arguments: tuple[str, ...], sentence: str
) -> None:
    root, name = trained
    told = call(root, "export", name, *arguments)
    assert told.code == 2
    assert sentence in told.err
    assert told.err.count("\n") == 1
