"""Registered probes of pretrained encoders: one stored copy, carried by versions, offline, one pass an utterance."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from ser_tune.config import Project
from ser_tune.encoders import Encoder
from ser_tune.encoders import checkpoint as checkpoint_module
from ser_tune.prediction import Committee, Predictor
from ser_tune.tracking import Workspace, open_predictor, read_predictor

pytest.importorskip("transformers", reason="needs the extra pretrained")

NAME = "ser-manifest-linear_probe"
FINETUNED = "ser-manifest-finetuned_encoder"
SENTENCES = ("ada_anger_0.wav", "dan_joy_1.wav", "bob_joy_0.wav")
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


@dataclass(frozen=True)
class Probed:
    """A project with a study of probes, whose checkpoint is gone."""

    root: Path
    corpus: Path
    """Folder of the recordings."""
    call: Callable[..., Any]

    @property
    def project(self) -> Project:
        return Project(
            self.root,
            f"sqlite:///{self.root}/mlruns/mlflow.db",
            f"sqlite:///{self.root}/studies/optuna.db",
            cache=self.root / "cache",
        )

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.project)

    @property
    def paths(self) -> list[str]:
        return [str(self.corpus / name) for name in SENTENCES]

    def version_of(self, name: str) -> Any:
        return self.workspace.client.get_model_version_by_alias(name, "champion")

    @property
    def version(self) -> Any:
        return self.version_of(NAME)

    @property
    def carried(self) -> Path:
        """The champion's files."""
        model_id = self.version.source.removeprefix("models:/")
        assert model_id != self.version.tags["ser_tune.model_id"]  # the trial's, which refers to the encoder
        return Path(self.workspace.client.get_logged_model(model_id).artifact_location)

    def logged(self, name: str) -> list[Any]:
        experiments = [experiment.experiment_id for experiment in self.workspace.client.search_experiments()]
        return [model for model in self.workspace.client.search_logged_models(experiments) if model.name == name]


def _arguments(csv: Path, checkpoint: Path, name: str, model: str = "linear_probe", *settings: str) -> list[str]:
    if model == "linear_probe":
        settings = (f"features.checkpoint={checkpoint}", "features.precision=float32", *settings)
    else:
        settings = (f"model.checkpoint={checkpoint}", *settings)
    corpus = ("--corpus", "manifest", "--data", str(csv), "--set", "protocol.folds=3")
    assignments = [part for setting in (*settings, "training.device=cpu") for part in ("--set", setting)]
    return ["study", "--model", model, *corpus, "--name", name, *assignments]


@pytest.fixture(scope="session")
def make_probed(
    once: Callable[..., Path],
    call: Callable[..., Any],
    checkpoint: Callable[[str], Path],
    databases: Path,
    corpus_csv: Path,
) -> Callable[..., Probed]:
    """Run a study with a copy of a family's encoder, and delete the copy; do not change the project."""

    def _make(family: str, model: str = "linear_probe", *settings: str) -> Probed:
        def fill(folder: Path) -> None:
            root, copied = folder / "project", folder / "encoder"
            shutil.copytree(databases, root)
            shutil.copytree(checkpoint(family), copied)
            environment = {"SER_TUNE_CACHE": str(root / "cache")}
            told = call(
                root,
                *_arguments(corpus_csv, copied, "probes", model, *settings),
                "--trials",
                "2",
                environment=environment,
            )
            assert told.code == 0, told.err
            shutil.rmtree(copied)
            for remembered in (checkpoint_module.locate, checkpoint_module.shape_of, checkpoint_module.digest_of):
                remembered.cache_clear()  # a new process would not know what lay there

        return Probed(once("-".join(("probed", family, model)), fill) / "project", corpus_csv.parent, call)

    return _make


@pytest.fixture
def probed(make_probed: Callable[..., Probed]) -> Probed:
    return make_probed("wav2vec2")


def _predicted(probed: Probed, name: str = NAME) -> list[dict[str, Any]]:
    told = probed.call(probed.root, "predict", name, *probed.paths, "--json")
    assert told.code == 0, told.err
    rows: list[dict[str, Any]] = json.loads(told.out)
    return rows


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
    _assert_same(predicted_alone[probed.root], _predicted(probed, NAME))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "adapter"), ADAPTERS)
def test_a_finetuned_encoder_too(
    family: str,
    adapter: str,
    make_finetuned: Callable[[str, str], Probed],
    predicted_alone: dict[Path, list[dict[str, Any]]],
) -> None:
    probed = make_finetuned(family, adapter)
    _assert_same(predicted_alone[probed.root], _predicted(probed, FINETUNED))
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


@pytest.mark.slow
def test_many_trials_store_an_encoder_once(probed: Probed) -> None:
    (encoder,) = probed.logged("encoder")
    trials = probed.logged("model")
    assert len(trials) == 2
    for trial in trials:
        predictor = Path(trial.artifact_location) / "artifacts" / "predictor"
        assert json.loads((predictor / "encoders.json").read_text(encoding="utf-8")) == {
            encoder.tags["ser_tune.encoder"]: f"models:/{encoder.model_id}"
        }
        assert not (predictor / "encoders").exists()


@pytest.mark.slow
def test_a_version_carries_the_encoder_as_float16(probed: Probed) -> None:
    from safetensors.torch import load_file

    digest = probed.logged("encoder")[0].tags["ser_tune.encoder"]
    folder = probed.carried / "artifacts" / "predictor" / "encoders" / digest
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert {str(tensor.dtype) for tensor in load_file(folder / "model.safetensors").values()} == {"torch.float16"}
    requirements = (probed.carried / "requirements.txt").read_text(encoding="utf-8")
    assert "transformers==" in requirements


@pytest.mark.slow
def test_a_trials_model_predicts_what_its_version_does(probed: Probed) -> None:
    model_id = probed.version.tags["ser_tune.model_id"]
    of_trial = open_predictor(f"models:/{model_id}").predict(probed.paths)
    for prediction, row in zip(of_trial, _predicted(probed), strict=True):
        assert prediction.label == row["emotion"]
        assert prediction.probabilities["joy"] == pytest.approx(row["joy"], abs=1e-6)
        (segment,) = prediction.segments
        assert (segment.start_s, segment.end_s) == pytest.approx((0.0, 0.45 if "_1" in prediction.source else 0.35))


@pytest.mark.slow
def test_settings_of_descent_are_not_recorded(probed: Probed) -> None:
    experiment = probed.workspace.client.get_experiment_by_name("manifest")
    runs = probed.workspace.client.search_runs([experiment.experiment_id], "tags.`ser_tune.trial` = '0'")
    (params,) = [run.data.params for run in runs]
    assert {"model.penalty", "features.digest", "features.precision"} <= params.keys()
    assert [run.data.tags["version.transformers"] for run in runs] == [version("transformers")]
    assert not [path for path in params if path.startswith(("optimizer.", "loss.", "augmentation."))]


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Utterances of every call of an encoder, while it lasts."""
    counts: list[int] = []
    original = Encoder.hidden_states

    def hidden_states(self: Any, speech: Any, **how: Any) -> Any:
        counts.append(len(speech))
        return original(self, speech, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "hidden_states", hidden_states)
        yield counts


@pytest.fixture
def members(probed: Probed) -> list[Predictor]:
    """Probes of two trials, read by this installation, with the stored encoder."""
    return [read_predictor(f"models:/{model.model_id}") for model in probed.logged("model")]


@pytest.mark.slow
def test_probes_of_one_encoder_run_it_once(members: list[Predictor], probed: Probed) -> None:
    with _counted() as counts:
        said = Committee(members).predict(probed.paths)
    assert counts == [len(probed.paths)]
    alone = [member.predict(probed.paths) for member in members]
    for number, prediction in enumerate(said):
        expected = sum(each[number].probabilities["joy"] for each in alone) / len(members)
        assert prediction.probabilities["joy"] == pytest.approx(expected, abs=1e-6)


@pytest.fixture
def probed_copy(probed: Probed, checkpoint: Callable[[str], Path], tmp_path: Path) -> Iterator[Probed]:
    """The project elsewhere, to be changed, with the checkpoint where it was."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()
    root = Path(shutil.copytree(probed.root, tmp_path / "project"))
    yield Probed(root, probed.corpus, probed.call)
    utils._artifact_repos_cache.clear()


@pytest.mark.slow
def test_a_combination_is_scored_from_cached_features(
    probed_copy: Probed, checkpoint: Callable[[str], Path], corpus_csv: Path
) -> None:
    """A second study, with other layers and the encoder under another name, extracts nothing; nor does the combination."""  # noqa: E501
    environment = {"SER_TUNE_CACHE": str(probed_copy.root / "cache")}
    arguments = _arguments(corpus_csv, checkpoint("wav2vec2"), "others")
    with _counted() as counts:
        told = probed_copy.call(
            probed_copy.root,
            *(*arguments, "--trials", "2", "--set", "features.layers=[1]"),
            environment=environment,
        )
        assert told.code == 0, told.err
        told = probed_copy.call(probed_copy.root, "combine", "others:0", "others:1", environment=environment)
        assert told.code == 0, told.err
    assert counts == []
    assert len(probed_copy.logged("encoder")) == 1
    combined = [
        found
        for found in probed_copy.workspace.client.search_model_versions(f"name = '{NAME}'")
        if "+" in found.tags["study"]
    ]
    (model_id,) = [found.source.removeprefix("models:/") for found in combined]
    folder = Path(probed_copy.workspace.client.get_logged_model(model_id).artifact_location)
    assert len(list((folder / "artifacts" / "predictor" / "encoders").iterdir())) == 1


@pytest.mark.slow
def test_what_needs_features_alone_does_not_look_for_the_checkpoint(
    probed: Probed, probed_copy: Probed, corpus_csv: Path
) -> None:
    environment = {"SER_TUNE_CACHE": str(probed_copy.root / "cache")}
    for command in (("promote", "probes", "--trial", "1"), ("combine", "probes:0", "probes:1")):
        told = probed_copy.call(probed_copy.root, *command, environment=environment)
        assert told.code == 0, told.err
    # Seeds of a solved model are refused before that, and other trials need the checkpoint
    told = probed_copy.call(
        probed_copy.root, "confirm", "probes", "--top", "1", "--seeds", "2", environment=environment
    )
    assert told.code == 2
    assert told.err.startswith("error: study 'probes' cannot be confirmed on fresh seeds: linear_probe is solved")
    more = (*_arguments(corpus_csv, probed.root.parent / "encoder", "probes"), "--trials", "3")
    told = probed_copy.call(probed_copy.root, *more, environment=environment)
    assert told.code == 2
    assert "is no folder; expected an existing folder" in told.err.splitlines()[-1]


@pytest.mark.slow
def test_rows_of_one_speaker_are_normalised_together(
    probed_copy: Probed, checkpoint: Callable[[str], Path], corpus_csv: Path
) -> None:
    environment = {"SER_TUNE_CACHE": str(probed_copy.root / "cache")}
    arguments = _arguments(corpus_csv, checkpoint("wav2vec2"), "pooled", "linear_probe", "normalisation.scope=speaker")
    for command in ((*arguments, "--trials", "1"), ("promote", "pooled", "--as", "pooled")):
        told = probed_copy.call(probed_copy.root, *command, environment=environment)
        assert told.code == 0, told.err
    mlflow.set_tracking_uri(probed_copy.project.tracking_uri)
    model = mlflow.pyfunc.load_model("models:/pooled@champion")
    paths = sorted(str(path) for path in probed_copy.corpus.glob("*.wav"))[:12]
    speakers = [Path(path).name.partition("_")[0] for path in paths]
    assert len(set(speakers)) > 1
    rows = model.predict(pd.DataFrame({"path": paths, "speaker": speakers}))
    for speaker in set(speakers):
        own = [number for number, name in enumerate(speakers) if name == speaker]
        alone = model.unwrap_python_model().predictor.predict([paths[number] for number in own])
        assert [prediction.probabilities["joy"] for prediction in alone] == pytest.approx(
            rows["joy"].iloc[own].tolist(), abs=1e-6
        )
    without = model.predict(pd.DataFrame({"path": paths}))
    together = model.unwrap_python_model().predictor.predict(paths)
    assert [prediction.probabilities["joy"] for prediction in together] == pytest.approx(
        without["joy"].tolist(), abs=1e-6
    )
    assert without["joy"].tolist() != pytest.approx(rows["joy"].tolist(), abs=1e-6)
