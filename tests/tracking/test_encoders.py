"""Registered probes of pretrained encoders: one stored copy, carried by versions, offline, one pass an utterance."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from ser_tune.encoders.readers import ModuleReader
from ser_tune.prediction import Committee, Predictor
from ser_tune.tracking import open_predictor, read_predictor
from tests.probed_projects import NAME, Probed, study_command
from tests.project_copies import copy_project

pytest.importorskip("transformers", reason="needs the extra pretrained")


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
def test_the_disk_has_an_encoder_and_the_programs_copy_once(probed: Probed) -> None:
    for name in ("model.safetensors", "ser_tune.zip"):
        files = [path.stat() for path in probed.project.artifacts.rglob(name)]
        assert len(files) > 1
        assert len({file.st_ino for file in files}) == 1


@pytest.mark.slow
def test_a_trials_model_predicts_what_its_version_does(probed: Probed) -> None:
    model_id = probed.version.tags["ser_tune.model_id"]
    of_trial = open_predictor(f"models:/{model_id}").predict(probed.paths)
    for prediction, row in zip(of_trial, probed.predicted(), strict=True):
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
    original = ModuleReader.read

    def read(self: Any, pieces: Any, **how: Any) -> Any:
        counts.append(len(pieces))
        return original(self, pieces, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModuleReader, "read", read)
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
    root = copy_project(probed.root, tmp_path / "project")
    yield Probed(root, probed.corpus, probed.call)
    utils._artifact_repos_cache.clear()


@pytest.mark.slow
def test_a_combination_is_scored_from_cached_features(
    probed_copy: Probed, checkpoint: Callable[[str], Path], corpus_csv: Path
) -> None:
    """A second study, with other layers and the encoder under another name, extracts nothing; nor does the combination."""  # noqa: E501
    environment = {"SER_TUNE_CACHE": str(probed_copy.root / "cache")}
    arguments = study_command(corpus_csv, checkpoint("wav2vec2"), "others")
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
    more = (*study_command(corpus_csv, probed.root.parent / "encoder", "probes"), "--trials", "3")
    told = probed_copy.call(probed_copy.root, *more, environment=environment)
    assert told.code == 2
    assert "is no folder; expected an existing folder" in told.err.splitlines()[-1]


@pytest.mark.slow
def test_rows_of_one_speaker_are_normalised_together(
    probed_copy: Probed, checkpoint: Callable[[str], Path], corpus_csv: Path
) -> None:
    environment = {"SER_TUNE_CACHE": str(probed_copy.root / "cache")}
    arguments = study_command(
        corpus_csv, checkpoint("wav2vec2"), "pooled", "linear_probe", "normalisation.scope=speaker"
    )
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
