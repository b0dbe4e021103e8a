"""Champions of pretrained encoders predict without their checkpoint, ser_tune or a network."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.probed_projects import NAME, Probed

pytest.importorskip("transformers", reason="needs the extra pretrained")

FINETUNED = "ser-manifest-finetuned_encoder"
FAMILIES = ("wav2vec2", "hubert", "wavlm", "whisper")
ADAPTERS = (("whisper", "none"), ("wav2vec2", "lora"))
ALONE = '''
import json
import os
import socket
import sys


class Without:
    """Finds what another finder finds, except packages that are not installed here."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in ("ser_tune", "optuna", "torchvision", "typer")
        return None if absent else self.finder.find_spec(name, path, target)


def refuse(*_):
    raise OSError("there is no network here")


sys.meta_path = [Without(finder) for finder in sys.meta_path]
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse

import mlflow.pyfunc
import pandas
from transformers import HubertModel, Wav2Vec2Model, WavLMModel, WhisperModel  # imported once, for all processes

for uri, name, paths in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        mlflow.set_tracking_uri(uri)
        model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
        rows = model.predict(pandas.DataFrame({"path": paths})).to_dict("records")
        assert "ser_tune" not in sys.modules
        print(json.dumps(rows), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"{name} of {uri} does not predict")
'''


@pytest.fixture(scope="session")
def make_finetuned(make_probed: Callable[..., Probed]) -> Callable[[str, str], Probed]:
    """Run a study that trains a family's last layer, or an adapter of it."""

    def _make(family: str, adapter: str) -> Probed:
        settings = ("trainable_layers=1", f"adapter={adapter}", "gradient_checkpointing=true")
        assignments = (*(f"model.{setting}" for setting in settings), "training.epochs=2")
        return make_probed(family, "finetuned_encoder", *assignments)

    return _make


@pytest.fixture(scope="module")
def predicted_alone(
    make_probed: Callable[..., Probed],
    make_finetuned: Callable[[str, str], Probed],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Path, list[dict[str, Any]]]:
    """Predictions of all champions, by project, without a network, a checkpoint or ser_tune; one process for each."""
    projects = [(make_probed(family), NAME) for family in FAMILIES]
    projects += [(make_finetuned(*chosen), FINETUNED) for chosen in ADAPTERS]
    champions = [(probed.project.tracking_uri, name, probed.paths) for probed, name in projects]
    empty = tmp_path_factory.mktemp("empty")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(champions)],
        cwd=empty,
        env=os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "HF_HOME": str(empty)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tables = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {probed.root: rows for (probed, _), rows in zip(projects, tables, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_champion_predicts_without_its_checkpoint_ser_tune_or_a_network(
    family: str, make_probed: Callable[..., Probed], predicted_alone: dict[Path, list[dict[str, Any]]]
) -> None:
    probed = make_probed(family)
    _assert_same(predicted_alone[probed.root], probed.predicted(NAME))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "adapter"), ADAPTERS)
def test_a_finetuned_encoder_too(
    family: str,
    adapter: str,
    make_finetuned: Callable[[str, str], Probed],
    predicted_alone: dict[Path, list[dict[str, Any]]],
) -> None:
    probed = make_finetuned(family, adapter)
    _assert_same(predicted_alone[probed.root], probed.predicted(FINETUNED))
    (encoder,) = probed.logged("encoder")
    trials = probed.logged("model")
    assert len(trials) == 2
    for trial in trials:  # what learned is in the trial's model, the rest in the encoder's
        networks = sorted(Path(trial.artifact_location).glob("artifacts/predictor/network-*.safetensors"))
        assert len(networks) == 3
        assert max(file.stat().st_size for file in networks) < sum(
            file.stat().st_size for file in Path(encoder.artifact_location).rglob("*.safetensors")
        )
    experiment = probed.workspace.client.get_experiment_by_name("manifest")
    (run,) = probed.workspace.client.search_runs([experiment.experiment_id], "tags.`ser_tune.trial` = '0'")
    assert run.data.params["model.digest"] == encoder.tags["ser_tune.encoder"]
    assert "Pretrained encoder: encoder. Licence: unknown. SHA-256" in probed.version_of(FINETUNED).description


def _assert_same(rows: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    for row, here in zip(rows, ours, strict=True):
        assert row["label"] == here["emotion"]
        assert [row["anger"], row["joy"]] == pytest.approx([here["anger"], here["joy"]], abs=1e-5)
